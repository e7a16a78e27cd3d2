"""Dependencies: declared where they are imported, pinned as they were tested, of known licences."""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from dependencies import (
    LOCKED_ON,
    TOOLS,
    brought,
    core,
    extras,
    holds,
    is_installed,
    name_of,
    of_extra,
    pins,
    required,
)
from imports import foreign, foreign_of
from licences import COMPATIBLE, licences
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import unspool

SOURCES = Path(unspool.__file__).parent

NOT_PINNED = {"release"}
"""Extras that `make test` runs nothing of."""

THEIR_OWN = {"torch"}
"""Modules of no dependency: whoever gives a `torch.nn.Module` has it."""

OPTIONAL = ("dask", "onnx", "ray")
"""Extras that Unspool itself imports; the others are for work on it."""

LOCKED_HERE = " and ".join(
    f"{key} == {LOCKED_ON[key]!r}" for key in ("python_version", "sys_platform", "platform_machine")
)

IMPORTED = foreign_of(SOURCES)


def names(requirements: Iterable[Requirement]) -> set[str]:
    """Distributions that are asked for by name, or by the extra of one: `dask[distributed]`."""
    package_names = set()
    for requirement in requirements:
        package_names.add(name_of(requirement))
        for extra in requirement.extras:
            of_it = distribution(requirement.name)
            package_names |= {
                name_of(each) for each in {*required(of_it, extra)} - {*required(of_it)}
            }
    return package_names


@cache
def _provided() -> Mapping[str, list[str]]:
    return packages_distributions()


def providers(module: str) -> set[str]:
    """Distributions that a module is of; of one that is not installed, its own name."""
    return {canonicalize_name(name) for name in _provided().get(module, [module])}


def test_what_is_imported_is_declared() -> None:
    """At import time from the core alone; from an extra in a function, or behind `try`."""
    always = names(each for each in core() if holds(each))
    sometimes = names(each for extra in OPTIONAL for each in of_extra(extra))
    undeclared = {
        f"{where}: {module}{'' if later else ', at import time'}"
        for (module, later), where in IMPORTED.items()
        if not providers(module) & always
        and not (later and (providers(module) & sometimes or module in THEIR_OWN))
    }
    assert not undeclared


def test_what_is_declared_is_imported() -> None:
    imported = {name for module, _ in IMPORTED for name in providers(module)}
    assert not names(each for each in core() if holds(each)) - imported


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_dependency_under_a_marker_has_one_for_other_machines(machine: str) -> None:
    here = {"platform_machine": machine}
    held = [name_of(each) for each in core() if each.marker and holds(each, environment=here)]
    assert held == (["tensorflow-cpu"] if machine == "x86_64" else ["tensorflow"])


def test_every_declared_dependency_is_pinned_within_its_range() -> None:
    declared = [*core(), *(r for each in set(extras()) - NOT_PINNED for r in of_extra(each))]
    pinned = pins()
    assert not names(r for r in declared if holds(r, environment=LOCKED_ON)) - set(pinned)
    wrong = {
        f"{each}: {pinned[name_of(each)]}"
        for each in declared
        if holds(each, environment=LOCKED_ON)
        and not each.specifier.contains(pinned[name_of(each)], prereleases=True)
    }
    assert not wrong, "`make lock` after `make test`"


def test_what_a_pinned_version_needs_is_pinned_too() -> None:
    """Of those that are installed in that version: all of them, in CI's job `tested`."""
    if not holds(Requirement(f"here; {LOCKED_HERE}")):
        pytest.skip("the pins are of another Python or machine")
    pinned = pins()
    installed = [
        distribution(name) for name, version in pinned.items() if is_installed(name, version)
    ]
    needed = {name_of(each) for package in installed for each in required(package)}
    assert not needed - TOOLS - set(pinned)


def test_licences_of_what_the_core_brings_are_compatible() -> None:
    package_licences = {name: licences(name, each) for name, each in brought(core()).items()}
    assert not {name: each for name, each in package_licences.items() if not each <= COMPATIBLE}


@pytest.mark.parametrize(
    "said, expected",
    [
        ("License-Expression: MIT AND GPL-3.0-only", {"MIT", "GPL-3.0-only"}),
        ("License: long\nClassifier: License :: OSI Approved :: BSD License", {"BSD"}),
        ("Classifier: License :: Other/Proprietary License", {"Other/Proprietary License"}),
        ("License: Apache 2.0", {"Apache-2.0"}),
        ("Version: 1", {"none"}),
    ],
)
def test_a_licence_is_read_from_whatever_says_it(
    said: str, expected: set[str], tmp_path: Path
) -> None:
    (tmp_path / "METADATA").write_text(f"Name: made\n{said}\n\n")
    assert licences("made", Distribution.at(tmp_path)) == expected


def test_imports_are_found_wherever_they_are() -> None:
    source = """
import numpy.linalg, os
class A:
    from rich import print
    def f(self):
        import ray
try:
    import onnx
except ImportError:
    importlib.import_module("torch.export")
"""
    assert dict(foreign(ast.parse(source))) == {
        "numpy": False,
        "rich": False,
        "ray": True,
        "onnx": True,
        "torch": True,
    }
