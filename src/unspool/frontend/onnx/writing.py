"""The weights of a Keras model, back into the ONNX file that it was read from."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.assembling import assembled
from unspool.frontend.onnx.damage import tensors
from unspool.frontend.onnx.graph import RECURRENT, Graph
from unspool.frontend.onnx.reading import Piece, graph_of, parsed

_HALF = 2**23
"""Of the whole numbers that float32 has exactly, and their sums."""

_SUM, _ZERO = -1, -2
"""In place of a number: of something that is computed, and of a zero between groups."""

_BIAS = 3
"""The last input of a recurrent node that is a weight; others are lengths, states, peepholes."""


def with_weights(path: Path, piece: Piece, model: Any) -> bytes:
    """An ONNX file with the weights of a model that was read from it, or of one trained on.

    Args:
        path: of the file.
        piece: what of it the model is.
        model: Keras's.

    Raises:
        UnspoolError: the model is of another file, or one of its weights is computed from the
            file's, so that no weights of the file give it.
    """
    file, weights = _File(parsed(path), piece), model.get_weights()
    values = file.values()
    if [each.shape for each in file.weights(values)] != [each.shape for each in weights]:
        raise UnspoolError(
            f"has other weights than model {model.name!r}; expected the file that the model was "
            "read from"
        )
    values = _replaced(file, values, weights)
    for weight, own, name in zip(file.weights(values), weights, _paths(model), strict=True):
        if not np.allclose(weight, own, rtol=0, atol=1e-6):
            raise UnspoolError(
                f"the weight {name!r} is computed from several of the file's, which cannot be told "
                "from it; the Keras model alone can hold another one"
            )
    content: bytes = file.filled(values).SerializeToString()
    return content


def _paths(model: Any) -> list[str]:
    return [weight.path for weight in model.weights]


@dataclass(frozen=True)
class _File:
    """An ONNX model, and what of it is read."""

    model: Any
    piece: Piece

    def values(self) -> np.ndarray:
        """All numbers that may be weights, (numbers,)."""
        from onnx import numpy_helper

        arrays = [numpy_helper.to_array(tensor).ravel() for tensor in _floats(self.model)]
        return np.concatenate([np.zeros(0, np.float32), *arrays])

    def parts(self) -> list[np.ndarray]:
        """Which of the numbers belong together: those of a tensor, or of one of two biases."""
        biases = {
            node.input[_BIAS]
            for node in self.model.graph.node
            if node.op_type in RECURRENT and len(node.input) > _BIAS
        }
        parts: list[np.ndarray] = []
        start = 0
        for tensor in _floats(self.model):
            numbers = start + np.arange(prod(tensor.dims)).reshape(tensor.dims)
            start += numbers.size
            parts += np.split(numbers, 2, axis=-1) if tensor.name in biases else [numbers]
        return [part.ravel() for part in parts]

    def filled(self, values: np.ndarray) -> Any:
        """The model with other numbers."""
        from onnx import numpy_helper

        copied = type(self.model)()
        copied.CopyFrom(self.model)
        start = 0
        for tensor in _floats(copied):
            shape = tuple(tensor.dims)
            own = values[start : start + prod(shape)].astype(np.float32).reshape(shape)
            tensor.CopyFrom(numpy_helper.from_array(own, tensor.name))
            start += own.size
        return copied

    def weights(self, values: np.ndarray) -> list[np.ndarray]:
        """Of the Keras model, where the file has these numbers."""

        def graph(piece: Piece) -> Graph:
            return graph_of(self.filled(values), piece)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnspoolWarning)
            weights: list[np.ndarray] = assembled(
                graph(self.piece), lambda steps: graph(replace(self.piece, time_steps=steps))
            ).get_weights()
        return weights


def _floats(model: Any) -> list[Any]:
    """The tensors of a model that may be weights: of real numbers, and no states or factors."""
    first = {**dict.fromkeys(RECURRENT, _BIAS + 1), "Resize": 1, "Upsample": 1}
    others = {
        name
        for node in model.graph.node
        if node.op_type in first
        for name in node.input[first[node.op_type] :]
    }
    by_node = [
        entry.t
        for node in model.graph.node
        if node.op_type == "Constant" and node.output[0] in others
        for entry in node.attribute
    ]
    return [
        tensor
        for tensor in tensors(model.graph)
        if tensor.data_type == tensor.FLOAT
        and len(tensor.dims)
        and tensor.name not in others
        and not any(tensor is other for other in by_node)
    ]


def _replaced(file: _File, values: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """The file's numbers, those that are weights of the model replaced.

    Which they are is found by reading the file with a number of its own in place of each: the
    numbers that arrive in the model tell. Where the sum of two biases arrives, neither does; then
    each is read without the other, the first takes the weight, and the second is zero.
    """
    if 2 * len(values) > _HALF:
        raise UnspoolError(f"has {len(values):,} weights; expected at most {_HALF // 2:,}")
    wanted = np.concatenate([np.zeros(0, np.float32), *(each.ravel() for each in weights)])
    result, arrived = values.copy(), np.zeros(len(values), bool)
    places = _arrivals(file, np.ones(len(values), bool), len(wanted))
    known = places >= 0
    result[places[known]] = wanted[known]
    arrived[places[known]] = True
    missing = np.count_nonzero(places == _SUM)
    for part in file.parts():
        if arrived[part].any() or len(part) > missing:
            continue
        read = arrived.copy()
        read[part] = True
        places = _arrivals(file, read, len(wanted))
        new = np.isin(places, part)
        result[places[new]] = np.where(known[new], 0, wanted[new])
        known |= new
    return result


def _arrivals(file: _File, read: np.ndarray, count: int) -> np.ndarray:
    """For each entry of the model's weights, which of the file's numbers it is, or why none.

    Args:
        file: where the numbers stand.
        read: (numbers,), those that are to arrive; in place of others stands one for all.
        count: of the entries.

    Raises:
        UnspoolError: there are other entries: numbers in the file do not go with others.
    """
    odd = 2 * np.arange(len(read)) + 1  # no sum of two is odd
    weights = file.weights(np.where(read, odd, _HALF) / (2 * _HALF))
    numbers = np.concatenate([np.zeros(0), *(each.ravel() for each in weights)]) * (2 * _HALF)
    if len(numbers) != count:
        raise UnspoolError(
            "holds what was computed of its weights when it was exported, such as the first step "
            "of a cell in a loop; export nn.GRU, nn.LSTM or nn.RNN"
        )
    numbers = np.where(numbers > _HALF, numbers - _HALF, numbers)  # of a sum with one not read
    whole = np.rint(numbers).astype(np.int64)
    exact = (whole == numbers) & (whole % 2 == 1) & (whole > 0) & (whole < 2 * len(read))
    return np.where(exact, whole // 2, np.where(numbers == 0, _ZERO, _SUM))
