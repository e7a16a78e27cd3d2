"""What lies where a command writes its results: those of before, the new ones, or neither."""

import hashlib
import json
import re
from pathlib import Path

from kills import given

_STAGED = ".unspool-"
_TIMES = re.compile(rb"20\d\d-\d\d-\d\d[T ][\d:]+")


def state(command: str, out: Path) -> str:
    """'nothing', 'older', 'whole', 'trained' (its model alone), or what is mixed."""
    files = _files(out)
    if not files:
        return "nothing"
    if files == _files(given.results(given.OLDER, command) / "out"):
        return "older"
    if command in ("deploy", "compress"):
        return "trained" if files.keys() == {"model.keras"} else _as_reported(files)
    made = _files(given.results(given.NETWORK, command) / "out")
    return "whole" if _timeless(files) == _timeless(made) else f"mixed: {sorted(files)}"


def staged(out: Path) -> list[str]:
    """What is not in its place yet."""
    return sorted(path.name for path in out.glob(f"{_STAGED}*"))


def _as_reported(files: dict[str, bytes]) -> str:
    """Training is not the same to the last bit each time: report.json says what belongs to it."""
    if "report.json" not in files:
        return f"mixed, without report.json: {sorted(files)}"
    listed = json.loads(files.pop("report.json"))["files"]
    hashed = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    odd = sorted({name for name, _ in hashed.items() ^ listed.items()})
    return f"mixed: not as report.json has it: {odd}" if odd else "whole"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(_STAGED)
    }


def _timeless(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the times at which they were written."""
    return {name: _TIMES.sub(b"", content) for name, content in files.items()}
