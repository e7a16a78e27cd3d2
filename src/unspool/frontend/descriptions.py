"""The description of a model in a file: dictionaries and lists within each other."""

from collections.abc import Callable
from typing import Any


def changed(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A description with each dictionary changed, those within it before it.

    >>> changed([{"a": {"b": 1}}], lambda each: {**each, "n": len(each)})
    [{'a': {'b': 1, 'n': 1}, 'n': 1}]
    """
    if isinstance(value, list):
        return [changed(part, change) for part in value]
    if not isinstance(value, dict):
        return value
    return change({key: changed(part, change) for key, part in value.items()})
