"""Functions that only move values, along every axis: bytes of the binary are TFLM's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow

import unspool
from unspool import Options, UnspoolError
from unspool.support._tensorflow import keras

K, L = keras.ops, keras.layers
SEQUENCE, IMAGES, SOBEL = (12, 5), (4, 6, 3), K.image.sobel_edges

MOVES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "features turned round": (SEQUENCE, lambda x: K.flip(x, axis=-1)),
    "many features turned round": ((33, 20), lambda x: K.flip(x, axis=-1)),
    "features twice": (SEQUENCE, lambda x: K.repeat(x, 2, axis=-1)),
    "features side by side": (SEQUENCE, lambda x: K.tile(x, (1, 1, 3))),
    "features rolled": (SEQUENCE, lambda x: K.roll(x, 2, axis=-1)),
    "features chosen": (SEQUENCE, lambda x: K.take(x, [3, 1, 0, 0], axis=-1)),
    "features stacked": (SEQUENCE, lambda x: K.stack([x[:, :, n] for n in (2, 0, 4)], axis=-1)),
    "sequences stacked": (SEQUENCE, lambda x: K.stack([x, 2.0 * x], axis=-1)),
    "channels turned round": (IMAGES, lambda x: K.flip(x, axis=-1)),
    "channels twice": (IMAGES, lambda x: K.repeat(x, 3, axis=-1)),
    "channels stacked": (IMAGES, lambda x: K.stack([x[..., 1], x[..., 0]], axis=-1)),
    "an image turned round": (IMAGES, lambda x: K.flip(x, axis=(2, 3))),
    "mirrored": (SEQUENCE, lambda x: K.pad(x, [[0, 0], [2, 1], [0, 0]], mode="reflect")),
    "mirrored at one end": (SEQUENCE, lambda x: K.pad(x, [[0, 0], [0, 11], [0, 0]], "reflect")),
    "its edges too": (SEQUENCE, lambda x: K.pad(x, [[0, 0], [12, 1], [0, 0]], "symmetric")),
    "mirrored features": (SEQUENCE, lambda x: K.pad(x, [[0, 0], [0, 2], [4, 3]], mode="reflect")),
    "a mirrored image": (IMAGES, lambda x: K.pad(x, [[0, 0], [1, 2], [3, 0], [0, 1]], "reflect")),
    "told by tuples": (SEQUENCE, lambda x: K.pad(x, ((0, 0), (1, 1), (1, 1)), mode="symmetric")),
    "edges": (IMAGES, lambda x: K.reshape(SOBEL(x), (-1, 4, 6, 6))),
    "edges, channels first": ((3, 4, 6), lambda x: K.max(SOBEL(x, "channels_first"), -1)),
    "ones around": (SEQUENCE, lambda x: K.pad(x, [[0, 0], [2, 1], [1, 0]], constant_values=1.5)),
}  # fmt: skip


def _with_gru(shape: tuple[int, ...], move: Callable[[Any], Any]) -> Any:
    """What is moved as an output, and read by a convolution; a GRU, as there must be one."""
    x = keras.Input(shape)
    moved = move(x)
    read = (L.Conv1D if len(moved.shape) == 3 else L.Conv2D)(3, 2)(moved)
    return keras.Model(x, [moved, read, L.GRU(2)(L.Reshape((shape[0], -1))(x))])


OFTEN = (
    "features turned round",
    "features stacked",
    "channels stacked",
    "mirrored",
    "its edges too",
    "edges",
)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.unless(OFTEN, MOVES))
def test_bytes_are_tflms(name: str, computing: None) -> None:
    shape, move = MOVES[name]
    model = _with_gru(shape, move)
    data = np.random.default_rng(0).normal(size=(24, *shape)).astype(np.float32)
    done = unspool.deploy(model, data, options=Options(remedy_seconds=0))
    assert done.compiled.cpu_operators == ()
    assert done.simulation is not None
    assert done.simulation.equal == 24, done.simulation
    assert done.unroll_error is not None and done.unroll_error.largest < 1e-6


def test_nothing_is_mirrored_in_a_stream() -> None:
    x = keras.Input((None, 5))
    padded = K.pad(x, [[0, 0], [2, 0], [0, 0]], mode="reflect")
    model = keras.Model(x, L.GRU(2, return_sequences=True)(padded))
    with pytest.raises(UnspoolError, match="mixes time steps"):
        unspool.unroll_stream(model, 1)
