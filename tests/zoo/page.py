"""docs/zoo.md: a table for each group of the zoo, and what is lost."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.core import Architecture, slug

HEAD = """# The zoo

{total} networks as people publish them, at their own lengths and widths. Each is deployed with
Unspool and with the flow of Arm's guide (`TFLiteConverter`, `unroll=True`), on the same weights in
the same run. `make zoo` writes this page; it goes on where it was stopped. {count} are measured so
far.

Each network is trained for a moment, on signals that are made up for its task. So the figures say
what becomes of a network on its way to the NPU. They do not say how good it is at its task.

How each figure comes about:

- **Calibration**: 100 samples, unless a note says fewer. Fresh samples, 200 or the number in the
  notes, give accuracy and error.
- **Keras, int8**: percent of right classes. For values: the root mean square error (rmse) against
  what was to be predicted, in the task's unit. int8 runs in TFLM. Outputs are separated by ";".
- **Error**: mean absolute difference of int8 from Keras, in percent of the range of an output
  column; of the column where it is largest. Only columns that vary are counted.
- **TFLM's bytes**: for how many calibration samples the compiled binary, simulated, gives the bytes
  that TFLM gives.
- **Flash**: the size of the compiled file. **Constants**: what Vela counts as weights and constants
  in flash; the command stream is not in it.
- **Cycles**: Vela's estimate for ethos-u55-128, `Ethos_U55_High_End_Embedded`, `Shared_Sram`. Of a
  stream: of one call. The guide's flow has no states and takes the whole sequence at once.
- **NPU / CPU**: operators.
- **Seconds**: from the trained model to the compiled file and, with Unspool, its comparison with
  Keras, TFLM and the simulator. On one core that was shared with other work.

No time was spent on remedies (`remedy_seconds=0`). Unspool tries those by itself where an error is
too large: int16 activations, other calibrations, quantization-aware fine-tuning.

Measured on {machine}; {versions}; Unspool at {commits}.
"""
PACKAGES = (
    "tensorflow-cpu",
    "keras",
    "ai-edge-litert",
    "litert-quantizer",
    "ethos-u-vela",
    "tflite-micro",
)
COLUMNS = (
    "network",
    "flow",
    "Keras",
    "int8",
    "error, %",
    "TFLM's bytes",
    "flash, KiB",
    "constants, KiB",
    "cycles",
    "NPU / CPU",
    "s",
)
FLOWS = {"unspool": "Unspool", "guide": "guide's"}
Rows = dict[str, dict[str, Any]]
PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"


@dataclass(frozen=True)
class Placed:
    """What the page says of a network in Unspool's flow.

    Attributes:
        npu_operators: operators on the NPU.
        cpu_operators: operators on the CPU.
    """

    npu_operators: int
    cpu_operators: int


def recorded() -> dict[str, Placed | None]:
    """Slug of an architecture -> what the page says of it; None where it is not deployed."""
    placements: dict[str, Placed | None] = {}
    for name, row in re.findall(r"^\| (\S.*?) \| Unspool \| (.*) \|$", PAGE.read_text(), re.M):
        placed = re.search(r" \| (\d+) / (\d+) \| \d+$", row)
        placements[slug(name.replace("\\", ""))] = placed and Placed(int(placed[1]), int(placed[2]))
    return placements


def page(zoo: Sequence[Architecture], folder: Path) -> str:
    """The page, of those architectures whose rows are there."""
    rows: dict[str, Rows] = {}
    for entry in zoo:
        path = folder / "rows" / f"{entry.slug}.json"
        if path.is_file():
            flow_rows = json.loads(path.read_text())
            if "unspool" in flow_rows:
                rows[entry.name] = flow_rows
    shown = [entry for entry in zoo if entry.name in rows]
    parts = [HEAD.format(total=len(zoo), count=len(rows), **_origin(rows)), _totals(shown, rows)]
    for group in dict.fromkeys(entry.group for entry in shown):
        here = [entry for entry in shown if entry.group == group]
        parts.append(f"## {group}\n")
        parts.append(f"| {' | '.join(COLUMNS)} |")
        parts.append(f"| --- | --- |{' ---: |' * (len(COLUMNS) - 2)}")
        for entry in here:
            flow_rows = rows[entry.name]
            parts += [_line(entry, flow, flow_rows[flow]) for flow in FLOWS if flow in flow_rows]
        parts.append("")
        parts += [f"- {entry.name}: <{entry.source}>; {_note(entry)}." for entry in here]
        parts.append("")
    parts.append(_lost(shown, rows))
    return "\n".join(parts)


def _origin(rows: dict[str, Rows]) -> dict[str, str]:
    """Machine, versions and commits."""
    commits = {row["commit"] for flow_rows in rows.values() for row in flow_rows.values()}
    return {
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commits": ", ".join(sorted(commits)),
    }


def _totals(shown: Sequence[Architecture], rows: dict[str, Rows]) -> str:
    """What holds over all of them, in a list."""
    own = [rows[entry.name]["unspool"] for entry in shown]
    own = [row for row in own if "outputs" in row]
    compared = [row for row in own if row["compared"]]
    equal = sum(row["equal"] == row["compared"] for row in compared)
    within = sum(max(o["error_percent"] for o in row["outputs"]) <= 2 for row in own)
    on_npu = sum(not row["cpu_operators"] for row in own)
    lines = [
        f"{len(own)} of {len(rows)} go through Unspool; {on_npu} of them run on the NPU alone.",
        f"The binary gives TFLM's bytes on every sample for {equal} of {len(compared)} that were "
        "simulated.",
        f"The error is 2 % or less for {within} of {len(own)}.",
    ]
    guide = [row["guide"] for row in rows.values() if "guide" in row]
    ran = [row for row in guide if "outputs" in row]
    if guide:
        lines.append(
            f"The guide's flow gives a network that TFLM runs for {len(ran)} of {len(guide)}."
        )
    lines += _ratios([rows[entry.name] for entry in shown if not entry.states])
    return "\n".join(["In short:\n", *[f"- {text}" for text in lines], ""])


def _ratios(rows: Sequence[Rows]) -> list[str]:
    """What the guide's flow takes beside Unspool, where both have a binary; without streams."""
    both = [row for row in rows if all("cycles" in row.get(flow, {}) for flow in FLOWS)]
    lines = []
    for what, key in (("flash", "flash_kib"), ("cycles", "cycles")) if both else ():
        ratios = sorted(row["guide"][key] / row["unspool"][key] for row in both)
        lines.append(
            f"The guide's flow takes {ratios[0]:.1f} to {ratios[-1]:.1f} times the {what}, "
            f"{ratios[len(ratios) // 2]:.1f} times in the middle of {len(both)} networks."
        )
    return lines


