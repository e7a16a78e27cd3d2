"""Real architectures at real lengths and widths, as people publish them: what becomes of each.

    python tests/zoo.py [--only NAME ...] [--out docs/zoo.md] [--folder zoo-out] [--again FLOW ...]

trains each for a moment, deploys it, measures it on fresh samples, and does the same with the flow
of Arm's guide on the same weights. Each flow runs in a process of its own with a time limit. Rows
are kept in the folder as they come: a run that was stopped goes on, and --again makes rows anew.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo_body import BODY
from zoo_core import Architecture, Arrays, trained
from zoo_forecasts import FORECASTS
from zoo_heart import HEART
from zoo_machines import MACHINES
from zoo_motion import MOTION
from zoo_page import page
from zoo_sounds import SOUND
from zoo_visions import VISION

__all__ = ["ZOO", "Architecture", "Arrays", "trained"]

ZOO: tuple[Architecture, ...] = (
    *MOTION,
    *HEART,
    *BODY,
    *SOUND,
    *MACHINES,
    *FORECASTS,
    *VISION,
)

FLOWS = {"train": 900, "unspool": 1800, "guide": 600}
"""What is done with each architecture, and for how many seconds at most."""


def architecture(name: str) -> Architecture:
    """The architecture of a name."""
    return next(entry for entry in ZOO if entry.name == name)


def run(name: str, flow: str, folder: Path) -> dict[str, Any]:
    """One flow in a process of its own."""
    log = folder / "logs" / f"{architecture(name).slug}-{flow}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    answer = log.with_suffix(".json")
    answer.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--child", name, flow, str(answer)]
    command += ["--folder", str(folder)]
    start = time.perf_counter()
    with log.open("w") as file:
        child = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            status = child.wait(FLOWS[flow])
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return {"fails": f"took more than {FLOWS[flow]} s", "seconds": FLOWS[flow]}
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    took = time.perf_counter() - start
    if answer.is_file():
        return {"wall_seconds": took, **json.loads(answer.read_text())}
    if status < 0:
        return {"crashes": signal.Signals(-status).name, "seconds": took}
    last = [line for line in log.read_text().splitlines() if line.strip()][-1:]
    return {"fails": (last or [f"exit status {status}"])[0], "seconds": took}


def child(name: str, flow: str, answer: Path, folder: Path) -> None:
    """What the process of a flow does."""
    entry = architecture(name)
    try:
        start = time.perf_counter()
        model = trained(entry, folder / "models")
        row: dict[str, Any] = {
            "seconds": time.perf_counter() - start,
            "parameters": model.count_params(),
        }
        if flow != "train":
            import zoo_measure

            measure = {"unspool": zoo_measure.by_unspool, "guide": zoo_measure.by_guide}[flow]
            row = measure(entry, model)
    except Exception as error:
        traceback.print_exc()
        message = [line for line in str(error).splitlines() if line.strip()][-1:] or [""]
        row = {"fails": f"{type(error).__name__}: {message[0]}"}
    answer.write_text(json.dumps(row, indent=1))


def measured(entry: Architecture, folder: Path, again: Sequence[str]) -> dict[str, Any]:
    """The rows of an architecture; those that are there are kept, unless asked for again."""
    path = folder / "rows" / f"{entry.slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if "train" in again:
        (folder / "models" / f"{entry.slug}.keras").unlink(missing_ok=True)
    for flow in FLOWS:
        if flow not in rows or flow in again:
            rows[flow] = run(entry.name, flow, folder)
            path.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def line(entry: Architecture, rows: dict[str, Any]) -> str:
    """What is printed of an architecture."""
    row = rows["unspool"]
    if "outputs" not in row:
        return f"{entry.name}: {row.get('fails') or row.get('crashes')}"
    parts = [
        f"{o['float']:.4g} -> {o['int8']:.4g} {o['unit']}, error {o['error_percent']:.2f} %"
        for o in row["outputs"]
    ]
    equal = f"{row['equal']}/{row['compared']} equal"
    guide = rows["guide"]
    other = guide.get("fails") or guide.get("crashes") or guide.get("not_run")
    if not other:
        other = (
            f"{guide['outputs'][0]['int8']:.4g}, error {guide['outputs'][0]['error_percent']:.2f} %"
        )
    return (
        f"{entry.name}: {'; '.join(parts)}; {equal}; {row['cycles']:,} cycles; "
        f"{row['seconds']:.0f} s | guide: {other}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts of names")
    parser.add_argument("--out", type=Path, default=Path("docs/zoo.md"))
    parser.add_argument("--folder", type=Path, default=Path("zoo-out"))
    parser.add_argument("--again", nargs="+", choices=list(FLOWS), default=[])
    parser.add_argument("--quick", action="store_true", help="those that take a few seconds")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, flow, answer = given.child
        child(name, flow, Path(answer), given.folder)
        return
    chosen = [
        entry
        for entry in ZOO
        if (not given.only or any(part in entry.name for part in given.only))
        and (entry.quick or not given.quick)
    ]
    for number, entry in enumerate(chosen, 1):
        rows = measured(entry, given.folder, given.again)
        print(f"{number}/{len(chosen)} {line(entry, rows)}", flush=True)
        given.out.write_text(page(ZOO, given.folder))


if __name__ == "__main__":
    main()
