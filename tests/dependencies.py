"""What pyproject.toml declares, what is installed of it, and what that brings along."""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements" / "tested.txt"

LOCKED = ("test", "docs", "examples")
"""The extras whose versions are in requirements/tested.txt, beside the core."""

TOOLS = {"pip", "setuptools", "wheel"}
"""What a virtual environment comes with: `pip freeze` leaves it out, and so do the pins."""

LOCKED_ON = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "implementation_name": "cpython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
}


def _project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def extras() -> list[str]:
    return list(_project()["optional-dependencies"])


def core() -> list[Requirement]:
    return [Requirement(text) for text in _project()["dependencies"]]


def of_extra(name: str) -> list[Requirement]:
    return [Requirement(text) for text in _project()["optional-dependencies"][name]]


def name_of(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def holds(
    requirement: Requirement, extra: str = "", environment: dict[str, str] | None = None
) -> bool:
    """Whether a requirement's marker is true: here, or in an environment."""
    marker = requirement.marker
    return marker is None or marker.evaluate({**(environment or {}), "extra": extra})


def required(package: Distribution, extra: str = "") -> list[Requirement]:
    """What a distribution says that it needs here, alone or with one of its extras."""
    wanted = [Requirement(text) for text in package.requires or []]
    return [each for each in wanted if holds(each, extra)]


def brought(requirements: Iterable[Requirement]) -> dict[str, Distribution]:
    """Name -> what is installed by these requirements, whatever they need included."""
    packages: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    ahead = [each for each in requirements if holds(each)]
    while ahead:
        requirement = ahead.pop()
        name = name_of(requirement)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in done:
                done.add((name, extra))
                packages[name] = distribution(name)
                ahead += required(packages[name], extra)
    return packages


def is_installed(name: str, version: Version) -> bool:
    try:
        return Version(distribution(name).version) == version
    except PackageNotFoundError:
        return False


def pins() -> dict[str, Version]:
    """Name -> the version that requirements/tested.txt has."""
    lines = [line for line in PINS.read_text().splitlines() if not line.startswith("#")]
    versions = {}
    for line in lines:
        matched = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.+!]+)", line)
        assert matched, f"{line!r} is no name==version: a path, an address or a range"
        versions[matched[1]] = Version(matched[2])
    assert len(versions) == len(lines), "a name twice"
    return versions
