"""What Vela wrote and printed -> a compiled network."""

import csv
from collections.abc import Iterator
from pathlib import Path

from unspool.compilation import allocations
from unspool.compilation.compiled import Compiled, Operator, Traffic
from unspool.compilation.placement import OnCpu, Places, Position, places
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
    source, tflite = ((folder / f"network{end}.tflite").read_bytes() for end in ("", "_vela"))
    debug = (folder / "network_debug.xml").read_bytes()
    operator_places = places(source, tflite, debug, log)
    placed = list(_placed(_layers(folder / "network_per-layer.csv"), operator_places))
    on_cpu = [(op, position) for op, position in placed if not op.on_npu]
    return Compiled(
        tflite=tflite,
        target=target,
        vela_version=vela_version,
        cycles=_integer(summary["cycles_total"]),
        milliseconds=1000 * float(summary["inference_time"]),
        tensors_sram_kib=float(summary["sram_memory_used"]),
        tensors_dram_kib=float(summary["dram_memory_used"]),
        constants_kib=float(summary["on_chip_flash_memory_used"])
        + float(summary["off_chip_flash_memory_used"]),
        weights_kib=float(summary["total_npu_encoded_weights"]) / 1024,
        macs=_integer(summary["nn_macs"]),
        npu_operators=len(placed) - len(on_cpu),
        cpu_operators=tuple(op for op, _ in on_cpu),
        operators=tuple(op for op, _ in placed),
        debug=debug,
        allocations=allocations.read(log),
        traffic=_traffic(summary),
        cpu_positions=tuple(position for _, position in on_cpu),
    )


def _placed(
    rows: list[dict[str, str]], operator_places: Places
) -> Iterator[tuple[Operator, Position]]:
    """The operators in Vela's order; those of the CPU that its table leaves out are the last."""
    waiting = dict(operator_places.on_cpu)
    for row, position in zip(rows, operator_places.rows, strict=True):
        if row["Target"] == "NPU":
            yield _on_npu(row), position
        elif position in waiting:
            yield _on_cpu(waiting.pop(position)), position
    for position, operator in waiting.items():
        yield _on_cpu(operator), position


def _on_npu(row: dict[str, str]) -> Operator:
    return Operator(
        kind=row["Original Operator"],
        name=row["Name"],
        on_npu=True,
        cycles=_integer(row["Op Cycles"]),
        npu_cycles=_integer(row["NPU"]),
        sram_cycles=_integer(row["SRAM AC"]),
        dram_cycles=_integer(row["DRAM AC"]),
        flash_cycles=_integer(row["OnFlash AC"]) + _integer(row["OffFlash AC"]),
        macs=_integer(row["MAC Count"]),
    )


def _on_cpu(operator: OnCpu) -> Operator:
    """Vela estimates no cycles for the CPU."""
    return Operator(operator.kind, operator.name, False, 0, 0, 0, 0, 0, 0, operator.reason)


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


def _layers(path: Path) -> list[dict[str, str]]:
    """The same of a table in which Vela quotes nothing: the last column, a name, has commas."""
    with path.open(newline="") as file:
        heads, *rows = [line.rstrip("\r\n") for line in file]
    names = heads.split(",")
    fields = (row.split(",", len(names) - 1) for row in rows)
    return [dict(zip(names, values, strict=True)) for values in fields]


def _integer(text: str) -> int:
    return round(float(text))
