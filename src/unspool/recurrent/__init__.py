"""Recurrent layers at deploy time: one module per cell, one shared time loop."""

from typing import Any

from unspool._tensorflow import keras
from unspool.errors import UnspoolError
from unspool.recurrent import gru, lstm, simple_rnn
from unspool.recurrent.cell import ACTIVATIONS, Cell
from unspool.recurrent.loop import Unrolled

_CELLS: dict[type, Any] = {
    keras.layers.GRUCell: gru.from_keras,
    keras.layers.LSTMCell: lstm.from_keras,
    keras.layers.SimpleRNNCell: simple_rnn.from_keras,
}

__all__ = ["Unrolled", "is_recurrent", "unrolled"]


def is_recurrent(layer: Any) -> bool:
    """Whether a Keras layer runs a cell over time."""
    return isinstance(layer, keras.layers.RNN)


def unrolled(layer: Any) -> Unrolled:
    """The deploy-time layer for a built Keras recurrent layer, with its weights.

    Raises:
        UnspoolError: the cell or one of its activations has no deploy-time form.
    """
    return Unrolled(
        _cell(layer),
        go_backwards=layer.go_backwards,
        return_sequences=layer.return_sequences,
        return_state=layer.return_state,
        name=layer.name,
        dtype="float32",
    )


def _cell(layer: Any) -> Cell:
    from_keras = _CELLS.get(type(layer.cell))
    if from_keras is None:
        raise UnspoolError(
            f"layer {layer.name!r}: no deploy-time form for the cell {type(layer.cell).__name__}; "
            "expected SimpleRNN, GRU or LSTM"
        )
    for which in ("activation", "recurrent_activation"):
        activation = getattr(layer.cell, which, None)
        if activation is not None and activation.__name__ not in ACTIVATIONS:
            raise UnspoolError(
                f"layer {layer.name!r}: {which} is {activation.__name__!r}, which the NPU has no "
                f"operator for; expected one of {', '.join(sorted(ACTIVATIONS))}"
            )
    cell: Cell = from_keras(layer.cell)
    return cell
