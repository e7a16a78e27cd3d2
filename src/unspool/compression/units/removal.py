"""A model with fewer units: the least important ones are taken out of all that knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.compression.units.channels import Channels, Path
from unspool.compression.units.choice import name_of
from unspool.frontend.graph import cloned, is_graph


@dataclass(frozen=True)
class UnitsResult:
    """How many units a layer has left.

    Attributes:
        layer: its name; of a cell or direction in it, behind a slash.
        before: units of the trained model.
        units: that are left.
    """

    layer: str
    before: int
    units: int


def results(channels: Channels, stays: np.ndarray) -> tuple[UnitsResult, ...]:
    """What became of the layers that lost units."""
    counted = [
        UnitsResult(name_of(width), len(width.channels), int(stays[width.channels].sum()))
        for width in channels.widths.values()
        if width.is_own
    ]
    return tuple(result for result in counted if result.units < result.before)


def without(model: Any, channels: Channels, stays: np.ndarray) -> Any:
    """A copy of a model with the channels that stay, not compiled."""
    counts: dict[int, dict[Path, int]] = {}
    for width in channels.widths.values():
        counts.setdefault(id(width.layer), {})[width.path] = int(stays[width.channels].sum())
    smaller = _copied(model, counts)
    axes: dict[int, list[Any]] = {}
    for axis in channels.axes.values():
        axes.setdefault(id(axis.variable), []).append(axis)
    values = []
    for variable in model.weights:
        value = np.asarray(variable)
        for axis in axes.get(id(variable), ()):
            value = value.compress(stays[axis.channels], axis.axis)
        values.append(value)
    smaller.set_weights(values)
    return smaller


def _copied(model: Any, counts: Mapping[int, Mapping[Path, int]]) -> Any:
    """The model's layers in other widths, with weights of their own."""
    copies: dict[int, Any] = {}

    def copied(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = _copied(layer, counts) if is_graph(layer) else _layer(layer, counts)
        return copies[id(layer)]

    return cloned(model, copied)


def _layer(layer: Any, counts: Mapping[int, Mapping[Path, int]]) -> Any:
    config = _unbuilt(layer.get_config())
    for path, count in counts.get(id(layer), {}).items():
        part = config
        for key in path[:-1]:
            part[key] = list(part[key]) if isinstance(part[key], tuple) else part[key]
            part = part[key]
        part[path[-1]] = count
    return layer.__class__.from_config(config)


def _unbuilt(config: Any) -> Any:
    """A configuration without the shapes that inner layers had, and arrays that they began with."""
    if isinstance(config, list):
        return [_unbuilt(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _unbuilt(value)
        for key, value in config.items()
        if key != "build_config" and not _is_array(key, value)
    }


def _is_array(key: str, value: Any) -> bool:
    is_described = key.endswith("_initializer") and isinstance(value, dict)
    return is_described and value.get("class_name") == "Constant"
