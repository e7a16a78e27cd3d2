"""What is no file on a disk may never end: a pipe that nobody writes to, a device such as zeros."""

import os
from pathlib import Path

import pytest
from commands import unspool


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipes") / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        *("inspect PIPE", "inspect m.keras --config PIPE", "deploy PIPE --calibration x.npy"),
        *(
            "deploy m.keras --calibration PIPE",
            "deploy m.keras --calibration x.npy --test x.npy PIPE",
        ),
        *(
            "compress m.keras --data PIPE --labels y.npy",
            "compile PIPE",
            "compile m.tflite --vela-config PIPE",
        ),
        *("sweep PIPE", "simulate PIPE --data x.npy", "disassemble PIPE", "check PIPE --max-ms 3"),
        *("disassemble m.tflite --debug PIPE", "diff PIPE PIPE"),
    ],
)
def test_it_is_refused_and_not_read(command: str, pipe: Path, budgeted: Path) -> None:
    there = {"PIPE": pipe} | {path.name: path for path in budgeted.iterdir()}
    run = unspool(*(there.get(word, word) for word in command.split()))
    assert run.returncode == 2
    expected = f"{pipe}: is a pipe or a device; expected a file on a disk"
    assert run.stderr.splitlines()[-1].endswith(expected)


def test_zeros_without_an_end_are_refused() -> None:
    run = unspool("compile", "/dev/zero")
    assert run.returncode == 2
    assert run.stderr == (
        "unspool: error: /dev/zero: is a pipe or a device; expected a file on a disk\n"
    )
