"""`unspool compress`: fewer, more alike weights, and the same accuracy."""

import shlex
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unspool.cli.console import BROKEN, console, watching
from unspool.cli.options import (
    DEFAULT_ACCELERATOR,
    Accelerator,
    MemoryMode,
    Out,
    SystemConfig,
    VelaConfig,
    chosen_target,
    classes,
)
from unspool.errors import UnspoolError
from unspool.support import files, samples

if TYPE_CHECKING:
    from unspool.compression.kernels import KernelSetting
    from unspool.deployment import Deployment

COMPRESSED_OUT = Path("unspool-compressed")


class Smaller(str, Enum):
    """What a search makes small."""

    cycles = "cycles"
    flash = "flash"


def compress_command(
    model: Annotated[Path, typer.Argument(help="A trained Keras model.", metavar="MODEL")],
    data: Annotated[Path, typer.Option(help="Training samples, as .npy or .npz.", metavar="X.npy")],
    labels: Annotated[
        Path, typer.Option(help="What the model's loss takes for them.", metavar="Y.npy")
    ],
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Test samples and their classes.", metavar="X.npy Y.npy"),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Samples to quantize with; by default the first "
            f"{samples.CALIBRATION_COUNT} of --data.",
            metavar="X.npy",
        ),
    ] = None,
    sparsity: Annotated[
        float | None, typer.Option(help="Share of the weights that become 0; by default 0.8.")
    ] = None,
    clusters: Annotated[
        int | None,
        typer.Option(help="Distinct values of the others; by default 16, 0 leaves them free."),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer's own setting, such as gru=0.9:16; may be given again.",
            metavar="NAME=SPARSITY:CLUSTERS",
        ),
    ] = None,
    quantization_aware: Annotated[
        bool,
        typer.Option(
            "--quantization-aware",
            help="Then train with the errors of int8; without the options above, only that.",
        ),
    ] = False,
    max_accuracy_drop: Annotated[
        float | None,
        typer.Option(
            help="Search for the strongest setting that loses at most so many points.",
            metavar="POINTS",
        ),
    ] = None,
    minimise: Annotated[
        Smaller, typer.Option(help="What the search makes small.")
    ] = Smaller.cycles,
    jobs: Annotated[int, typer.Option(min=1, help="Settings that are tried at a time.")] = 1,
    loss: Annotated[
        str | None,
        typer.Option(help="Keras's name of a loss, such as mse, where MODEL was saved without."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the samples.")] = 8,
    batch_size: Annotated[int, typer.Option(help="Samples of a batch.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Adam's, at its peak.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the samples.")] = 0,
    time_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps to unroll where the model leaves them open."),
    ] = None,
    out: Out = COMPRESSED_OUT,
    target: Accelerator = DEFAULT_ACCELERATOR,
    system_config: SystemConfig = None,
    memory_mode: MemoryMode = None,
    vela_config: VelaConfig = None,
) -> None:
    """Prune and cluster a trained model's kernels, fine-tune it, and take it to the NPU."""
    chosen = chosen_target(target, system_config, memory_mode, vela_config)
    has_setting = sparsity is not None or clusters is not None or bool(layer)
    if max_accuracy_drop is not None and has_setting:
        raise UnspoolError(
            f"--max-accuracy-drop {max_accuracy_drop:g} searches for a setting: --sparsity, "
            "--clusters and --layer cannot be given with it"
        )
    if (out / "model.keras").resolve() == model.resolve():
        raise UnspoolError(f"--out {out}: {model} would be overwritten; choose another folder")
    arrays, right = samples.load(data), samples.load(labels)
    calibration_data = (
        samples.load(calibration)
        if calibration
        else samples.first(arrays, samples.CALIBRATION_COUNT)
    )
    test_data = (samples.load(test[0]), classes(test[1])) if test else None
    folder = files.output_folder(out)
    screen = console()
    screen.print(f"target: {chosen}")

    from unspool.cli.results import finish
    from unspool.cli.search_view import showing
    from unspool.compression.compressing import FineTuning, compress, known_loss
    from unspool.compression.kernels import UNTOUCHED, KernelSetting, results
    from unspool.compression.searching import search
    from unspool.deployment import Options, deploy
    from unspool.frontend.keras_file import load
    from unspool.report.compression import Compression, search_table
    from unspool.report.making import Beside, values_of

    trained = load(model)
    if loss:
        trained.compile(loss=known_loss(loss))
    tuning = FineTuning(epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    layers = dict(_layer(entry) for entry in layer or [])
    setting = UNTOUCHED
    if has_setting or not quantization_aware:
        setting = KernelSetting()
        if sparsity is not None:
            setting = replace(setting, sparsity=sparsity)
        if clusters is not None:
            setting = replace(setting, clusters=clusters or None)

    def deployed(subject: Any, prefix: str, options: Options) -> "Deployment":
        with watching() as watch:
            return deploy(
                subject,
                calibration_data,
                test=test_data,
                time_steps=time_steps,
                options=options,
                watch=lambda stage, done, total: watch(prefix + stage, done, total),
            )

    # First: what cannot be deployed should be known before it is trained.
    # Its values alone are shown: what would help against its errors is not tried.
    before = values_of(deployed(trained, "as it is, ", Options(target=chosen, remedy_seconds=0)))
    if max_accuracy_drop is not None:
        with showing(folder) as (on_candidate, watch):
            found = search(
                trained,
                arrays,
                classes(labels),
                folder / "search",
                max_accuracy_drop=max_accuracy_drop,
                minimise=minimise.value,
                calibration=calibration_data,
                quantization_aware=quantization_aware,
                fine_tuning=tuning,
                target=chosen,
                time_steps=time_steps,
                jobs=jobs,
                on_candidate=on_candidate,
                watch=watch,
            )
        if found.chosen is None:
            screen.print(search_table(found))
            screen.print(
                f"No setting holds the accuracy within {max_accuracy_drop:g} points; allow more "
                "with --max-accuracy-drop, or train longer with --epochs."
            )
            raise typer.Exit(BROKEN)
        compressed, interrupted = load(found.models[found.chosen.setting]), False
        compression = Compression(before, results(compressed), search=found)
    else:
        with watching() as watch:
            done = compress(
                trained,
                arrays,
                right,
                setting=setting,
                layers=layers,
                calibration=calibration_data if quantization_aware else None,
                time_steps=time_steps,
                fine_tuning=tuning,
                watch=watch,
            )
        compressed, interrupted = done.model, done.interrupted
        compression = Compression(before, done.kernels, done.epochs, done.best)
    files.replace(folder / "model.keras", compressed.save)
    if interrupted:
        best = compression.best
        screen.print(f"the best so far, of epoch {best}, is kept: {folder / 'model.keras'}")
        raise KeyboardInterrupt
    again = ["unspool", "deploy", folder / "model.keras", "--calibration", calibration or data]
    again += ["--test", *test] if test else []
    finish(
        deployed(compressed, "", Options(target=chosen)),
        folder,
        screen,
        again=shlex.join(map(str, [*again, "--out", folder / "again"])),
        written={"model.keras": (folder / "model.keras").stat().st_size},
        beside=Beside(compression=compression),
    )


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
