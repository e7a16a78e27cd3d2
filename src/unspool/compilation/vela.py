"""Run Vela, Arm's compiler for Ethos-U, and read its results."""

import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

from unspool.compilation import allocations
from unspool.compilation.allocations import Allocation
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer

Run: TypeAlias = "Callable[[list[str], Path], subprocess.CompletedProcess[str]]"
"""Runs Vela with its arguments in a folder."""

_MEMORIES = {  # Vela's columns -> names
    "sram": "SRAM",
    "dram": "DRAM",
    "on_chip_flash": "on-chip flash",
    "off_chip_flash": "off-chip flash",
}


@dataclass(frozen=True)
class Operator:
    """One operator of the compiled graph, with Vela's estimate of its cost.

    Attributes:
        kind: LiteRT's kind as Vela spells it, such as "FullyConnected".
        name: of the tensor that it writes.
        on_npu: whether it runs on the NPU, or falls back to the CPU.
        cycles: Vela's estimate; the largest of the times of its parts, which overlap.
        npu_cycles: of the arithmetic.
        sram_cycles: of the SRAM accesses.
        dram_cycles: of the DRAM accesses.
        flash_cycles: of the flash accesses.
        macs: multiply-accumulates.
        reason: why it is not on the NPU, in Vela's words; empty on the NPU.
    """

    kind: str
    name: str
    on_npu: bool
    cycles: int
    npu_cycles: int
    sram_cycles: int
    dram_cycles: int
    flash_cycles: int
    macs: int
    reason: str = ""

    @property
    def parts(self) -> dict[str, int]:
        """Cycles of the arithmetic ("NPU") and of the accesses to each memory."""
        return {
            "NPU": self.npu_cycles,
            "SRAM": self.sram_cycles,
            "DRAM": self.dram_cycles,
            "flash": self.flash_cycles,
        }


@dataclass(frozen=True)
class Traffic:
    """What one inference moves between the NPU and a memory, by Vela's estimate.

    Attributes:
        memory: "SRAM", "DRAM", "on-chip flash" or "off-chip flash".
        bytes: read and written.
        weight_bytes: the part of it that is weights and scales, read.
        bytes_per_cycle: bandwidth of the system configuration, per cycle of the NPU.
    """

    memory: str
    bytes: int
    weight_bytes: int
    bytes_per_cycle: float


@dataclass(frozen=True)
class Compiled:
    """A compiled network and what Vela says of it. Its fields of figures are Vela's estimates.

    Attributes:
        tflite: the bytes of the .tflite file for the target.
        target: what it was compiled for.
        vela_version: of the compiler.
        cycles: NPU cycles of one inference.
        milliseconds: of one inference, at the system configuration's clock.
        sram_kib: SRAM that an inference needs, in KiB of 1024 bytes.
        dram_kib: DRAM, weights included where they lie there.
        constants_kib: weights and constants in flash, without the command stream; with `Sram_Only`
            they are copied from there to SRAM before the first inference, and need that much SRAM
            besides `sram_kib`.
        weights_kib: weights and scales after Vela's compression, wherever they lie.
        macs: multiply-accumulates of one inference.
        npu_operators: how many operators run on the NPU.
        cpu_operators: those that fall back to the CPU.
        operators: every operator, in order of execution.
        debug: Vela's debug database: which operator each operation of the stream is part of.
        allocations: where its tensors lie in the memory that it writes, and from when to when.
        traffic: of the memories that an inference uses.
    """

    tflite: bytes
    target: Target
    vela_version: str
    cycles: int
    milliseconds: float
    sram_kib: float
    dram_kib: float
    constants_kib: float
    weights_kib: float
    macs: int
    npu_operators: int
    cpu_operators: tuple[Operator, ...]
    operators: tuple[Operator, ...]
    debug: bytes = field(default=b"", repr=False)
    allocations: tuple[Allocation, ...] = field(default=(), repr=False)
    traffic: tuple[Traffic, ...] = ()

    @property
    def sram_with_weights_kib(self) -> float:
        """SRAM that an inference needs, with the weights where the memory mode puts them there."""
        in_sram = self.target.memory_name("const") == "Sram"
        return self.sram_kib + (self.constants_kib if in_sram else 0.0)

    @property
    def flash_kib(self) -> float:
        """What is flashed: the file, with weights, constants and the command stream. Measured."""
        return len(self.tflite) / 1024


def compile(tflite: bytes, target: Target) -> Compiled:
    """Compile a quantized .tflite file with Vela, in a process of its own.

    Args:
        tflite: the bytes of an int8 .tflite file.
        target: what to compile for.

    Raises:
        UnspoolError: Vela is missing, or refuses the file; the message has Vela's reason.
    """
    check_source(tflite)
    return compile_with(_run, tflite, target)


