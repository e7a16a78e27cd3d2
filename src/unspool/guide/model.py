"""The model of Arm's guide: a recurrent network that reads an MNIST image row by row."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from unspool.support.traced_once import make_variables

CELLS = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple": keras.layers.SimpleRNN,
}
"""The recurrent layers that `build` takes, by the name that the command line gives them."""

BATCH = 64
PEAK_LEARNING_RATES = {"gru": 4e-3, "lstm": 4e-3, "simple": 1e-3}
"""What trained best in one epoch; a SimpleRNN has no gates to keep larger steps stable."""
WARM_UP_STEPS = 200


def build(cell: str = "gru", units: int = 256) -> Any:
    """The guide's untrained model: (28 rows, 28 pixels) -> probabilities of 10 digits."""
    image = keras.Input((28, 28), name="image")
    state = CELLS[cell](units, name=cell)(image)
    digit = keras.layers.Dense(10, activation="softmax", name="digit")(state)
    return keras.Model(image, digit, name=f"mnist_{cell}_{units}")


def train(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    cell: str = "gru",
    epochs: int = 1,
    on_batch: Callable[[int, float], None] = lambda batch, accuracy: None,
) -> None:
    """Fit the model in place.

    Adam with the learning rate warmed up to its peak and decayed along a cosine to 0, gradients
    clipped: after one epoch about half a point better than the guide's constant rate.

    Args:
        model: as `build` returns it.
        cell: the model's recurrent layer, which sets the learning rate.
        images: float32 (images, 28, 28) in [0, 1].
        labels: digits (images,).
        epochs: passes over the images.
        on_batch: called after each batch with the number of batches done in all, and the
            accuracy in this epoch so far, in percent.
    """
    batches = epochs * batches_per_epoch(len(images))
    warm_up = min(WARM_UP_STEPS, batches // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, batches - warm_up, warmup_target=PEAK_LEARNING_RATES[cell], warmup_steps=warm_up
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    make_variables(model, (images[:1], labels[:1]))
    model.fit(
        images,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[_OnBatch(on_batch)],
    )


def batches_per_epoch(images: int) -> int:
    """How many batches `train` makes of a number of images."""
    return math.ceil(images / BATCH)


class _OnBatch(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, call: Callable[[int, float], None]) -> None:
        super().__init__()
        self._call = call
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done += 1
        self._call(self._done, 100 * (logs or {}).get("accuracy", math.nan))
