"""Which units go, by four scores, and what fine-tuning makes of each choice.

Usage: python bench/unit_scores.py    (some minutes)

GRU(64) on MNIST, 12,000 images, 6 epochs; cut to 32, 16 and 8 units and fine-tuned for 3 epochs
with itself as teacher, no zeros, free values. Accuracy: Keras, float, 10,000 test images, one run.
"""

from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool import FineTuning, KernelSetting
from unspool.compression.fewer_units import unit_scores, with_fewer_units
from unspool.compression.units.layout import layout
from unspool.guide import mnist
from unspool.support._tensorflow import keras

LEFT, WHEN = (32, 16, 8), ("cut", "tuned")
TUNING = FineTuning(epochs=3)


def trained(data: np.ndarray, labels: np.ndarray) -> Any:
    keras.utils.set_random_seed(0)
    x = keras.Input((28, 28), name="rows")
    state = keras.layers.GRU(64, name="gru")(x)
    model = keras.Model(x, keras.layers.Dense(10, activation="softmax", name="digit")(state))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(2e-3), loss=loss, metrics=["accuracy"])
    model.fit(data, labels, epochs=6, batch_size=64, verbose=0)
    return model


def magnitude(model: Any, only_read: bool = False) -> np.ndarray:
    """Sum of the sizes of all weights of each channel; or of those alone that read it."""
    channels = layout(model)
    total = np.zeros(channels.count)
    for axis in channels.axes.values():
        if axis.is_read or not only_read:
            sizes = np.abs(np.asarray(axis.variable))
            others = tuple(n for n in range(sizes.ndim) if n != axis.axis)
            np.add.at(total, channels.roots(axis.channels), sizes.sum(others))
    every: np.ndarray = total[channels.roots(np.arange(channels.count))]
    return every


def spread(model: Any, data: np.ndarray) -> np.ndarray:
    """Standard deviation of each unit's state over samples and steps, times what reads it."""
    gru = model.get_layer("gru")
    whole = keras.layers.GRU.from_config(gru.get_config() | {"return_sequences": True})
    whole.build(data.shape)
    whole.set_weights(gru.get_weights())
    states = np.asarray(whole(data))
    channels = layout(model)
    (units,) = (w.channels for w in channels.widths.values() if w.layer is gru and w.is_own)
    factor = np.ones(channels.count)
    factor[units] = states.std((0, 1))
    return magnitude(model, only_read=True) * factor


def main() -> None:
    images = mnist.load()
    data = mnist.normalised(images.train_images[:12000])
    labels = images.train_labels[:12000].astype(int)
    test = mnist.normalised(images.test_images), images.test_labels.astype(int)
    model = trained(data, labels)

    def percent(of: Any) -> float:
        answers = of.predict(test[0], batch_size=500, verbose=0).argmax(-1)
        return 100 * float((answers == test[1]).mean())

    scores = {
        "squared derivative of a gate": unit_scores(model, [data[:2000]], 0),
        "spread times weights": spread(model, data[:2000]),
        "magnitude of all weights": magnitude(model),
        "random": np.random.default_rng(0).random(layout(model).count),
    }
    table = Table(title=f"GRU(64), {percent(model):.2f} %", title_justify="left", box=None)
    for heading in ("Score", *(f"{count} units, {when}" for count in LEFT for when in WHEN)):
        table.add_column(heading, justify="right" if heading != "Score" else "left")
    for name, score in scores.items():
        cells = []
        for count in LEFT:
            setting = KernelSetting(0.0, None, count)
            cut = with_fewer_units(model, setting, {}, partial(np.copy, score)).model
            tuned = unspool.compress(
                *(model, data, labels), setting=setting, unit_scores=score, fine_tuning=TUNING
            )
            cells += [f"{percent(cut):.2f}", f"{percent(tuned.model):.2f}"]
            print(name, count, *cells[-2:], flush=True)
        table.add_row(name, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
