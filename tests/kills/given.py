"""What is killed: commands, the files that they are given, and results of before."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shared
from commands import COMMAND

COMMANDS: Mapping[str, str] = {
    "deploy": "deploy given/{}.keras --calibration given/x.npy --remedy-seconds 0 --out out",
    "compress": "compress given/{}.keras --data given/x.npy --labels given/y.npy --sparsity 0.5 "
    "--epochs 2 --out out",
    "sweep": "sweep given/{}.tflite --target ethos-u55-128 --target ethos-u65-256 --out out",
    # so many samples that each core has a process of its own
    "simulate": "simulate given/{}_vela.tflite --data given/many.npy --out out/y.npz",
}
"""Each is given the files of a network."""

NETWORK, OLDER = "network", "older"
"""Two networks: the one that a command that is killed is given, and that of the results before."""


def folder() -> Path:
    """Files of both networks, and in `results/` what each command makes of them."""
    return shared.folder("kills-given", _fill)


def results(network: str, command: str) -> Path:
    """The folder of what a command makes of a network."""
    return folder() / "results" / network / command


def arguments(command: str, network: str = NETWORK) -> list[str]:
    """The command line, to be run where `given` is a link to `folder`."""
    return [*COMMAND, *COMMANDS[command].format(network).split()]


def _fill(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.normal(size=(64, 4, 5)).astype(np.float32))
    np.save(folder / "y.npy", rng.integers(0, 3, 64))
    np.save(folder / "many.npy", rng.normal(size=(2_000, 4, 5)).astype(np.float32))
    for number, network in enumerate((NETWORK, OLDER)):
        _save(folder / f"{network}.keras", number)
        for command in COMMANDS:
            place = folder / "results" / network / command
            (place / "out").mkdir(parents=True)
            (place / "given").symlink_to(folder)
            environment = {**os.environ, "TMPDIR": str(place)}
            subprocess.run(
                arguments(command, network),
                cwd=place,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            if command == "deploy":
                for ours, name in (("int8", network), ("vela", f"{network}_vela")):
                    content = (place / "out" / f"model_{ours}.tflite").read_bytes()
                    (folder / f"{name}.tflite").write_bytes(content)


def _save(path: Path, seed: int) -> None:
    from unspool.support._tensorflow import keras

    keras.utils.set_random_seed(seed)
    x = keras.Input((4, 5))
    y = keras.layers.Dense(3, "softmax")(keras.layers.GRU(8)(x))
    model = keras.Model(x, y)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(path)
