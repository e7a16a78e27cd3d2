"""What an architecture of the zoo is, and how it is trained for a moment."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from unspool.support._tensorflow import keras

Arrays: TypeAlias = np.ndarray | dict[str, np.ndarray] | list[np.ndarray]
"""Inputs: one array, or one by input name. Targets: in the structure of the model's outputs."""

SEED = 5

SHORT = 0.9
"""Momentum of a BatchNormalization whose averages have to settle within a moment."""

CLASSES = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Architecture:
    """A network as somebody published it, with data that it can learn from.

    Attributes:
        name: short; the zoo's key.
        source: address of what it was taken from: a URL, an arXiv or DOI reference.
        group: the part of the page that it stands in.
        build: makes the untrained, uncompiled model; the same weights every time.
        data: (random generator, how many) -> (inputs, targets), signals like those of the task.
            Targets that are whole numbers are classes, others are values.
        loss: as `compile` takes it.
        epochs: passes over the training samples.
        time_steps: to unroll where the model leaves them open; with `states`, those of one call.
        states: it is fed a stream, with states in and out.
        allow_cpu: it has a layer that no Ethos-U runs.
        quick: trains, deploys and simulates in a few seconds.
        note: what is awkward about it, or differs from the source.
        samples: how many to train with.
        rate: the peak of Adam's learning rate.
        batch: samples in a training step.
        tested: fresh samples that it is measured on; fewer where an inference takes long.
        calibration: samples that ranges are taken from, and that the simulator runs.
    """

    name: str
    source: str
    group: str
    build: Callable[[], Any]
    data: Callable[[np.random.Generator, int], tuple[Arrays, Arrays]]
    loss: Any
    epochs: int
    time_steps: int | None = None
    states: bool = False
    allow_cpu: bool = False
    quick: bool = False
    note: str = ""
    samples: int = 1200
    rate: float = 4e-3
    batch: int = 64
    tested: int = 200
    calibration: int = 100

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return slug(self.name)


def slug(name: str) -> str:
    """A name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def seeded(build: Callable[[], Any]) -> Callable[[], Any]:
    """The same builder, with the same random weights in every call."""

    @wraps(build)
    def make() -> Any:
        keras.utils.set_random_seed(SEED)
        return build()

    return make


def sequential(
    *layers: Any, shape: tuple[int | None, ...], name: str, dtype: str = "float32"
) -> Callable[[], Any]:
    """A builder of a Sequential model, from the layers' configurations, with one input."""

    def build() -> Any:
        keras.utils.set_random_seed(SEED)
        copies = [type(layer).from_config(layer.get_config()) for layer in layers]
        return keras.Sequential([keras.Input(shape, dtype=dtype, name=name), *copies])

    return build


def logits() -> Any:
    """Cross-entropy of a head that gives one logit per class."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(architecture: Architecture, folder: Path | None = None) -> Any:
    """The architecture's model after a moment of training.

    Args:
        architecture: of the zoo.
        folder: where the trained model is kept, and read from when it is there already.
    """
    path = None if folder is None else folder / f"{architecture.slug}.keras"
    if path is not None and path.is_file():
        return keras.saving.load_model(path, compile=False)
    keras.utils.set_random_seed(SEED)
    model = architecture.build()
    inputs, targets = architecture.data(np.random.default_rng(1), architecture.samples)
    steps = architecture.epochs * math.ceil(architecture.samples / architecture.batch)
    warm_up = steps // 10
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=architecture.rate, warmup_steps=warm_up
    )
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), architecture.loss)
    model.fit(inputs, targets, batch_size=architecture.batch, epochs=architecture.epochs, verbose=0)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return model
