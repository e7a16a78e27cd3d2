"""`unspool deploy`: the whole way for a user's own model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from unspool.cli.console import console, watching
from unspool.cli.flags import with_flags
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    DEFAULT_OUT,
    DEFAULT_REMEDY_SECONDS,
    DEFAULT_ROUNDS,
    Accelerator,
    Activations,
    ActivationType,
    CalibrationMethod,
    CalibrationRounds,
    CarryStates,
    FeatureScales,
    FullLength,
    MaxAccuracyDrop,
    MaxFlash,
    MaxMs,
    MaxOutputError,
    MaxSram,
    MemoryMode,
    Method,
    ModelConfig,
    NoCpu,
    Out,
    RemedySeconds,
    ResidentWeights,
    States,
    SystemConfig,
    TimeSteps,
    VelaConfig,
    chosen_budget,
    chosen_options,
    chosen_target,
    resident_kib,
)
from unspool.compilation.budgets import Budget
from unspool.errors import UnspoolError
from unspool.support import files, samples
from unspool.support.text import printable


def deploy_command(
    model: Annotated[Path, typer.Argument(help="A trained Keras model.", metavar="MODEL")],
    calibration: Annotated[
        Path,
        typer.Option(
            help="Samples that span what the model will meet: one array (samples, time, features) "
            "as .npy, or one array per input name as .npz.",
            metavar="X.npy",
        ),
    ],
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            help="Test samples, and their classes or values; .npz by output name for several.",
            metavar="X.npy Y.npy",
        ),
    ] = None,
    config: ModelConfig = None,
    time_steps: TimeSteps = None,
    states: States = False,
    calibration_rounds: CalibrationRounds = None,
    carry_states: CarryStates = False,
    calibration_method: CalibrationMethod = Method.mse,
    activations: ActivationType = Activations.int8,
    allow_cpu: Annotated[
        bool, typer.Option("--allow-cpu", help="Accept layers that the target's NPU does not run.")
    ] = False,
    feature_scales: FeatureScales = False,
    full_length: FullLength = False,
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="An input and an output that are a state: fed back, with one scale.",
            metavar="IN=OUT",
        ),
    ] = None,
    resident_weights: ResidentWeights = None,
    remedy_seconds: RemedySeconds = DEFAULT_REMEDY_SECONDS,
    out: Out = DEFAULT_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
    max_ms: MaxMs = None,
    max_sram_kib: MaxSram = None,
    max_flash_kib: MaxFlash = None,
    max_accuracy_drop: MaxAccuracyDrop = None,
    max_output_error: MaxOutputError = None,
    no_cpu: NoCpu = False,
) -> None:
    """Take a trained Keras model to the NPU: unroll, quantize, test, compile."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    resident_kib(resident_weights)
    budget = chosen_budget(
        max_ms, max_sram_kib, max_flash_kib, max_accuracy_drop, no_cpu, max_output_error
    )
    _check(budget, test is not None, allow_cpu)
    if not states:
        _check_needs_states(carry_states, calibration_rounds)
    calibration_data = samples.load(calibration)
    test_data = (samples.load(test[0]), samples.load(test[1])) if test else None
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.cli.results import finish
    from unspool.deployment import deploy, deploy_stream

    trained = _loaded(model, config, full_length, screen)
    options = replace(
        chosen_options(chosen, calibration_method, activations, allow_cpu, resident_weights),
        remedy_seconds=remedy_seconds,
        feature_scales=feature_scales,
        full_length=full_length,
        fed_back=_fed_back(state or []),
    )
    with watching() as watch:
        if states:
            deployment = deploy_stream(
                trained,
                calibration_data,
                time_steps=time_steps or 1,
                test=test_data,
                calibration_rounds=calibration_rounds or DEFAULT_ROUNDS,
                carry_states=carry_states,
                options=options,
                watch=watch,
            )
        else:
            deployment = deploy(
                trained,
                calibration_data,
                test=test_data,
                time_steps=time_steps,
                options=options,
                watch=watch,
            )
    finish(deployment, folder, screen, budget=budget, model=model, config=config)


def _fed_back(states: list[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in states]
    for text, (before, _, after) in zip(states, pairs, strict=True):
        if not before or not after:
            raise UnspoolError(f"--state {text}: expected INPUT=OUTPUT")
    return {before: after for before, _, after in pairs}


def _check(budget: Budget | None, is_tested: bool, allow_cpu: bool) -> None:
    if budget and budget.max_accuracy_drop is not None and not is_tested:
        raise UnspoolError(
            f"--max-accuracy-drop {budget.max_accuracy_drop:g}: the accuracy is measured on test "
            "samples; add --test X.npy Y.npy"
        )
    if budget and budget.no_cpu and allow_cpu:
        raise UnspoolError("--no-cpu and --allow-cpu: contradict each other; expected at most one")


def _check_needs_states(carry_states: bool, calibration_rounds: int | None) -> None:
    for name, value in (("carry-states", carry_states), ("calibration-rounds", calibration_rounds)):
        if value:
            raise UnspoolError(f"--{name}: has a meaning with --states only; add --states")


def _loaded(path: Path, config: Path | None, full_length: bool, screen: Console) -> Any:
    """Load the model, and print before any work what will happen to its layers."""
    from unspool.frontend.keras_file import load
    from unspool.unrolling.layer_rules import by_rules

    trained = load(path, config)
    for verdict in by_rules(trained, full_length=full_length):
        if verdict.detail and verdict.action in ("unroll", "cpu", "input"):
            screen.print(f"note: layer {printable(verdict.layer)}: {with_flags(verdict.detail)}")
    return trained
