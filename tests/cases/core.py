"""What a case is, and how its model is made: untrained, at any number of steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from unspool.support._tensorflow import keras

L = keras.layers

Build: TypeAlias = Callable[[int], Any]
"""Number of steps that the recurrent layers take -> an untrained model."""

Shape: TypeAlias = tuple[int | None, ...]
"""Of one sample."""


@dataclass(frozen=True)
class Case:
    """One model that must work.

    Attributes:
        group: the part of the page that it stands in.
        name: what it shows.
        build: makes the untrained model at a number of steps.
        lengths: the numbers of steps that it is tested at: a few, and many.
        is_open: the model leaves its length open, and is unrolled to the number of steps.
        least: of a padded sample, how many steps are valid at least.
        mean: bound of the int8 model's mean error in any column of an output, as a share of what
            the column ranges over.
        largest: the same of its largest error.
        mean_int16: bound of the int16 model's mean error.
        largest_int16: the same of its largest.
        often: every run tests it in int16 at a few steps and in int8 at many, too; the slow run
            tests all cases in all variants.
    """

    group: str
    name: str
    build: Build
    lengths: tuple[int, ...] = (6, 33)
    is_open: bool = False
    least: int = 0
    mean: float = 0.02
    largest: float = 0.12
    mean_int16: float = 0.01
    largest_int16: float = 0.03
    often: bool = False

    def bounds(self, activations: str) -> tuple[float, float]:
        """Of the mean and the largest error."""
        if activations == "int8":
            return self.mean, self.largest
        return self.mean_int16, self.largest_int16


def timed(*rest: int) -> Callable[[int], Shape]:
    """Number of steps -> the shape of so many steps of values."""
    return lambda steps: (steps, *rest)


FEATURES = timed(5)


def chain(*layers: Any, shape: Shape | Callable[[int], Shape] = FEATURES) -> Build:
    """A Sequential model, made anew from the layers' configurations each time.

    Args:
        layers: of which copies are taken.
        shape: of a sample, or number of steps -> that.
    """

    def build(steps: int) -> Any:
        keras.utils.set_random_seed(5)
        copies = [type(layer).from_config(layer.get_config()) for layer in layers]
        sample = shape(steps) if callable(shape) else shape
        return keras.Sequential([keras.Input(sample, name="x"), *copies])

    return build


def functional(
    build: Callable[[Any], Any], shape: Shape | Callable[[int], Shape] = FEATURES
) -> Build:
    """A Functional model of one input named x.

    Args:
        build: the input -> the outputs; its shape tells the number of steps.
        shape: of a sample, or number of steps -> that.
    """

    def make(steps: int) -> Any:
        keras.utils.set_random_seed(5)
        x = keras.Input(shape(steps) if callable(shape) else shape, name="x")
        return keras.Model(x, build(x))

    return make


def trained(case: Case, steps: int | None = None) -> Any:
    """The case's model with weights as training leaves them: no bias at zero.

    Args:
        case: the case.
        steps: how many; the case's few where None.
    """
    keras.utils.set_random_seed(5)
    model = case.build(steps or case.lengths[0])
    rng = np.random.default_rng(11)
    for weight in model.weights:
        values = weight.numpy()
        if weight.name == "moving_variance":
            weight.assign(rng.uniform(0.5, 2.0, values.shape))
        else:
            weight.assign(values + rng.normal(0, 0.1, values.shape))
    return model
