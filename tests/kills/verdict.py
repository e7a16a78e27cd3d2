"""What is wrong after a command was killed: with how it ended, and with what it left."""

import signal
import subprocess
from pathlib import Path

from commands import COMMAND

from kills import given, results
from kills.killing import Ended, Moment, environment

INTERRUPTED = "unspool: interrupted"


def wrong(moment: Moment, ended: Ended, place: Path) -> list[str]:
    """What should be otherwise, a line each."""
    faults = [f"processes never ended: {ended.left}"] if ended.left else []
    if ended.status == -1000:
        faults.append("hung")
    stray = {path.name for path in place.iterdir()} - {"given", "temporary", "out"}
    if stray:
        faults.append(f"left beside the results: {sorted(stray)}")
    if moment.by == signal.SIGKILL:
        return [*faults, *_after_a_kill(moment, place)]
    return [*faults, *_ending(moment, ended), *_left(moment, ended, place)]


def _ending(moment: Moment, ended: Ended) -> list[str]:
    if not ended.began:  # Python itself was still beginning: it ends as it likes
        return []
    lines = ended.stderr.splitlines() or [""]
    if "Traceback" not in ended.stderr:
        if ended.status == 128 + moment.by and lines[-1] == INTERRUPTED:
            return []
        if ended.status == 0 and INTERRUPTED not in lines:
            return []
    return [f"status {ended.status}, stderr {ended.stderr[-1500:]!r}"]


def _left(moment: Moment, ended: Ended, place: Path) -> list[str]:
    faults = [f"TMPDIR: {path.name}" for path in (place / "temporary").iterdir()]
    faults += [f"in out: {name}" for name in results.staged(place / "out")]
    state = results.state(moment.command, place / "out")
    if state not in _allowed(moment, ended):
        faults.append(f"results: {state}")
    if state == "nothing" and moment.command != "simulate" and (place / "out").exists():
        faults += [] if moment.over else ["an empty folder"]
    return faults


def _allowed(moment: Moment, ended: Ended) -> set[str]:
    if ended.status == 0:
        return {"whole"}
    # compress keeps what it trained, and removes what is not of that model first
    trained = {"trained", "nothing"} if moment.command == "compress" else set[str]()
    return {"whole", "older" if moment.over else "nothing", *trained}


def _after_a_kill(moment: Moment, place: Path) -> list[str]:
    """Nobody can clean up after a kill -9 but the next command."""
    faults = []
    out, state = place / "out", results.state(moment.command, place / "out")
    if state.startswith("mixed"):
        check = _run(place, *COMMAND, "check", "out", "--no-cpu")
        if moment.command not in ("deploy", "compress") or check.returncode != 2:
            faults.append(f"results: {state}; check says {check.returncode}: {check.stderr[-500:]}")
    if any((place / "temporary").iterdir()):
        _run(place, *COMMAND, "check", "out", "--no-cpu")
        faults += [f"TMPDIR, still: {path.name}" for path in (place / "temporary").iterdir()]
    if results.staged(out) or faults:
        again = _run(place, *given.arguments(moment.command))
        if again.returncode:
            faults.append(f"again: status {again.returncode}, {again.stderr[-500:]!r}")
        faults += [f"in out, still: {name}" for name in results.staged(out)]
        if (state := results.state(moment.command, out)) != "whole":
            faults.append(f"results of the next command: {state}")
    return faults


def _run(place: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=place, env=environment(place), capture_output=True, text=True, check=False
    )
