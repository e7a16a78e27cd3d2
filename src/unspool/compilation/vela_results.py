"""What Vela wrote and printed -> a compiled network."""

import csv
import re
from pathlib import Path

from unspool.compilation import allocations
from unspool.compilation.compiled import Compiled, Operator, Traffic
from unspool.compilation.targets import Target

_MEMORIES = {  # Vela's columns -> names
    "sram": "SRAM",
    "dram": "DRAM",
    "on_chip_flash": "on-chip flash",
    "off_chip_flash": "off-chip flash",
}


def read(folder: Path, log: str, target: Target, vela_version: str) -> Compiled:
    """Read the results of compiling `network.tflite`.

    Args:
        folder: that Vela wrote to.
        log: what it printed.
        target: what it compiled for.
        vela_version: its version.

    Raises:
        OSError, KeyError, IndexError, ValueError: they are not those of Vela 5.x.
    """
    (summary,) = _rows(next(folder.glob("network_summary_*.csv")))
    reasons = _cpu_reasons(log)
    operators = tuple(_operator(row, reasons) for row in _rows(folder / "network_per-layer.csv"))
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


def _operator(row: dict[str, str], reasons: dict[str, str]) -> Operator:
    on_npu = row["Target"] == "NPU"
    return Operator(
        kind=row["Original Operator"],
        name=row["Name"],
        on_npu=on_npu,
        cycles=_integer(row["Op Cycles"]),
        npu_cycles=_integer(row["NPU"]),
        sram_cycles=_integer(row["SRAM AC"]),
        dram_cycles=_integer(row["DRAM AC"]),
        flash_cycles=_integer(row["OnFlash AC"]) + _integer(row["OffFlash AC"]),
        macs=_integer(row["MAC Count"]),
        reason="" if on_npu else reasons.get(row["Name"], ""),
    )


def _traffic(summary: dict[str, str]) -> tuple[Traffic, ...]:
    clock = float(summary["core_clock"])
    memories = (
        Traffic(
            memory=memory,
            bytes=_integer(summary[f"{key}_total_bytes"]),
            weight_bytes=_integer(summary[f"{key}_weight_read_bytes"]),
            bytes_per_cycle=float(summary[f"{key}_bandwidth"]) * 2**30 / clock,  # from GiB/s
        )
        for key, memory in _MEMORIES.items()
    )
    return tuple(traffic for traffic in memories if traffic.bytes)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _integer(text: str) -> int:
    return round(float(text))


def _cpu_reasons(log: str) -> dict[str, str]:
    """Name of the written tensor -> why Vela leaves the operator on the CPU."""
    matches = re.findall(
        r"^Warning \([^)]*\) operator: [^,]+, ofm: '(.*)'\n"
        r"Reason: (.*(?:\n(?!#|Warning|Info|Network).+)*)",
        log,
        re.MULTILINE,
    )
    return {name: " ".join(reason.split()) for name, reason in matches}
