"""`unspool compress`: fewer, more alike weights, and the same accuracy."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from unspool.cli import compress_options as own
from unspool.cli.console import BROKEN, console, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    Accelerator,
    MemoryMode,
    ModelConfig,
    Out,
    SystemConfig,
    VelaConfig,
    chosen_target,
    classes,
)
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.support import files, samples
from unspool.support.samples import Samples

if TYPE_CHECKING:
    from unspool.compression.compressing import FineTuning
    from unspool.compression.kernels import KernelSetting
    from unspool.deployment import Deployment, Options
    from unspool.report.compression import Compression

COMPRESSED_OUT = Path("unspool-compressed")


@dataclass(frozen=True)
class Inputs:
    """What a compression works on.

    Attributes:
        trained: the model.
        data: training samples.
        labels: what its loss takes for them; classes for a search.
        calibration: samples to quantize with.
        quantization_aware: whether to train with the errors of int8.
        test: test samples and their classes.
        target: what to compile for.
        time_steps: to unroll where the model leaves them open.
        folder: for the results.
    """

    trained: Any
    data: Samples
    labels: Any
    calibration: Samples
    quantization_aware: bool
    test: tuple[Samples, np.ndarray] | None
    target: Target
    time_steps: int | None
    folder: Path


def compress_command(
    model: own.TrainedModel,
    data: own.Data,
    labels: own.Labels,
    test: own.Test = None,
    calibration: own.CalibrationData = None,
    sparsity: own.Sparsity = None,
    clusters: own.Clusters = None,
    layer: own.Layer = None,
    quantization_aware: own.QuantizationAware = False,
    max_accuracy_drop: own.SearchedDrop = None,
    minimise: own.Minimise = own.Smaller.cycles,
    jobs: own.Jobs = 1,
    loss: own.Loss = None,
    epochs: own.Epochs = 8,
    batch_size: own.BatchSize = 64,
    learning_rate: own.LearningRate = 1e-3,
    seed: own.Seed = 0,
    config: ModelConfig = None,
    time_steps: own.TimeSteps = None,
    out: Out = COMPRESSED_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
) -> None:
    """Prune and cluster a trained model's kernels, fine-tune it, and take it to the NPU."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    has_setting = sparsity is not None or clusters is not None or bool(layer)
    _check(model, out, max_accuracy_drop, has_setting)
    arrays = samples.load(data)
    right = samples.load(labels) if max_accuracy_drop is None else classes(labels)
    few = samples.load(calibration) if calibration else None
    tested = (samples.load(test[0]), classes(test[1])) if test else None
    folder = files.output_folder(out)
    console().print(f"target: {chosen}")

    from unspool.compression.compressing import FineTuning

    tuning = FineTuning(epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    inputs = Inputs(
        trained=_loaded(model, config, loss),
        data=arrays,
        labels=right,
        calibration=samples.first(arrays, samples.CALIBRATION_COUNT) if few is None else few,
        quantization_aware=quantization_aware,
        test=tested,
        target=chosen,
        time_steps=time_steps,
        folder=folder,
    )
    if max_accuracy_drop is not None:
        smaller, compression = _searched(inputs, tuning, max_accuracy_drop, minimise.value, jobs)
    else:
        setting = _setting(sparsity, clusters, has_setting or not quantization_aware)
        layers = dict(_layer(text) for text in layer or [])
        smaller, compression = _compressed(inputs, tuning, setting, layers)
    again = ["unspool", "deploy", folder / "model.keras", "--calibration", calibration or data]
    again += ["--test", *test] if test else []
    _finish(inputs, smaller, compression, shlex.join(map(str, [*again, "--out", folder / "again"])))


def _check(model: Path, out: Path, max_accuracy_drop: float | None, has_setting: bool) -> None:
    if max_accuracy_drop is not None and has_setting:
        raise UnspoolError(
            f"--max-accuracy-drop {max_accuracy_drop:g} searches for a setting: --sparsity, "
            "--clusters and --layer cannot be given with it"
        )
    if (out / "model.keras").resolve() == model.resolve():
        raise UnspoolError(f"--out {out}: {model} would be overwritten; choose another folder")


def _loaded(model: Path, config: Path | None, loss: str | None) -> Any:
    from unspool.compression.trained_loss import known_loss
    from unspool.frontend.keras_file import load

    trained = load(model, config)
    if loss:
        trained.compile(loss=known_loss(loss))
    return trained


def _setting(sparsity: float | None, clusters: int | None, wanted: bool) -> "KernelSetting":
    """How far kernels are compressed; not at all where `wanted` is false."""
    from unspool.compression.kernels import UNTOUCHED, KernelSetting

    setting = KernelSetting() if wanted else UNTOUCHED
    if sparsity is not None:
        setting = replace(setting, sparsity=sparsity)
    return setting if clusters is None else replace(setting, clusters=clusters or None)


def _layer(text: str) -> "tuple[str, KernelSetting]":
    """A layer's name and setting, of NAME=SPARSITY:CLUSTERS."""
    from unspool.compression.kernels import KernelSetting

    name, _, values = text.rpartition("=")
    sparsity, _, clusters = values.partition(":")
    try:
        return name, KernelSetting(float(sparsity), int(clusters or 0) or None)
    except ValueError:
        raise UnspoolError(
            f"--layer {text}: expected NAME=SPARSITY:CLUSTERS, such as gru=0.9:16"
        ) from None


def _deployed(inputs: Inputs, model: Any, options: "Options", prefix: str = "") -> "Deployment":
    from unspool.deployment import deploy

    with watching() as watch:
        return deploy(
            model,
            inputs.calibration,
            test=inputs.test,
            time_steps=inputs.time_steps,
            options=options,
            watch=lambda stage, done, total: watch(prefix + stage, done, total),
        )


def _before(inputs: Inputs) -> dict[str, float]:
    """Figures of the model as it is; before training, as a model may turn out undeployable."""
    from unspool.deployment import Options
    from unspool.report.making import values_of

    # Only its values are shown: no remedies are tried against its errors.
    options = Options(target=inputs.target, remedy_seconds=0)
    return values_of(_deployed(inputs, inputs.trained, options, "as it is, "))


def _searched(
    inputs: Inputs, tuning: "FineTuning", max_accuracy_drop: float, minimise: str, jobs: int
) -> "tuple[Any, Compression]":
    from unspool.cli.search_view import showing
    from unspool.compression.kernels import results
    from unspool.compression.searching import search
    from unspool.frontend.keras_file import load
    from unspool.report.compression import Compression, search_table

    before = _before(inputs)
    with showing(inputs.folder) as (on_candidate, watch):
        result = search(
            inputs.trained,
            inputs.data,
            inputs.labels,
            inputs.folder / "search",
            max_accuracy_drop=max_accuracy_drop,
            minimise=minimise,
            calibration=inputs.calibration,
            quantization_aware=inputs.quantization_aware,
            fine_tuning=tuning,
            target=inputs.target,
            time_steps=inputs.time_steps,
            jobs=jobs,
            on_candidate=on_candidate,
            watch=watch,
        )
    if result.chosen is None:
        console().print(search_table(result))
        console().print(
            f"No setting holds the accuracy within {max_accuracy_drop:g} points; allow more "
            "with --max-accuracy-drop, or train longer with --epochs."
        )
        raise typer.Exit(BROKEN)
    smaller = load(result.models[result.chosen.setting])
    _save(inputs, smaller)
    return smaller, Compression(before, results(smaller), search=result)


def _compressed(
    inputs: Inputs,
    tuning: "FineTuning",
    setting: "KernelSetting",
    layers: "dict[str, KernelSetting]",
) -> "tuple[Any, Compression]":
    from unspool.compression.compressing import compress
    from unspool.report.compression import Compression

    before = _before(inputs)
    with watching() as watch:
        done = compress(
            inputs.trained,
            inputs.data,
            inputs.labels,
            setting=setting,
            layers=layers,
            calibration=inputs.calibration if inputs.quantization_aware else None,
            time_steps=inputs.time_steps,
            fine_tuning=tuning,
            watch=watch,
        )
    path = _save(inputs, done.model)
    if done.interrupted:
        console().print(f"the best so far, of epoch {done.best}, is kept: {path}")
        raise KeyboardInterrupt
    return done.model, Compression(before, done.kernels, done.epochs, done.best)


def _save(inputs: Inputs, model: Any) -> Path:
    path = inputs.folder / "model.keras"
    files.replace(path, model.save)
    return path


def _finish(inputs: Inputs, model: Any, compression: "Compression", again: str) -> None:
    from unspool.cli.results import finish
    from unspool.deployment import Options
    from unspool.report.making import Beside

    finish(
        _deployed(inputs, model, Options(target=inputs.target)),
        inputs.folder,
        console(),
        again=again,
        written={"model.keras": (inputs.folder / "model.keras").stat().st_size},
        beside=Beside(compression=compression),
    )
