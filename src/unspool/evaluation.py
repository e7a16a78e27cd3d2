"""Accuracy and error of a model on data, whatever runs it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool import runtime, samples
from unspool.errors import UnspoolError
from unspool.progress import Progress
from unspool.samples import Samples


@dataclass(frozen=True)
class Accuracy:
    """How often the class with the highest output was the right one.

    Attributes:
        runtime: what ran the model: "keras", "litert", "tflm" or "npu", the simulator.
        confusion: counts (classes, classes); row: the right class, column: the model's.
    """

    runtime: str
    confusion: tuple[tuple[int, ...], ...]

    @property
    def samples(self) -> int:
        """How many samples were run."""
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        """How many were right."""
        return sum(row[k] for k, row in enumerate(self.confusion))

    @property
    def percent(self) -> float:
        """Right ones of a hundred."""
        return 100 * self.correct / self.samples

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """Percent right of each class's samples (recall); None for a class without samples."""
        return tuple(
            100 * row[k] / sum(row) if sum(row) else None for k, row in enumerate(self.confusion)
        )


@dataclass(frozen=True)
class OutputError:
    """Absolute difference of outputs from a reference, over all values of all samples.

    Attributes:
        samples: how many samples were compared.
        mean: of the absolute differences.
        p99: its 99th percentile.
        largest: its maximum.
    """

    samples: int
    mean: float
    p99: float
    largest: float


def evaluate(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    runtime: str = "litert",
    progress: Progress | None = None,
) -> Accuracy:
    """Classify samples and count.

    Args:
        model: a Keras model, or a .tflite file as bytes.
        data: the samples, one array (samples, ...) per input.
        labels: the right classes, integers (samples,), or (samples, time) for an output in time.
        runtime: what runs a .tflite file, as `Session` takes it. A Keras model runs in Keras.
        progress: called with the number of samples finished since the last call.

    Raises:
        UnspoolError: data or labels do not fit the model, or it has several outputs.
    """
    outputs = predict(model, data, runtime, progress)
    name = runtime if isinstance(model, bytes) else "keras"
    return accuracy(outputs, labels, name)


def predict(
    model: Any, data: Samples, runtime_name: str = "litert", progress: Progress | None = None
) -> list[np.ndarray]:
    """Outputs of a Keras model or a .tflite file, one float32 array (samples, ...) each."""
    if isinstance(model, bytes):
        return runtime.predict(model, data, runtime_name, progress)
    from unspool import structure  # TensorFlow, which a .tflite file has no need of

    arrays = samples.check(data, model.inputs, "samples")
    # Where the batch size is fixed (a deploy model has 1), Keras must keep to it.
    batch = model.inputs[0].shape[0] or 256
    outputs = structure.predict(model, arrays, batch)
    if progress:
        progress(len(arrays[0]))
    return outputs


def accuracy(outputs: list[np.ndarray], labels: np.ndarray, runtime_name: str) -> Accuracy:
    """Count right and wrong classes in a model's outputs; see `evaluate`."""
    if len(outputs) != 1:
        raise UnspoolError(
            f"accuracy needs one output with a value per class, but the model has {len(outputs)}"
        )
    (output,) = outputs
    if output.shape[-1] == 1:  # one sigmoid: the probability of class 1
        classes, predicted = 2, (output[..., 0] > 0.5).astype(np.int64).ravel()
    else:
        classes, predicted = output.shape[-1], output.argmax(axis=-1).ravel()
    labels = np.asarray(labels)
    if output.ndim > 2 and labels.shape == output.shape[:-1]:
        labels = labels.ravel()
    right = samples.check_labels(labels, len(predicted), classes, "test data")
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (right, predicted), 1)
    return Accuracy(runtime_name, tuple(tuple(int(n) for n in row) for row in confusion))


def difference(outputs: list[np.ndarray], reference: list[np.ndarray]) -> OutputError:
    """Error of outputs against a reference of the same shapes, each (samples, ...)."""
    gaps = np.concatenate([np.abs(a - b).ravel() for a, b in zip(outputs, reference, strict=True)])
    return OutputError(
        samples=len(outputs[0]),
        mean=float(gaps.mean()),
        p99=float(np.percentile(gaps, 99)),
        largest=float(gaps.max()),
    )