def compile_with(run_vela: Run, tflite: bytes, target: Target) -> Compiled:
    """Compile a file that `check_source` accepts with Vela, wherever that runs.

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
        arguments = [
            str(source),
            *("--accelerator-config", target.accelerator),
            *("--system-config", target.system_config),
            *("--memory-mode", target.memory_mode),
            *("--config", str(target.config.resolve())),
            *("--output-dir", folder),
            *("--verbose-performance", "--verbose-allocation"),
            *("--show-cpu-operations", "--enable-debug-db"),
        ]
        run = run_vela(arguments, Path(folder))
        if run.returncode != 0:
            raise UnspoolError(f"Vela {vela_version} refused the file for {target}: {_reason(run)}")
        try:
            return _results(Path(folder), run.stdout, target, vela_version)
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise UnspoolError(
                f"Vela {vela_version} ran, but its results cannot be read ({error!r}): "
                "expected the files of Vela 5.x"
            ) from error


def _run(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ethosu.vela", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


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
    """Refuse what Vela has nothing to do with.

    Raises:
        UnspoolError: not a .tflite file, or one that was compiled already.
    """
    if any(kind == "ethos-u" for kind, _ in flatbuffer.operators(flatbuffer.read(tflite))):
        raise UnspoolError(
            "the .tflite file has been compiled by Vela already; give the int8 file from before"
        )


def _reason(run: "subprocess.CompletedProcess[str]") -> str:
    """Vela's own explanation: the last line of its traceback, or of its output."""
    lines = [line for line in (run.stderr + run.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*Error\b", line)] or lines[-1:]
    if not errors:
        return f"exit status {run.returncode}, without a message"
    return re.sub(r"^[\w.]*Error: ", "", errors[-1]).strip("'\"").removeprefix("Error: ")


def _results(folder: Path, log: str, target: Target, vela_version: str) -> Compiled:
    (summary,) = _rows(next(folder.glob("network_summary_*.csv")))
    reasons = _cpu_reasons(log)
    operators = tuple(
        Operator(
            kind=row["Original Operator"],
            name=row["Name"],
            on_npu=row["Target"] == "NPU",
            cycles=_integer(row["Op Cycles"]),
            npu_cycles=_integer(row["NPU"]),
            sram_cycles=_integer(row["SRAM AC"]),
            dram_cycles=_integer(row["DRAM AC"]),
            flash_cycles=_integer(row["OnFlash AC"]) + _integer(row["OffFlash AC"]),
            macs=_integer(row["MAC Count"]),
            reason=reasons.get(row["Name"], "") if row["Target"] != "NPU" else "",
        )
        for row in _rows(folder / "network_per-layer.csv")
    )
    counts = dict(re.findall(r"^(CPU|NPU) operators = (\d+)", log, re.MULTILINE))
    cpu_operators = tuple(op for op in operators if not op.on_npu)
    if len(cpu_operators) != int(counts["CPU"]):
        raise ValueError(f"{counts['CPU']} CPU operators counted, {len(cpu_operators)} listed")
    return Compiled(
        tflite=(folder / "network_vela.tflite").read_bytes(),
        target=target,
        vela_version=vela_version,
        cycles=_integer(summary["cycles_total"]),
        milliseconds=1000 * float(summary["inference_time"]),
        sram_kib=float(summary["sram_memory_used"]),
        dram_kib=float(summary["dram_memory_used"]),
        constants_kib=float(summary["on_chip_flash_memory_used"])
        + float(summary["off_chip_flash_memory_used"]),
        weights_kib=float(summary["total_npu_encoded_weights"]) / 1024,
        macs=_integer(summary["nn_macs"]),
        npu_operators=int(counts["NPU"]),
        cpu_operators=cpu_operators,
        operators=operators,
        debug=(folder / "network_debug.xml").read_bytes(),
        allocations=allocations.read(log),
        traffic=_traffic(summary),
    )


def _traffic(summary: dict[str, str]) -> tuple[Traffic, ...]:
    clock = float(summary["core_clock"])
    found = (
        Traffic(
            memory=memory,
            bytes=_integer(summary[f"{key}_total_bytes"]),
            weight_bytes=_integer(summary[f"{key}_weight_read_bytes"]),
            bytes_per_cycle=float(summary[f"{key}_bandwidth"]) * 2**30 / clock,  # from GiB/s
        )
        for key, memory in _MEMORIES.items()
    )
    return tuple(traffic for traffic in found if traffic.bytes)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _integer(text: str) -> int:
    return round(float(text))


def _cpu_reasons(log: str) -> dict[str, str]:
    """Name of the written tensor -> why Vela leaves the operator on the CPU."""
    found = re.findall(
        r"^Warning \([^)]*\) operator: [^,]+, ofm: '(.*)'\n"
        r"Reason: (.*(?:\n(?!#|Warning|Info|Network).+)*)",
        log,
        re.MULTILINE,
    )
    return {name: " ".join(reason.split()) for name, reason in found}
