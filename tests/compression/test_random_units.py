"""Random networks: which axes are one, told from outside, by Keras's outputs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from random_models import model as model_of
from random_models import samples
from random_networks import Network, Sizes, networks, some

from unspool.compression.units.channels import Axis, Channels, Width
from unspool.compression.units.layout import layout
from unspool.compression.units.removal import without
from unspool.frontend.structure import packed
from unspool.support._tensorflow import keras

SIZES = Sizes(steps=range(2, 8), units=range(2, 20), layers=(1, 2, 2, 3))


COUNTS = [4, pytest.param(80, marks=pytest.mark.slow)]


def outputs(model: Any, data: list[np.ndarray]) -> list[np.ndarray]:
    """Without a graph, which takes longer to make than to run once."""
    given = keras.tree.flatten(model(packed(model, data), training=False))
    return [np.asarray(output) for output in given]


def free(channels: Channels) -> list[Width]:
    """Layers with units of their own that can be taken out, two or more."""
    return [
        width
        for width in channels.widths.values()
        if width.is_own and len(width.channels) > 1 and not channels.why_fixed(width.channels)
    ]


def places(channels: Channels, axis: Axis, unit: int) -> np.ndarray:
    """Where a unit is along an axis."""
    return np.flatnonzero(channels.roots(axis.channels) == unit)


def swap(channels: Channels, first: int, second: int) -> None:
    """Let two units change places, if both are in the same layers: halves of a sum are not."""
    pairs = [(places(channels, a, first), places(channels, a, second)) for a in axes(channels)]
    if any(len(one) != len(other) for one, other in pairs):
        return
    for axis, (one, other) in zip(axes(channels), pairs, strict=True):
        order = np.arange(len(axis.channels))
        order[one], order[other] = other, one
        axis.variable.assign(np.take(np.asarray(axis.variable), order, axis.axis))


def axes(channels: Channels) -> list[Axis]:
    return list(channels.axes.values())


@pytest.mark.parametrize("count", COUNTS)
def test_units_that_change_places_change_no_output(count: int) -> None:
    """An axis that is missing, or one too many, would show."""

    @some(count)
    @given(networks(SIZES))
    def hold(network: Network) -> None:
        model = model_of(network)
        channels, data = layout(model), samples(network, model, 3, 0)
        expected = outputs(model, data)
        for width in free(channels):
            first, second = channels.roots(width.channels)[:2].tolist()
            swap(channels, first, second)
        for got, right in zip(outputs(model, data), expected, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-3, atol=1e-4)

    hold()


@pytest.mark.parametrize("count", COUNTS)
def test_what_nothing_reads_can_be_taken_out(count: int) -> None:
    @some(count)
    @given(networks(SIZES))
    def hold(network: Network) -> None:
        # The mean and variance of a LayerNormalization are of all units, whether they are read.
        assume(not any("norm" in each.options for each in network.recurrences))
        model = model_of(network)
        channels, data = layout(model), samples(network, model, 3, 0)
        stays = np.ones(channels.count, bool)
        for width in free(channels):
            stays[channels.roots(width.channels)[0]] = False
        stays = stays[channels.roots(np.arange(channels.count))]
        for axis in axes(channels):
            if axis.is_read:
                kept = stays[axis.channels].reshape(
                    [-1 if n == axis.axis else 1 for n in range(len(axis.variable.shape))]
                )
                axis.variable.assign(np.asarray(axis.variable) * kept)
        expected = outputs(model, data)
        smaller = without(model, channels, stays)
        for got, right in zip(outputs(smaller, data), expected, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-5)

    hold()
