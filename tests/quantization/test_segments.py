"""A function as two layers of int8 kernels: a level off at most, for each value that there is."""

from collections.abc import Callable

import numpy as np
import pytest

from unspool.quantization.polylines import fit
from unspool.quantization.segments import Layer, Stored, layers

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "a constant": np.ones_like,
    "itself": lambda x: x,
    "a jump": lambda x: np.where(x > 0.5, x, 0.0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "a wave": np.sin,
}


def applied(
    layer: Layer, stored: np.ndarray, given: Stored, lowest: int, highest: int
) -> np.ndarray:
    """(values, channels in) -> (values, channels out), as LiteRT defines a convolution."""
    sums = (stored - given.zero) @ layer.kernel.T.astype(np.int64) + layer.bias
    values = np.rint(sums * given.scale * layer.scales / layer.output.scale) + layer.output.zero
    least = layer.output.zero if layer.relu else lowest
    clipped: np.ndarray = np.clip(values, least, highest).astype(np.int64)
    return clipped


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("number", [0, 5, 100])
def test_every_int8_value(name: str, number: int) -> None:
    function, given = FUNCTIONS[name], Stored(4219 * 2.0**-17, -20)  # from -3.5 to 4.7
    stored = np.arange(-128, 128)
    wanted = function((stored - given.zero) * given.scale)
    low, high = min(0.0, wanted.min()), wanted.max()
    scale = (high - low) / 255
    out = Stored(scale, int(-128 - np.rint(low / scale)))
    first, last = layers(function, given, out, "int8", number)
    channels = applied(first, stored[:, None], given, -128, 127)
    knots = stored[:, None] - (given.zero - first.bias // first.kernel[:, 0])
    np.testing.assert_array_equal(channels + 128, np.maximum(knots, 0))
    got = applied(last, channels, first.output, -128, 127)[:, 0]
    exact = np.clip(wanted / scale + out.zero, -128, 127)
    assert np.abs(got - exact).max() <= 1 + 1e-6


def test_functions_of_a_file_have_kernels_of_their_own() -> None:
    given, out = Stored(1 / 32, 0), Stored(1 / 64, 0)
    made = [layers(np.tanh, given, out, "int8", number) for number in range(60)]
    assert len({first.kernel.tobytes() for first, _ in made}) == 60
    assert len({float(last.scales[0]) for _, last in made}) == 60


def test_a_change_beyond_int8_takes_several_knots() -> None:
    line = fit(np.array([0.0, 0.0, 100.0, 100.0]), [0.125])
    assert line.step == 0.125
    assert sum(line.changes) == 0
    assert max(map(abs, line.changes)) <= 127
    assert (
        sum(change for knot, change in zip(line.knots, line.changes, strict=True) if knot == 1)
        == 800
    )
