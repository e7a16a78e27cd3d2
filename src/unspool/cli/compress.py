"""`unspool compress`: fewer, more alike weights, and the same accuracy."""

import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unspool.cli.claims import claimed
from unspool.cli.compress_options import (
    Arrays,
    KernelOptions,
    SearchOptions,
    TimeSteps,
    TrainedFiles,
    TrainingOptions,
)
from unspool.cli.console import BROKEN, console, watching
from unspool.cli.grouping import grouped
from unspool.cli.options import MODEL, ModelConfig, Out, TargetOptions, classes
from unspool.cli.piece_options import PieceOptions
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.support import files, samples

if TYPE_CHECKING:
    from unspool.compression.fine_tuning_run import FineTuning
    from unspool.compression.goal import Goal
    from unspool.deployed import Deployment, Options
    from unspool.report.compression import Compression

COMPRESSED_OUT = Path("unspool-compressed")


@dataclass(frozen=True)
class Inputs:
    """What a compression works on.

    Attributes:
        trained: the model.
        arrays: what to train, calibrate and test it with.
        tuning: how to train it.
        quantization_aware: whether to train with the errors of int8.
        target: what to compile for.
        time_steps: to unroll where the model leaves them open.
        folder: for the results.
    """

    trained: Any
    arrays: Arrays
    tuning: "FineTuning"
    quantization_aware: bool
    target: Target
    time_steps: int | None
    folder: Path


@grouped
def compress_command(
    *,
    given: TrainedFiles,
    piece: PieceOptions,
    kernels: KernelOptions,
    searched: SearchOptions,
    training: TrainingOptions,
    config: ModelConfig = None,
    time_steps: TimeSteps = None,
    out: Out = COMPRESSED_OUT,
    out_onnx: Annotated[
        Path | None,
        typer.Option(
            "--out-onnx",
            help="The ONNX file that the model is of, with its new weights.",
            metavar="FILE.onnx",
        ),
    ] = None,
    target: TargetOptions,
) -> None:
    """Prune and cluster a trained model's kernels, fine-tune it, and take it to the NPU."""
    chosen, goal = target.chosen(), searched.goal()
    _check(given.model, out, searched.asked, kernels.are_given)
    onnx_file = _onnx_file(given.model, out_onnx)
    if onnx_file and kernels.units:
        raise UnspoolError(
            f"--out-onnx {out_onnx}: the ONNX graph has the sizes that it has; --units cannot be "
            "given with it"
        )
    told = {"time_steps": time_steps, **piece.arguments()}
    arrays = given.arrays(classes if goal and goal.is_accuracy else samples.load)
    folder = claimed(out)
    console().print(f"target: {chosen}")

    from unspool.loading import to_onnx

    inputs = Inputs(
        tuning=training.fine_tuning(),  # what is wrong with it is told before a model is loaded
        trained=_loaded(given.model, config, told, training.loss),
        arrays=arrays,
        quantization_aware=kernels.quantization_aware,
        target=chosen,
        time_steps=time_steps,
        folder=folder,
    )
    if onnx_file:  # whether its weights can be told apart is known before any work
        to_onnx(inputs.trained, given.model, **told)
    if goal is not None:
        smaller, compression = _searched(inputs, goal, searched)
    else:
        smaller, compression = _compressed(inputs, kernels)
    if onnx_file:
        files.write(onnx_file, to_onnx(smaller, given.model, **told))
        console().print(f"the ONNX graph with the new weights: {onnx_file}", markup=False)
    _finish(inputs, smaller, compression, given)


def _onnx_file(model: Path, asked: Path | None) -> Path | None:
    """The file for the ONNX graph, where one is asked for."""
    if asked is None:
        return None
    if asked.resolve() == model.resolve():
        raise UnspoolError(f"--out-onnx {asked}: {model} would be overwritten; choose another file")
    if model.suffix.lower() != ".onnx":
        raise UnspoolError(f"--out-onnx {asked}: {model} is not an ONNX file, which alone has it")
    return files.output_folder(asked.parent) / asked.name


def _check(model: Path, out: Path, search: str, has_setting: bool) -> None:
    if search and has_setting:
        raise UnspoolError(
            f"{search} searches for a setting: --units, --sparsity, --clusters and --layer cannot "
            "be given with it"
        )
    if (out / MODEL).resolve() == model.resolve():
        raise UnspoolError(f"--out {out}: {model} would be overwritten; choose another folder")


