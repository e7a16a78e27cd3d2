"""`unspool deploy`: the whole way for a user's own model."""

from typing import TYPE_CHECKING, Any

from unspool.cli.budget_options import BudgetOptions
from unspool.cli.claims import claimed
from unspool.cli.console import console, watching
from unspool.cli.deploy_options import DeployOptions, ModelFiles
from unspool.cli.flags import with_flags
from unspool.cli.grouping import grouped, words
from unspool.cli.options import DEFAULT_OUT, Out, TargetOptions, resident_kib
from unspool.cli.piece_options import PieceOptions
from unspool.cli.stream_options import StreamOptions
from unspool.compilation.budgets import Budget
from unspool.errors import UnspoolError
from unspool.support import sample_files
from unspool.support.progress import Watch
from unspool.support.samples import Samples
from unspool.support.text import printable

if TYPE_CHECKING:
    from unspool.deployed import Deployment, Options
    from unspool.parts.deployment import DeploymentInParts


@grouped
def deploy_command(
    *,
    model_files: ModelFiles,
    piece: PieceOptions,
    stream: StreamOptions,
    quantization: DeployOptions,
    out: Out = DEFAULT_OUT,
    target: TargetOptions,
    budget: BudgetOptions,
) -> None:
    """Take a trained model to the NPU: unroll, quantize, test, compile."""
    chosen = target.chosen()
    resident_kib(quantization.resident_weights)  # what is wrong is told before any work
    limits = budget.chosen()
    _check(limits, model_files.test is not None, quantization.allow_cpu)
    stream.check()
    calibration = sample_files.load(model_files.calibration)
    test = sample_files.load_pair(model_files.test)
    folder = claimed(out)
    console().print(f"target: {chosen}")

    from unspool.cli.results import Source, finish
    from unspool.report.making import Beside

    trained = _loaded(model_files, piece, stream, quantization.full_length)
    _check_labels(limits, trained, test, None if stream.states else stream.time_steps)
    options = quantization.options(chosen)
    same = [word for group in (piece, stream, quantization, target) for word in words(group)]
    source = Source(model_files.model, model_files.config, options=same)
    with watching() as watch:
        settled, costs = stream.settled(trained, calibration, options, limits, watch)
        deployment = _deployed(settled, trained, calibration, test, options, watch)
    finish(deployment, folder, source, limits, Beside(call_costs=costs))


def _deployed(
    settled: StreamOptions,
    trained: Any,
    calibration: Samples,
    test: tuple[Samples, Samples] | None,
    options: "Options",
    watch: Watch,
) -> "Deployment | DeploymentInParts":
    """As one binary, or in parts where it takes these."""
    from unspool.parts.deployment import deploy_in_parts

    if not settled.takes_parts(trained):
        return settled.deploy(trained, calibration, test, options, watch)
    return deploy_in_parts(
        trained,
        calibration,
        steps_per_call=int(settled.steps_per_call or 1),
        test=test,
        time_steps=settled.time_steps,
        options=options,
        watch=watch,
    )


def _check(budget: Budget | None, is_tested: bool, allow_cpu: bool) -> None:
    if budget and budget.max_accuracy_drop is not None and not is_tested:
        raise UnspoolError(
            f"--max-accuracy-drop {budget.max_accuracy_drop:g}: the accuracy is measured on test "
            "samples; add --test X.npy Y.npy"
        )
    if budget and budget.no_cpu and allow_cpu:
        raise UnspoolError("--no-cpu and --allow-cpu: contradict each other; expected at most one")


def _check_labels(
    budget: Budget | None,
    model: Any,
    test: tuple[Samples, Samples] | None,
    time_steps: int | None,
) -> None:
    """Refuse a limit on the accuracy, before any work, where no labels are right or wrong."""
    if test is None or budget is None or budget.max_accuracy_drop is None:
        return
    from unspool.frontend.inference_form import for_inference
    from unspool.runtime.labels import check_test
    from unspool.unrolling.graph_checks import check_graph

    check_graph(model)
    _, targets = check_test(for_inference(model), test, time_steps)
    if not any(each.classes for each in targets.values()):
        raise UnspoolError(
            f"--max-accuracy-drop {budget.max_accuracy_drop:g}: the labels of the test samples are "
            "values, which have no accuracy; expected classes, or --max-output-error in its place"
        )


def _loaded(
    model_files: ModelFiles, piece: PieceOptions, stream: StreamOptions, full_length: bool
) -> Any:
    """Load the model, and print before any work what will happen to its layers."""
    from unspool.loading import load
    from unspool.unrolling.layer_rules import by_rules

    steps = None if stream.states else stream.time_steps  # with states, of a chunk
    trained = load(model_files.model, model_files.config, time_steps=steps, **piece.arguments())
    for verdict in by_rules(trained, full_length=full_length):
        if verdict.detail and verdict.action in ("unroll", "cpu", "input"):
            console().print(f"note: layer {printable(verdict.layer)}: {with_flags(verdict.detail)}")
    return trained
