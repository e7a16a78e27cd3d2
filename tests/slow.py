"""What is left to `make test-all`, as it is near to something that every run tries."""

from collections.abc import Iterable
from typing import Any

import pytest


def unless(often: Iterable[str], names: Iterable[str]) -> list[Any]:
    """Parameters of a test, one per name: all but those that are tried often are slow."""
    chosen = frozenset(often)
    return [
        pytest.param(name, id=name, marks=[] if name in chosen else pytest.mark.slow)
        for name in names
    ]