def _loaded(model: Path, config: Path | None, told: Mapping[str, Any], loss: str | None) -> Any:
    from unspool.compression.trained_loss import known_loss
    from unspool.loading import load

    trained = load(model, config, **told)
    if loss:
        trained.compile(loss=known_loss(loss))
    return trained


def _deployed(inputs: Inputs, model: Any, options: "Options", prefix: str = "") -> "Deployment":
    from unspool.deployment import deploy

    with watching() as watch:
        return deploy(
            model,
            inputs.arrays.calibration,
            test=inputs.arrays.test,
            time_steps=inputs.time_steps,
            options=options,
            watch=lambda stage, done, total: watch(prefix + stage, done, total),
        )


def _before(inputs: Inputs) -> dict[str, float]:
    """Figures of the model as it is; before training, as a model may turn out undeployable."""
    from unspool.deployed import Options
    from unspool.report.making import values_of

    # Only its values are shown: no remedies are tried against its errors.
    options = Options(target=inputs.target, remedy_seconds=0)
    return values_of(_deployed(inputs, inputs.trained, options, "as it is, "))


def _searched(inputs: Inputs, goal: "Goal", options: SearchOptions) -> "tuple[Any, Compression]":
    from unspool.cli.search_view import showing
    from unspool.compression.cluster import on_cluster
    from unspool.compression.kernels import results
    from unspool.compression.searching import search
    from unspool.frontend.keras_file import load
    from unspool.report.compression import Compression, search_table

    place = on_cluster(options.cluster) if options.cluster else nullcontext(None)
    with place as workers:  # whether the cluster answers is known before any work
        before = _before(inputs)
        with showing(inputs.folder) as (on_candidate, watch):
            result = search(
                inputs.trained,
                inputs.arrays.data,
                inputs.arrays.labels,
                inputs.folder / "search",
                goal=goal,
                previews=options.trials,
                calibration=inputs.arrays.calibration,
                quantization_aware=inputs.quantization_aware,
                fine_tuning=inputs.tuning,
                target=inputs.target,
                time_steps=inputs.time_steps,
                jobs=None if workers else options.jobs,
                on_candidate=on_candidate,
                watch=watch,
            )
    if result.chosen is None:
        console().print(search_table(result))
        console().print(
            f"No setting holds {goal.metric} within {goal.max_loss:g} {goal.unit}; allow more, or "
            "train longer with --epochs."
        )
        raise typer.Exit(BROKEN)
    smaller = load(result.models[result.chosen.setting])
    _save(inputs, smaller)
    return smaller, Compression(before, results(smaller), search=result)


def _compressed(inputs: Inputs, kernels: KernelOptions) -> "tuple[Any, Compression]":
    from unspool.compression.compressing import check_settings, compress
    from unspool.report.compression import Compression

    setting, layers = kernels.setting(), kernels.layers()
    check_settings(inputs.trained, setting, layers)  # wrong ones are known before any work
    before = _before(inputs)
    with watching() as watch:
        done = compress(
            inputs.trained,
            inputs.arrays.data,
            inputs.arrays.labels,
            setting=setting,
            layers=layers,
            calibration=inputs.arrays.calibration if inputs.quantization_aware else None,
            time_steps=inputs.time_steps,
            fine_tuning=inputs.tuning,
            watch=watch,
        )
    path = _save(inputs, done.model)
    if done.interrupted:
        console().print(f"the best so far, of epoch {done.best}, is kept: {path}")
        raise KeyboardInterrupt
    return done.model, Compression(before, done.kernels, done.epochs, done.best, units=done.units)


def _save(inputs: Inputs, model: Any) -> Path:
    path = inputs.folder / MODEL
    files.replace(path, model.save)
    return path


def _finish(inputs: Inputs, model: Any, compression: "Compression", given: TrainedFiles) -> None:
    from unspool.cli.results import Source, finish
    from unspool.deployed import Options
    from unspool.report.making import Beside

    deployment = _deployed(inputs, model, Options(target=inputs.target))
    source = Source(again=_again(inputs.folder, given))
    finish(deployment, inputs.folder, source, beside=Beside(compression=compression))


def _again(folder: Path, given: TrainedFiles) -> str:
    """The command that deploys the compressed model, for the advice to add options to."""
    again = ["unspool", "deploy", folder / MODEL, "--calibration", given.calibration or given.data]
    again += ["--test", *given.test] if given.test else []
    return shlex.join(map(str, [*again, "--out", folder / "again"]))
