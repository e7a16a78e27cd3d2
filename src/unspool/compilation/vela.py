"""Run Vela, Arm's compiler for Ethos-U."""

import re
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, takewhile
from pathlib import Path
from typing import TypeAlias

from unspool.compilation import vela_results
from unspool.compilation.compiled import Compiled, of_calls
from unspool.compilation.miscompiled import miscompiled
from unspool.compilation.placement import NPU, every_operator
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.support import processes
from unspool.support.processes import killer
from unspool.support.text import in_a_line
from unspool.tflite import flatbuffer
from unspool.tflite.signature import Signature

Run: TypeAlias = "Callable[[list[str], Path], subprocess.CompletedProcess[str]]"
"""Runs Vela with its arguments in a folder."""


def compile(tflite: bytes, target: Target) -> Compiled:
    """Compile a quantized .tflite file with Vela, in a process of its own.

    Operators that Vela is known to compile wrongly are warned of (`UnspoolWarning`).

    Args:
        tflite: the bytes of an int8 .tflite file.
        target: what to compile for.

    Raises:
        UnspoolError: Vela is missing, or refuses the file; the message has Vela's reason.

    Example:
        >>> compiled = unspool.compile(int8_tflite, unspool.target("ethos-u55-128"))
        >>> compiled.cpu_operators  # all run on the NPU
        ()
    """
    check_source(tflite)
    for text in miscompiled(tflite, target):
        warnings.warn(text, UnspoolWarning, stacklevel=2)
    return compile_with(_run, tflite, target)


def compile_with(run_vela: Run, tflite: bytes, target: Target) -> Compiled:
    """Compile a file that `check_source` accepts with Vela, in the process that `run_vela` uses.

    Args:
        run_vela: runs Vela with its arguments in a folder.
        tflite: the bytes of an int8 .tflite file.
        target: what to compile for.

    Raises:
        UnspoolError: as `compile`.
    """
    vela_version = installed_version()
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        source = Path(folder) / "network.tflite"
        source.write_bytes(tflite)
        run = run_vela([str(source), *_options(target, folder)], Path(folder))
        if killer(run.returncode):
            raise UnspoolError(
                f"Vela {vela_version} died of {killer(run.returncode)} on the file for {target}: "
                "it is damaged, or has what Vela cannot compile, or memory ran out"
            )
        if run.returncode != 0:
            raise UnspoolError(
                f"Vela {vela_version} refused the file for {target}: "
                f"{_reason(run)}{_way_out(tflite)}"
            )
        try:
            call = vela_results.read(Path(folder), run.stdout, target, vela_version)
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise UnspoolError(
                f"Vela {vela_version} ran, but its results cannot be read ({error!r}): "
                "expected the files of Vela 5.x"
            ) from error
    return of_calls(call, Signature(tflite).calls_of_sequence)


def _options(target: Target, folder: str) -> list[str]:
    values = {
        "--accelerator-config": target.accelerator,
        "--system-config": target.system_config,
        "--memory-mode": target.memory_mode,
        "--config": str(target.config.resolve()),
        "--output-dir": folder,
    }
    flags = (
        "--verbose-performance",
        "--verbose-allocation",
        "--show-cpu-operations",
        "--enable-debug-db",
    )
    return [*chain.from_iterable(values.items()), *flags]


def _run(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*processes.command("ethosu.vela"), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=processes.environment(),
        check=False,
    )


def installed_version() -> str:
    """Vela's version.

    Raises:
        UnspoolError: it is not installed.
    """
    try:
        return version("ethos-u-vela")
    except PackageNotFoundError:
        raise UnspoolError("Vela is not installed: pip install 'ethos-u-vela>=5.2,<6'") from None


def check_source(tflite: bytes) -> None:
    """Check that a file can be given to Vela.

    Raises:
        UnspoolError: not a .tflite file, one that was compiled already, or one with names that
            Vela's tables, which are of lines, and its database cannot hold.
    """
    model = flatbuffer.look(tflite)
    names = [tensor.name for graph in model.subgraphs for tensor in graph.tensors]
    names += [code.customCode for code in model.operatorCodes if code.customCode]
    for name in (name.decode() for name in names):
        if "".join(name.splitlines()) != name or "\0" in name or "]]>" in name:
            raise UnspoolError(
                f"the name {in_a_line(repr(name), 200)} has an end of a line, a zero or ]]> in "
                "it, with which Vela's report would not be its own; rename the tensor"
            )
    if any(kind == NPU for kind, _ in every_operator(model).values()):
        raise UnspoolError(
            "the .tflite file has been compiled by Vela already; give the int8 file from before"
        )


def _way_out(tflite: bytes) -> str:
    floats = flatbuffer.float_operators(flatbuffer.look(tflite))
    return "; it computes in float: quantize it to int8 first" if floats else ""


def _reason(run: "subprocess.CompletedProcess[str]") -> str:
    """Vela's own reason for failing, in one line: the end of its traceback, or of its output."""
    lines = [line for line in (run.stderr + run.stdout).splitlines() if line.strip()]
    starts = [at for at, line in enumerate(lines) if re.match(r"[\w.]*Error\b", line)]
    if not lines:
        return f"exit status {run.returncode}, without a message"
    first = starts[-1] if starts else len(lines) - 1
    details = takewhile(lambda line: line[0] == " ", lines[first + 1 :])  # " - IFM must be INT8"
    message = re.sub(r"^([\w.]*Error: )?(Compilation failed: )?(Error: )?", "", lines[first])
    return " ".join([message.strip("'\""), *map(str.strip, details)])
