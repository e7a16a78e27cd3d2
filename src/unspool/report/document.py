"""Read a report.json, and check it before it is used."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from unspool.errors import UnspoolError
from unspool.report import listing
from unspool.report.figure import Figure, Origin
from unspool.support import files
from unspool.support.files import AnyPath
from unspool.support.text import printable

SCHEMA_VERSION = 4

NAME = "report.json"

_TARGET = ("accelerator", "system_config", "memory_mode")


@dataclass(frozen=True)
class Document:
    """What a report.json says.

    Attributes:
        path: where it was read from.
        model: the model's name.
        created: when, ISO 8601.
        target: "accelerator", "system_config", "memory_mode", "vela_config" by Vela's names.
        figures: id -> figure.
        npu_operators: how many operators run on the NPU.
        cpu_operators: (kind, name) of those that fall back to the CPU.
        versions: package -> version.
    """

    path: Path
    model: str
    created: str
    target: Mapping[str, str]
    figures: Mapping[str, Figure]
    npu_operators: int
    cpu_operators: tuple[tuple[str, str], ...]
    versions: Mapping[str, str]

    @property
    def values(self) -> dict[str, float]:
        """Figure id -> value."""
        return {name: figure.value for name, figure in self.figures.items()}


def load(path: AnyPath) -> dict[str, Any]:
    """Read a report.json, or the one in a folder, as the dictionary that it holds.

    Raises:
        UnspoolError: there is none, it is not a report of this schema version, or files that lie
            beside it are not those that it describes.
    """
    path = _file(path)
    try:
        content = json.loads(files.read(path))
        json.dumps(content, allow_nan=False)  # 1e999 is infinite, and `drift` writes it again
    except (ValueError, RecursionError) as error:
        raise _not_a_report(path, f"not JSON: {error}") from None
    if not isinstance(content, dict) or "schema_version" not in content:
        raise _not_a_report(path, "no schema_version")
    if content["schema_version"] != SCHEMA_VERSION:
        version = content["schema_version"]
        raise _not_a_report(path, f"schema_version {version!r}, expected {SCHEMA_VERSION}")
    target = content.get("target")
    if not isinstance(target, dict) or not all(isinstance(target.get(k), str) for k in _TARGET):
        raise _not_a_report(path, f"no target of {', '.join(_TARGET)}")
    try:
        listed = listing.read(content)
    except ValueError as error:
        raise _not_a_report(path, str(error)) from None
    if path.name == NAME:  # a copy stands for itself
        listing.check(path.parent, listed)
    return content


def read(path: AnyPath) -> Document:
    """Read a report.json, or the one in a folder.

    Raises:
        UnspoolError: there is none, or it is not a report of this schema version, whole.
    """
    content, path = load(path), _file(path)
    try:
        placement = content["placement"]
        return Document(
            path=path,
            model=_text(content["model"]["name"]),
            created=_text(content["created"]),
            target={_text(key): _text(value) for key, value in content["target"].items()},
            figures={key: _figure(key, figure) for key, figure in content["figures"].items()},
            npu_operators=int(placement["npu_operators"]),
            cpu_operators=tuple(
                (_text(op["kind"]), _text(op["name"])) for op in placement["cpu_operators"]
            ),
            versions={_text(key): _text(value) for key, value in content["versions"].items()},
        )
    except KeyError as error:
        raise _not_a_report(path, f"no {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise _not_a_report(path, str(error)) from None


def _file(path: AnyPath) -> Path:
    path = Path(path)
    files.check_regular(path)
    return path / NAME if path.is_dir() else path


def _figure(key: str, figure: dict[str, Any]) -> Figure:
    value = figure["value"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise ValueError(f"figure {key} is {value!r}, expected a finite number")
    origin = figure["origin"]
    if origin not in get_args(Origin):
        raise ValueError(f"figure {key} is {origin!r}, expected {', '.join(get_args(Origin))}")
    label, unit, how = (_text(figure[name]) for name in ("label", "unit", "how"))
    return Figure(_text(key), label, value, unit, origin, how)


def _text(value: Any) -> str:
    """What a report says, which anybody can have written, as it can be shown."""
    return printable(str(value))


def _not_a_report(path: AnyPath, reason: str) -> UnspoolError:
    return UnspoolError(
        f"{path}: not a report of unspool ({reason}); expected a {NAME} that unspool deploy, "
        "mnist or compile wrote: run it again"
    )
