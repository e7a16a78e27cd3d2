"""PyTorch's recurrent networks on an Ethos-U: Unspool beside ExecuTorch, litert-torch and onnx2tf.

Usage: python bench/pytorch.py --environments FOLDER [--newer-python python3.12]

nn.GRU and nn.LSTM of 64 units, each with a Linear behind its last step, over 16 steps of 28
features: the middle rows of MNIST's images. They are trained once, and every tool gets the same
weights and the same 200 calibration samples, for ethos-u55-128 with Vela's defaults; int8
throughout. None of the tools is a dependency: each gets an environment of its own in FOLDER, of the
versions below (some 8 GB, more where pip finds only PyTorch with CUDA), and runs there, by a script
of bench/peers.

Flash is measured: all of the file that is flashed, a .pte or what Vela makes of a .tflite; not the
runtime's code. Cycles are Vela's estimate. The error is the mean of 500 unseen samples, against
PyTorch in float, in % of the outputs' range: in LiteRT, of ExecuTorch the quantized graph in torch.
Seconds are those of converting, quantizing and Vela, of Unspool also of comparing and simulating
the result. A tool's own start is not in them, except of onnx2tf, which is a command, and of Unspool
in the first table. A tool that fails has the reason in its row.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import unspool
from unspool.guide import mnist

ROWS = slice(6, 22)
TRAINING, CALIBRATION, TEST = 20_000, 200, 500
SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """A tool: its name, its script, what pip installs, and whether it needs Python 3.12."""

    name: str
    script: str
    packages: tuple[str, ...]
    newer: bool = False


TRAINER = Peer("PyTorch 2.13.0", "train", ("torch==2.13.0", "onnx==1.21.0", "onnxscript==0.7.2"))
PEERS = (
    Peer("ExecuTorch 1.5.1", "executorch_", ("executorch[ethos-u]==1.5.1", "torch==2.13.0")),
    Peer("litert-torch 0.10.0", "litert_torch_", ("litert-torch==0.10.0", "torch==2.13.0")),
    Peer("onnx2tf 2.6.9", "onnx2tf_", ("onnx2tf[tensorflow]==2.6.9",), newer=True),
)


class Failed(Exception):
    """A tool that could not be installed, or did not do it; the message is one line."""


@dataclass(frozen=True)
class Figures:
    """What is measured of a tool; its outputs for the test samples are (samples, 10)."""

    flash_kib: float
    cycles: int
    on_cpu: int
    outputs: np.ndarray
    seconds: float


def called(command: list[str], path: str = "") -> str:
    """What a command prints, with a folder in front of where commands are found."""
    environment = {**os.environ, "PATH": os.pathsep.join([path, os.environ["PATH"]])}
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from None
    if run.returncode < 0:
        raise Failed(f"ended by signal {-run.returncode}")
    if run.returncode:
        lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        raise Failed(lines[-1].strip() if lines else f"ended with {run.returncode}")
    return run.stdout


def environment(folder: Path, peer: Peer, newer: str) -> Path:
    """The commands of a tool's environment, which is made where it is not there."""
    place = folder / peer.script
    done = place / "installed.txt"
    if not done.exists() or done.read_text() != "\n".join(peer.packages):
        called([newer if peer.newer else sys.executable, "-m", "venv", "--clear", str(place)])
        called([str(place / "bin/python"), "-m", "pip", "install", "-q", *peer.packages])
        done.write_text("\n".join(peer.packages))
    return place / "bin"


def ran(peer: Peer, commands: Path, *arguments: str) -> str:
    """The last line that a tool's script prints."""
    script = str(SCRIPTS / f"{peer.script}.py")
    printed = called([str(commands / "python"), script, *arguments], str(commands))
    return (printed.splitlines() or [""])[-1]


def data(folder: Path) -> dict[str, np.ndarray]:
    """Write data.npz, from which all tools start."""
    images = mnist.load()
    train = mnist.normalised(images.train_images[:TRAINING, ROWS])
    arrays = {
        "train": train,
        "labels": images.train_labels[:TRAINING],
        "calibration": train[:CALIBRATION],
        "test": mnist.normalised(images.test_images[:TEST, ROWS]),
        "test_labels": images.test_labels[:TEST],
    }
    np.savez(folder / "data.npz", allow_pickle=False, **arrays)
    return arrays


