"""What becomes of a layer or function in a network of nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import unspool
from keras_names import functions, layers
from unspool.inspection.advice import instead
from unspool.support._tensorflow import keras

SAMPLES = 48


@dataclass(frozen=True)
class Name:
    """A layer of `keras.layers`, or a function of `keras.ops`.

    Attributes:
        name: as Keras exports it.
        shape: of its input, without the batch.
        dtype: of its input.
        call: of a tensor of this shape.
        least: the lowest value that its input takes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    call: Callable[[Any], Any]

    def __str__(self) -> str:
        return self.name

    @property
    def model(self) -> Any:
        """A network of it alone, with weights as training leaves them."""
        keras.utils.set_random_seed(4)
        x = keras.Input(self.shape, batch_size=1, dtype=self.dtype)
        model = keras.Model(x, self.call(x))
        rng = np.random.default_rng(4)
        for weight in model.weights:
            if "variance" not in weight.path and str(weight.dtype).startswith("float"):
                weight.assign(weight + rng.normal(0, 0.1, weight.shape))
        return model

    @property
    def data(self) -> np.ndarray:
        """Values that it is defined for, (samples, ...)."""
        rng = np.random.default_rng(3)
        if self.dtype == "int32":
            return rng.integers(0, 4, (SAMPLES, *self.shape)).astype(np.int32)
        low = 0.05 if self.name in POSITIVE else -0.95
        return rng.uniform(low, 0.95, (SAMPLES, *self.shape)).astype(np.float32)


POSITIVE = ("log", "log10", "log2", "logsumexp", "power", "rsqrt", "sqrt", "reciprocal")

LAYERS = tuple(
    Name(name, shape, dtype, call)
    for group, shape, dtype in (
        (layers.OF_SEQUENCES, (6, 8), "float32"),
        (layers.OF_IMAGES, (6, 8, 3), "float32"),
        (layers.OF_FRAMES, (4, 6, 8, 3), "float32"),
        (layers.OF_IDS, (6,), "int32"),
    )
    for name, call in group.items()
)
FUNCTIONS = tuple(
    Name(name, shape, "float32", call)
    for group, shape in (
        (functions.CALLS, (6, 8)),
        (functions.OF_SQUARE_CALLS, (6, 6)),
        (functions.OF_IMAGE_CALLS, (6, 8, 4)),
    )
    for name, call in group.items()
)


def verdict(name: Name, activations: str) -> str:
    """ "yes", or what keeps it from the NPU, in the words of `inspect`."""
    worst = [
        each
        for each in unspool.inspect(name.model, activations=activations)
        if each.action in ("refuse", "cpu")
    ]
    if not worst:
        return "yes"
    detail = worst[0].detail.removesuffix(" (accept it with `allow_cpu`)")
    detail = detail.removesuffix(f"; {instead(worst[0].kind)}")
    return detail if worst[0].action == "refuse" else f"CPU: {detail}"
