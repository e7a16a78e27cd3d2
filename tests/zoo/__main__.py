"""What becomes of each architecture: a row for each, and docs/zoo.md.

    PYTHONPATH=tests python -m zoo [--only NAME ...] [--quick] [--again FLOW ...] [--minutes N]

trains each for a moment, deploys it, measures it on fresh samples, and does the same with the flow
of Arm's guide on the same weights. Rows are kept in a folder as they come: a run that was stopped
goes on, and --again makes rows anew.
"""

import argparse
import functools
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # takes one core

import unspool
from zoo import ZOO, Architecture
from zoo.page import page
from zoo.worker import FLOWS, Worker


@functools.cache
def commit() -> str:
    """Git's name of what is measured."""
    command = ["git", "-C", str(Path(unspool.__file__).parent), "describe", "--always", "--dirty"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "an unknown commit"


def measured(
    entry: Architecture, folder: Path, flows: Sequence[str], again: Sequence[str], worker: Worker
) -> dict[str, Any]:
    """The rows of an architecture; those that are there are kept, unless asked for again."""
    path = folder / "rows" / f"{entry.slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    if "train" in again:
        (folder / "models" / f"{entry.slug}.keras").unlink(missing_ok=True)
    for flow in flows:
        if flow not in rows or flow in again:
            rows[flow] = {"commit": commit(), **worker.run(entry.name, flow)}
            path.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def line(entry: Architecture, rows: dict[str, Any]) -> str:
    """What is printed of an architecture."""
    row, guide = (rows.get(flow, {"fails": "not run"}) for flow in ("unspool", "guide"))
    took = "+".join(f"{row.get('wall_seconds', 0):.0f}" for row in rows.values())
    if "outputs" not in row:
        return f"{entry.name}: {row.get('fails') or row.get('crashes')} ({took} s)"
    parts = [
        f"{o['float']:.4g} -> {o['int8']:.4g} {o['unit']}, error {o['error_percent']:.2f} %"
        for o in row["outputs"]
    ]
    other = guide.get("fails") or guide.get("crashes") or guide.get("not_run")
    if not other:
        first = guide["outputs"][0]
        other = f"{first['int8']:.4g}, error {first['error_percent']:.2f} %"
    return (
        f"{entry.name}: {'; '.join(parts)}; {row['equal']}/{row['compared']} equal; "
        f"{row['cycles']:,} cycles; CPU {row['cpu_operators']}; {took} s | guide: {other}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="parts of names")
    parser.add_argument("--quick", action="store_true", help="those that take a few seconds")
    parser.add_argument("--flows", nargs="+", choices=list(FLOWS), default=list(FLOWS))
    parser.add_argument("--again", nargs="+", choices=list(FLOWS), default=[])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begins no more then")
    parser.add_argument("--folder", type=Path, default=Path("zoo-out"))
    parser.add_argument("--out", type=Path, default=Path("docs/zoo.md"))
    given = parser.parse_args()
    parts = given.only or [""]
    by_name = {entry.name: entry for part in parts for entry in ZOO if part in entry.name}
    chosen = [entry for entry in by_name.values() if entry.quick or not given.quick]
    end = time.monotonic() + 60 * given.minutes
    worker = Worker(given.folder)
    try:
        for number, entry in enumerate(chosen, 1):
            if time.monotonic() > end:
                print("the time is over: run it again to go on")
                break
            rows = measured(entry, given.folder, given.flows, given.again, worker)
            print(f"{number}/{len(chosen)} {line(entry, rows)}", flush=True)
            given.out.write_text(page(ZOO, given.folder))
    finally:
        worker.stop()


if __name__ == "__main__":
    main()
