"""A search that takes seconds, for the clusters that its candidates run on."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from unspool import FineTuning, Goal, KernelSetting, Search, search
from unspool.support._tensorflow import keras

SETTINGS = tuple(KernelSetting(0.1 * tenths, 8) for tenths in (2, 4, 6))


def task() -> tuple[Any, np.ndarray, np.ndarray]:
    keras.utils.set_random_seed(0)
    x = keras.Input((8, 4))
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(x, head(keras.layers.SimpleRNN(16)(x)))
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    data = np.random.default_rng(0).normal(0, 1, (400, 8, 4)).astype(np.float32)
    return model, data, (data[:, :, 0].sum(1) > 0).astype(np.int64)


def searched(folder: Path, **options: Any) -> Search:
    tuning = FineTuning(epochs=2, batch_size=95)
    options = {"goal": Goal(max_loss=100), "settings": SETTINGS, "fine_tuning": tuning, **options}
    return search(*task(), folder, **options)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def kill(process: subprocess.Popen[bytes]) -> None:
    """A process and the children that watch over it, or that it watches over."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
