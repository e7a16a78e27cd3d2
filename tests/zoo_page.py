"""docs/zoo.md: a table for each group of the zoo."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo_core import Architecture

HEAD = """# The zoo

{count} networks as people publish them, at their lengths and widths, deployed with Unspool and with
the flow of Arm's guide (`TFLiteConverter`, `unroll=True`) on the same weights. Written by
`python tests/zoo.py`.

Each is trained for a moment on signals that are made up for its task: the figures say what becomes
of a network, not how good it is. Calibration: 100 samples. Accuracy, in percent of classes, and
error are measured on fresh samples (300; fewer where an inference takes long), int8 in TFLM:

- **trained, int8**: accuracy, or for values the root mean square error (rmse) against what was to
  be predicted, in the task's unit.
- **error**: mean absolute error of int8 against Keras, as a percentage of the range of the output
  column where it is largest.
- **equal**: calibration samples for which the binary, simulated, gives TFLM's bytes.
- **flash, cycles**: Vela's estimate for ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram.
  Streams: of one call; the guide's flow has no states and takes a whole sequence at once.
- **NPU, CPU**: operators. **s**: from the trained model to the binary and its comparison.
- "fails" and "crashes" are the flow's own last words.

Measured on {machine}; {versions}; commit {commit}.
"""
PACKAGES = ("tensorflow-cpu", "keras", "ai-edge-litert", "litert-quantizer", "ethos-u-vela")

COLUMNS = (
    "architecture",
    "trained",
    "int8",
    "error, %",
    "equal",
    "flash, KiB",
    "compiled, KiB",
    "cycles",
    "NPU / CPU",
    "s",
    "guide: int8",
    "guide: error, %",
    "guide: flash, KiB",
    "guide: cycles",
    "guide: NPU / CPU",
)


def page(zoo: Sequence[Architecture], folder: Path) -> str:
    """The page, of those rows that are there."""
    rows = {}
    for entry in zoo:
        path = folder / "rows" / f"{entry.slug}.json"
        if path.is_file():
            rows[entry.name] = json.loads(path.read_text())
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    parts = [
        HEAD.format(count=len(rows), machine=machine, versions=versions, commit=commit or "unknown")
    ]
    for group in dict.fromkeys(entry.group for entry in zoo):
        here = [entry for entry in zoo if entry.group == group and entry.name in rows]
        if not here:
            continue
        parts.append(f"## {group}\n")
        parts.append(f"| {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * (len(COLUMNS) - 1)}")
        parts += [_row(entry, rows[entry.name]) for entry in here]
        parts.append("")
        parts += [f"- {entry.name}: <{entry.source}>; {entry.note}" for entry in here]
        parts.append("")
    return "\n".join(parts)


def _row(entry: Architecture, rows: dict[str, Any]) -> str:
    own, guide = rows.get("unspool", {}), rows.get("guide", {})
    cells = [entry.name]
    if "outputs" in own:
        cells += [
            _each(own, "float"),
            _each(own, "int8"),
            "; ".join(f"{output['error_percent']:.2f}" for output in own["outputs"]),
            f"{own['equal']} of {own['compared']}" if own["compared"] else "not simulated",
            *_size(own),
            f"{own['seconds']:.0f}",
        ]
        cells.insert(6, f"{own['file_kib']:.1f}")
    else:
        cells += [_trouble(own), *[""] * 8]
    if "flash_kib" in guide:
        runs = "outputs" in guide
        cells += [_each(guide, "int8")] if runs else [f"does not run: {guide.get('not_run')}"]
        error = [f"{output['error_percent']:.2f}" for output in guide.get("outputs", [])]
        cells += ["; ".join(error), *_size(guide)]
    else:
        cells += [_trouble(guide), *[""] * 4]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _each(row: dict[str, Any], which: str) -> str:
    return "; ".join(
        f"{output[which]:.1f} %" if output["unit"] == "%" else f"rmse {output[which]:.3g}"
        for output in row["outputs"]
    )


def _size(row: dict[str, Any]) -> list[str]:
    operators = f"{row['npu_operators']} / {row['cpu_operators']}"
    return [f"{row['flash_kib']:.1f}", f"{row['cycles']:,}", operators]


def _trouble(row: dict[str, Any]) -> str:
    if "crashes" in row:
        return f"crashes ({row['crashes']})"
    return f"fails: {row['fails']}"[:240] if "fails" in row else ""