def of_tflite(tflite: bytes, test: np.ndarray, seconds: float) -> Figures:
    """Compile a peer's file as Unspool's own, and run it."""
    (outputs,) = unspool.Session(tflite).predict(test)
    start = time.perf_counter()
    compiled = unspool.compile(tflite, unspool.target())
    seconds += time.perf_counter() - start
    left = len(compiled.cpu_operators)
    return Figures(compiled.flash_kib, compiled.cycles, left, outputs, seconds)


def of_unspool(folder: Path, arrays: dict[str, np.ndarray]) -> Figures:
    """From the .pt2 file to the binary."""
    start = time.perf_counter()
    deployment = unspool.deploy(unspool.load(folder / "model.pt2"), arrays["calibration"])
    seconds = time.perf_counter() - start
    (outputs,) = unspool.Session(deployment.quantized_tflite).predict(arrays["test"])
    compiled = deployment.compiled
    left = len(compiled.cpu_operators)
    return Figures(compiled.flash_kib, compiled.cycles, left, outputs, seconds)


def of_peer(peer: Peer, commands: Path, folder: Path, arrays: dict[str, np.ndarray]) -> Figures:
    """From the trained network, or its ONNX file, to the binary."""
    target = unspool.target()
    wanted = (target.accelerator, target.system_config, target.memory_mode)
    answer = json.loads(ran(peer, commands, str(folder), *wanted))
    tflite = folder / f"{peer.script.rstrip('_')}.tflite"
    if tflite.exists():
        return of_tflite(tflite.read_bytes(), arrays["test"], answer["seconds"])
    return Figures(
        flash_kib=(folder / "executorch.pte").stat().st_size / 1024,
        cycles=answer["cycles"],
        on_cpu=answer["on_cpu"],
        outputs=np.load(folder / "executorch.npy"),
        seconds=answer["seconds"],
    )


def cells(figures: Figures, ours: Figures, expected: np.ndarray) -> list[str]:
    """A row, with ratios to Unspool's flash and cycles."""
    error = np.abs(figures.outputs.reshape(expected.shape) - expected).mean() / np.ptp(expected)
    return [
        f"{figures.flash_kib:.1f}",
        f"{figures.flash_kib / ours.flash_kib:.2f}",
        f"{figures.cycles:,}",
        f"{figures.cycles / ours.cycles:.2f}",
        str(figures.on_cpu),
        f"{100 * error:.2f}",
        f"{figures.seconds:.1f}",
    ]


HEADINGS = ("flash, KiB", "ratio", "cycles", "ratio", "CPU operators", "error, %", "seconds")


def compared(folder: Path, ready: dict[Peer, Path | str], arrays: dict[str, np.ndarray]) -> Table:
    """One network by every tool; of those that are not ready there is the reason."""
    expected = np.load(folder / "outputs.npy")
    right = 100 * (expected.argmax(1) == arrays["test_labels"]).mean()
    kind = folder.name.upper()
    table = Table(title=f"nn.{kind}, {right:.1f} % of the digits right in float", box=None)
    table.add_column("")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    ours = of_unspool(folder, arrays)
    table.add_row("Unspool", *cells(ours, ours, expected))
    for peer, commands in ready.items():
        try:
            if isinstance(commands, str):
                raise Failed(commands)
            figures = of_peer(peer, commands, folder, arrays)
            table.add_row(peer.name, *cells(figures, ours, expected))
        except (Failed, unspool.UnspoolError) as error:
            table.add_row(f"{peer.name}: {error}", *["-"] * len(HEADINGS))
    return table


def prepared(folder: Path, peer: Peer, newer: str) -> Path | str:
    """The commands of a tool's environment, or why there are none."""
    try:
        return environment(folder, peer, newer)
    except Failed as error:
        return str(error)


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, required=True, help="where they are made")
    parser.add_argument("--newer-python", default="python3.12", help="for onnx2tf, which needs it")
    arguments = parser.parse_args()
    place = arguments.environments.resolve()
    work = place / "work"
    work.mkdir(parents=True, exist_ok=True)
    arrays = data(work)
    ran(TRAINER, environment(place, TRAINER, arguments.newer_python), str(work))
    ready = {peer: prepared(place, peer, arguments.newer_python) for peer in PEERS}
    warnings.simplefilter("ignore", unspool.UnspoolWarning)  # pixels at the edge are always 0
    screen = Console(width=110)
    for kind in ("gru", "lstm"):
        screen.print(compared(work / kind, ready, arrays))


if __name__ == "__main__":
    main()
