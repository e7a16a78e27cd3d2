"""How good a model is on test data, whatever runs it: accuracy of classes, error of values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import prediction
from unspool.runtime.labels import by_output, fitted, so_far
from unspool.runtime.scores import Accuracy, Score, score
from unspool.runtime.session import Session
from unspool.support import samples
from unspool.support.progress import Progress
from unspool.support.samples import Samples
from unspool.tflite.heads import VALUES, Head
from unspool.tflite.signature import Signature


def evaluate(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    runtime: str = "litert",
    progress: Progress | None = None,
    *,
    output: str | None = None,
) -> Score:
    """Run a model on test samples and compare an output with what it should have been.

    The labels decide how the two are compared. Integers and one-hot rows are classes: the model's
    class is the argmax of the output, or, for an output of one column, whether it exceeds the
    threshold that belongs to the model's loss and activation. Numbers of the output's own shape are
    values. Steps where Keras masks the output, as those of padded sequences, do not count.

    Args:
        model: a Keras model, or a .tflite file as bytes.
        data: the samples, one array (samples, ...) per input.
        labels: classes (samples,), or (samples, time) for an output in time; or values.
        runtime: what runs a .tflite file, as `Session` takes it. A Keras model runs in Keras.
        progress: called with the number of samples finished since the last call.
        output: name of the output; needed where the model has several.

    Returns:
        an `Accuracy` for classes, a `Regression` for values.

    Raises:
        UnspoolError: data or labels do not fit the model, or it has several outputs and none is
            named.

    Example:
        >>> accuracy = unspool.evaluate(int8_tflite, data, labels, "tflm")
        >>> accuracy.samples, 0 <= accuracy.percent <= 100
        (40, True)
    """
    names, heads, valid = _outputs(model, data, runtime)
    number = _position(output, names)
    values = predict(model, data, runtime, progress)[number]
    if isinstance(model, bytes) and Signature(model).is_late and values.ndim > 2:
        labels = so_far(labels, values.shape[1])
    targets = fitted(heads[number], labels, values.shape, "test data", valid[number])
    return score(values, targets, runtime if isinstance(model, bytes) else "keras")


def _outputs(
    model: Any, data: Samples, runtime: str
) -> tuple[tuple[str, ...], tuple[Head, ...], Sequence[np.ndarray | None]]:
    """Outputs of a Keras model or a .tflite file: names, how they are read, what is not padded."""
    if isinstance(model, bytes):
        session = Session(model, runtime)
        return session.output_names, _heads(session), session.valid(session.check(data))
    # TensorFlow, which a .tflite file does not need.
    from unspool.frontend import structure
    from unspool.frontend.heads import heads
    from unspool.frontend.output_masks import output_masks

    arrays = samples.check(data, structure.inputs(model), "samples")
    return structure.output_names(model), heads(model), output_masks(model, arrays)


def _heads(session: Session) -> tuple[Head, ...]:
    """How the outputs of a .tflite file are read: as values, where the file does not say."""
    return session.heads or (VALUES,) * len(session.outputs)


def _position(output: str | None, names: Sequence[str]) -> int:
    if output is None and len(names) != 1:
        raise UnspoolError(
            f"the model has the outputs {', '.join(names)}: say which one the labels are for"
        )
    if output is not None and output not in names:
        raise UnspoolError(f"output {output!r}: the model has {', '.join(names)}")
    return names.index(output) if output is not None else 0


def accuracy(
    model: Any,
    data: Samples,
    labels: np.ndarray,
    runtime: str = "litert",
    *,
    output: str | None = None,
) -> Accuracy:
    """`evaluate`, of an output of classes.

    Raises:
        UnspoolError: as `evaluate`; or the labels are values and not classes.
    """
    result = evaluate(model, data, labels, runtime, output=output)
    if not isinstance(result, Accuracy):
        raise UnspoolError("test data: labels are values, expected classes, integers (samples,)")
    return result


def output_of(model: Any, data: Samples, output: str | None = None) -> np.ndarray:
    """An output, (samples, ...), of a Keras model or a .tflite file in LiteRT.

    Raises:
        UnspoolError: the model has several outputs and none is named, or none of that name.
    """
    names = _outputs(model, data, "litert")[0]
    return predict(model, data)[_position(output, names)]


def predict(
    model: Any, data: Samples, runtime_name: str = "litert", progress: Progress | None = None
) -> list[np.ndarray]:
    """Outputs of a Keras model or a .tflite file, one float32 array (samples, ...) each."""
    if isinstance(model, bytes):
        return prediction.predict(model, data, runtime_name, progress)
    from unspool.frontend import structure  # TensorFlow, which a .tflite file does not need

    arrays = samples.check(data, structure.inputs(model), "samples")
    # Where the batch size is fixed (a deploy model has 1), Keras must keep to it.
    batch = model.inputs[0].shape[0] or 256
    outputs = structure.predict(model, arrays, batch)
    if progress:
        progress(len(arrays[0]))
    return outputs


def scored(
    session: Session, data: Sequence[np.ndarray], outputs: Sequence[np.ndarray], labels: Any
) -> list[Score | None]:
    """Compare the outputs of a .tflite file with labels; None for outputs without labels.

    Args:
        session: the file.
        data: the samples, one array (samples, ...) per input.
        outputs: one array (samples, ...) per output.
        labels: of the only output, or output name -> labels.

    Raises:
        UnspoolError: the labels do not fit.
    """
    labels_of = dict(by_output(labels, session.output_names))
    if session.is_late:
        labels_of |= {
            name: so_far(labels_of[name], values.shape[1])
            for name, values in zip(session.output_names, outputs, strict=True)
            if name in labels_of and values.ndim > 2
        }
    heads = dict(zip(session.output_names, _heads(session), strict=True))
    valid = session.valid(data)
    return score_each(
        dict(zip(heads, outputs, strict=True)), heads, labels_of, session.runtime, valid
    )


def score_each(
    outputs: Mapping[str, np.ndarray],
    heads: Mapping[str, Head],
    labels: Mapping[str, Any],
    runtime: str,
    valid: Sequence[np.ndarray | None] | None = None,
) -> list[Score | None]:
    """Compare outputs with labels; None for outputs without.

    Args:
        outputs: name -> (samples, ...).
        heads: name -> how it is read.
        labels: name -> labels, of some.
        runtime: what gave the outputs.
        valid: of each output (samples, time), False where a step is padded.

    Raises:
        UnspoolError: the labels do not fit.
    """
    scores: list[Score | None] = []
    masks = valid or [None] * len(outputs)
    for (name, values), mask in zip(outputs.items(), masks, strict=True):
        if name not in labels:
            scores.append(None)
            continue
        targets = fitted(heads[name], labels[name], values.shape, f"output {name!r}", mask)
        scores.append(score(values, targets, runtime, name if len(outputs) > 1 else ""))
    return scores
