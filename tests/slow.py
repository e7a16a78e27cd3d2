"""What is left to `make test-all`, as it is near to something that every run tries."""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest


def unless(often: Collection[str], names: Iterable[str]) -> list[Any]:
    """Parameters of a test, one per name: all but those that are tried often are slow."""
    return [
        pytest.param(name, id=name, marks=[] if name in often else pytest.mark.slow)
        for name in names
    ]


def but_one_of(count: int, names: Iterable[str]) -> list[Any]:
    """Parameters of a test, one per name: of so many, one is tried often, always the same."""
    names = list(names)
    return unless([name for name in names if is_drawn(name, count)], names)


def but_in_turn(rows: Iterable[tuple[Any, ...]], values: Sequence[Any]) -> list[Any]:
    """Parameters of a test, each row with each value: often, each row with one of them in turn."""
    return [
        pytest.param(*row, value, marks=[] if turn % len(values) == n else pytest.mark.slow)
        for turn, row in enumerate(rows)
        for n, value in enumerate(values)
    ]


def mark(tests: Iterable[pytest.Item]) -> None:
    """Of the cases of a test that is marked `one_in(n)` leave one in n, always the same ones."""
    cases = defaultdict(list)
    for test in tests:
        if test.get_closest_marker("one_in") and not test.get_closest_marker("slow"):
            cases[test.nodeid.partition("[")[0]].append(test)
    for each in cases.values():
        (count,) = next(each[0].iter_markers("one_in")).args
        each.sort(key=lambda case: zlib.crc32(case.nodeid.encode()))
        for case in each[-(-len(each) // count) :]:
            case.add_marker(pytest.mark.slow)


def is_drawn(name: str, count: int) -> bool:
    """Whether a name is one of so many: by a hash, so that a new name changes nothing else."""
    return zlib.crc32(name.encode()) % count == 0
