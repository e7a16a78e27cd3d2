"""Poolings of a stream over the steps since the reset: over the rows that something came into."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.tflite import names
from unspool.unrolling.masked_mean import mean_of_last
from unspool.unrolling.recurrent_layers import DeployLayer, DeployState
from unspool.unrolling.substitutes import Function

_MEANS = (keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D)


def empty_rows(
    rows: DeployState, length: int, give: Callable[[str], str]
) -> tuple[Any, DeployState]:
    """Which rows nothing came into yet, those of a state and of a chunk.

    Args:
        rows: the state.
        length: rows of a chunk.
        give: turns a name into one that no other tensor or layer has.

    Returns:
        (1, rows), 1 for each such row, else 0; the state that says so from call to call.
    """
    count, layer = rows.before.shape[1], rows.names.name.rpartition("/")[0]
    state = replace(names.state(layer, names.EMPTY), initial=(1.0,) * count, held=rows.names.held)
    before = keras.Input((count,), batch_size=1, name=give(names.keras_name(state.input)))
    padded = Function(lambda x: tf.pad(x, ((0, 0), (0, length))), name=give(f"{layer}_empty"))
    last = Function(lambda x: x[:, -count:], name=give(f"{layer}_still_empty"))
    whole = padded(before)
    return whole, DeployState(rows.layer, state, before, last(whole))


def since_reset(layer: Any, name: str, rows: Any, empty: Any, pool: DeployLayer) -> Any:
    """What Keras gives for the rows that are not empty alone; the last one never is."""
    valid = Function(lambda x: 1.0 - x, name=f"{name}_valid")(empty)
    if isinstance(layer, _MEANS):
        return _mean(layer, name, rows, valid)
    shape = (1, rows.shape[1], *(1,) * (len(rows.shape) - 2))

    def filled(tensors: Any) -> Any:
        """The last row in place of those that are empty: it is no larger than itself."""
        sequence, valid, empty = tensors
        last = tf.stack([sequence[:, -1]] * shape[1], axis=1)
        return sequence * tf.reshape(valid, shape) + last * tf.reshape(empty, shape)

    return pool(Function(filled, name=f"{name}_filled")([rows, valid, empty]))


def _mean(layer: Any, name: str, rows: Any, valid: Any) -> Any:
    """The mean; over the frequencies of (time, frequency) first, as all have as many."""
    if len(rows.shape) > 3:
        rows = Function(lambda x: tf.reduce_mean(x, axis=2), name=f"{name}_of_rows")(rows)
    width = rows.shape[-1]
    shape = (*(1,) * (len(layer.input.shape) - 1), width) if layer.keepdims else (1, width)
    return Function(lambda pair: tf.reshape(mean_of_last(*pair), shape), name=name)([rows, valid])
