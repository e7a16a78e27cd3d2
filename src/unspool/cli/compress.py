"""`unspool compress`: fewer, more alike weights, and the same accuracy."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unspool.cli.claims import claimed
from unspool.cli.compress_inputs import Inputs, check_labels, check_together, deploy_command
from unspool.cli.compress_options import (
    ResultOptions,
    TrainedFiles,
    TrainingOptions,
)
from unspool.cli.console import console, watching
from unspool.cli.deploy_options import DeployOptions
from unspool.cli.grouping import grouped
from unspool.cli.kernel_options import KernelOptions
from unspool.cli.options import ModelConfig, TargetOptions
from unspool.cli.piece_options import PieceOptions
from unspool.cli.search_options import SearchOptions
from unspool.cli.searched import search_for
from unspool.cli.stream_options import StreamOptions
from unspool.errors import UnspoolError
from unspool.support import files

if TYPE_CHECKING:
    from unspool.report.compression import Compression


@grouped
def compress_command(
    *,
    trained_files: TrainedFiles,
    piece: PieceOptions,
    kernels: KernelOptions,
    searched: SearchOptions,
    training: TrainingOptions,
    config: ModelConfig = None,
    stream: StreamOptions,
    quantization: DeployOptions,
    results: ResultOptions,
    target: TargetOptions,
) -> None:
    """Prune and cluster a trained model's kernels, fine-tune it, and take it to the NPU."""
    chosen, goal = target.chosen(), searched.goal()
    check_labels(trained_files, searched, training)
    check_together(kernels, searched, stream, quantization)
    onnx_file = results.onnx_file(trained_files.model, bool(kernels.units))
    steps = None if stream.states else stream.time_steps  # with states, of a chunk
    arguments = {"time_steps": steps, **piece.arguments()}
    options = quantization.options(chosen)
    arrays = trained_files.arrays()
    folder = claimed(results.out)
    console().print(f"target: {chosen}")

    from unspool.loading import to_onnx

    tuning = training.fine_tuning()  # what is wrong with it is told before a model is loaded
    trained = _loaded(trained_files, config, arguments, training.loss)
    aware = kernels.quantization_aware
    inputs = Inputs(trained, arrays, tuning, aware, stream, options, folder)
    if onnx_file:  # whether it can hold what becomes of its weights is known before any work
        to_onnx(_moved(trained), trained_files.model, **arguments)
    if goal is not None:
        smaller, compression = search_for(inputs, goal, searched, keeps_units=bool(onnx_file))
    else:
        inputs, smaller, compression = _compressed(inputs, kernels)
    if onnx_file:
        files.write(onnx_file, to_onnx(smaller, trained_files.model, **arguments))
        console().print(f"the ONNX graph with the new weights: {onnx_file}", markup=False)
    command = deploy_command(trained_files, inputs.stream, quantization, target, folder)
    _finish(inputs, smaller, compression, command)


def _moved(trained: Any) -> Any:
    """A copy of a model, each of whose weights is another one, as after a training."""
    import numpy as np

    from unspool.compression.trained_loss import copied

    other, random = copied(trained), np.random.default_rng(0)
    for weight in other.trainable_variables:
        weight.assign(np.asarray(weight) + random.uniform(0.01, 0.02, weight.shape))
    return other


def _loaded(
    trained_files: TrainedFiles, config: Path | None, arguments: Mapping[str, Any], loss: str | None
) -> Any:
    from unspool.compression.trained_loss import named_loss
    from unspool.loading import load

    trained = load(trained_files.model, config, **arguments)
    if loss:
        trained.compile(loss=named_loss(loss, trained))
    if trained_files.labels and getattr(trained, "loss", None) is None:
        raise UnspoolError(
            f"{trained_files.model}: has no loss to fine-tune with, which labels need; name one "
            "with --loss, or leave --labels out to train on the model's own outputs"
        )
    return trained


def _compressed(inputs: Inputs, kernels: KernelOptions) -> "tuple[Inputs, Any, Compression]":
    from unspool.compression.compressing import check_settings, compress
    from unspool.report.compression import Compression

    setting, layers = kernels.setting(), kernels.layers()
    samples_and_labels = (inputs.arrays.data, inputs.arrays.labels)
    check_settings(inputs.trained, *samples_and_labels, setting, layers, inputs.tuning)
    inputs = inputs.settled()
    before = inputs.before()
    with watching() as watch:
        compressed = compress(
            inputs.trained,
            *samples_and_labels,
            setting=setting,
            layers=layers,
            calibration=inputs.arrays.calibration if inputs.quantization_aware else None,
            way=inputs.training_way,
            fine_tuning=inputs.tuning,
            watch=watch,
        )
    path = inputs.save(compressed.model)
    if compressed.interrupted:
        console().print(f"the best so far, of epoch {compressed.best}, is kept: {path}")
        raise KeyboardInterrupt
    compression = Compression(
        before, compressed.kernels, compressed.epochs, compressed.best, units=compressed.units
    )
    return inputs, compressed.model, compression


def _finish(inputs: Inputs, model: Any, compression: "Compression", command: str) -> None:
    from unspool.cli.results import Source, finish
    from unspool.report.making import Beside

    deployment = inputs.deployed(model, inputs.options)
    beside = Beside(compression=compression)
    finish(deployment, inputs.folder, Source(command=command), beside=beside)