def _line(entry: Architecture, flow: str, row: dict[str, Any]) -> str:
    first = entry.name if flow == "unspool" else ""
    cells = [first, FLOWS[flow]]
    if "cycles" not in row:
        cells += ["", _trouble(row), *[""] * (len(COLUMNS) - 4)]
        return _cells(cells)
    outputs = row.get("outputs", [])
    cells += ["; ".join(_score(output, which) for output in outputs) for which in ("float", "int8")]
    if not outputs:
        cells[-1] = "does not run in TFLM"
    cells.append("; ".join(f"{output['error_percent']:.2f}" for output in outputs))
    if flow == "guide":
        cells.append("")
    else:
        cells.append(f"{row['equal']} of {row['compared']}" if row["compared"] else "not simulated")
    cells += [
        f"{row['flash_kib']:.1f}",
        f"{row['constants_kib']:.1f}",
        f"{row['cycles']:,}",
        f"{row['npu_operators']} / {row['cpu_operators']}",
        f"{row['seconds']:.0f}",
    ]
    return _cells(cells)


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text)


def _note(entry: Architecture) -> str:
    fewer = []
    if entry.tested != 200:
        fewer.append(f"{entry.tested} fresh samples")
    if entry.calibration != 100:
        fewer.append(f"{entry.calibration} calibration samples")
    return "; ".join([entry.note, *fewer])


def _score(output: dict[str, Any], which: str) -> str:
    value = output[which]
    return f"{value:.1f} %" if output["unit"] == "%" else f"rmse {value:.3g}"


def _trouble(row: dict[str, Any]) -> str:
    if "crashes" in row:
        return f"crashes ({row['crashes']})"
    return f"fails: {row['fails'][:160]}"


def _lost(shown: Sequence[Architecture], rows: dict[str, Rows]) -> str:
    """What is not equal, not on the NPU or not accurate, in the words of Unspool's verdict."""
    parts = [
        "## What is lost, and why\n",
        "What Unspool's own verdict says against a network. It looks at the calibration samples, "
        "the tables above at fresh ones.\n",
    ]
    for entry in shown:
        row = rows[entry.name]["unspool"]
        if "fails" in row or "crashes" in row:
            said = [_trouble(row)]
        else:
            said = [*row["said"], *dict.fromkeys(text.partition(" ###")[0] for text in row["cpu"])]
            said += [f"not measured: {text}" for text in row["not_measured"]]
        if said:
            parts.append(f"- {entry.name}:")
            parts += [f"  - {_plain(text)}" for text in said]
    troubles = [e for e in shown if "outputs" not in rows[e.name].get("guide", {"outputs": ()})]
    if troubles:
        parts.append("\nWhere the guide's flow gives no network that runs, its last words:\n")
        for entry in troubles:
            row = rows[entry.name]["guide"]
            text = f"TFLM: {row['not_run']}" if "not_run" in row else _trouble(row)
            parts.append(f"- {entry.name}: {_plain(text[:300])}")
    return "\n".join(parts) + "\n"
