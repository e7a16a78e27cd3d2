"""How many units of each layer stay, as a setting asks for it, and which of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unspool.compression.units.channels import Channels, Width
from unspool.errors import UnspoolError

_MULTIPLES = ((64, 32), (0, 8))
"""A share of a layer's units that is above the first number is rounded to a multiple of the second.

The estimate jumps behind 64, 96 and 128 units on Ethos-U55. Elsewhere a GRU loses at most a tenth
by these; an LSTM of 64 units a seventh on ethos-u65-512 (docs/compression.md).
"""


@dataclass(frozen=True)
class Wish:
    """How many of a layer's units are to stay.

    Attributes:
        name: of the layer, or of a cell or direction in it, behind a slash.
        width: the units.
        count: how many stay.
        is_exact: whether it was asked for by the layer's name, as a number.
    """

    name: str
    width: Width
    count: int
    is_exact: bool


def wishes(
    channels: Channels, units: float | None, layers: Mapping[str, float | None]
) -> list[Wish]:
    """What is asked for.

    The general number or share holds for every layer that has units to take out and more than 8; a
    layer's own for that layer, with all its cells and directions.

    Args:
        channels: the model's layout.
        units: how many stay of each layer that `layers` does not name, or below 1 the share; None
            for all.
        layers: name of a layer, or of a cell or direction in it -> its own.

    Raises:
        UnspoolError: a layer of that name has no units, fewer, or such as have to stay.
    """
    own = {name_of(width): width for width in channels.widths.values() if width.is_own}
    wanted = []
    for name, width in own.items():
        named = next((key for key in _names(name) if key in layers), None)
        asked = layers[named] if named else units
        if asked is None:
            continue
        count = _count(len(width.channels), asked)
        reason = channels.why_fixed(width.channels)
        if named is not None:
            _check(name, width, asked, reason)
        elif reason:
            continue
        if count < len(width.channels):
            wanted.append(Wish(name, width, count, named is not None and asked >= 1))
    _check_names(channels, layers, own)
    if units is not None and not wanted:
        reasons = [f"{name}: {channels.why_fixed(w.channels)}" for name, w in own.items()]
        raise UnspoolError(
            f"units {units:g}: the model has no layer with so many units that can be taken "
            f"out ({'; '.join(r for r in reasons if not r.endswith(': ')) or 'it is small'})"
        )
    return wanted


def name_of(width: Width) -> str:
    """The name of a layer, or of the cell or direction in it that has these units."""
    part, names = width.layer.get_config(), [width.layer.name]
    for key in width.path[:-1]:
        part = part[key]
        if isinstance(part, dict) and "name" in part:
            names.append(str(part["name"]))
    return "/".join(names)


def _names(name: str) -> list[str]:
    """What a layer, or a cell or direction in it, can be called."""
    return [name, *reversed(name.split("/"))]


def _count(whole: int, units: float) -> int:
    if units >= 1:
        return min(whole, int(units))
    multiple = next(step for above, step in _MULTIPLES if whole * units > above)
    return min(whole, max(multiple, multiple * round(whole * units / multiple)))


def _check(name: str, width: Width, units: float, reason: str) -> None:
    """Refuse what was asked for by name and cannot be."""
    if reason:
        raise UnspoolError(f"units of {name!r} cannot be taken out: {reason}")
    if units > len(width.channels):
        raise UnspoolError(f"{units:g} units of {name!r}: it has {len(width.channels)}")


def _check_names(
    channels: Channels, layers: Mapping[str, float | None], own: Mapping[str, Width]
) -> None:
    known = {part for name in own for part in _names(name)}
    free = {w.layer.name for w in own.values() if not channels.why_fixed(w.channels)}
    for name, asked in layers.items():
        if asked is not None and name not in known:
            raise UnspoolError(
                f"no units belong to {name!r}; layers that have some to take out are "
                f"{', '.join(sorted(free)) or 'none'}"
            )


def staying(channels: Channels, score: np.ndarray, wanted: list[Wish]) -> np.ndarray:
    """Whether each channel stays, by number.

    Args:
        channels: a model's layout.
        score: of each channel; those with the highest stay.
        wanted: how many of each layer.

    Raises:
        UnspoolError: layers whose units are one are to keep different numbers of them.
    """
    stays = np.ones(channels.count, bool)  # of roots
    for wish in wanted:
        roots = channels.roots(wish.width.channels)
        remaining = roots[stays[roots]]
        stays[remaining[np.argsort(-score[remaining], kind="stable")[wish.count :]]] = False
    for wish in wanted:
        count = int(stays[channels.roots(wish.width.channels)].sum())
        if wish.is_exact and count != wish.count:
            raise UnspoolError(
                f"{wish.count} units of {wish.name!r}: {count} are left, as others that were asked "
                "for are tied to them, by a sum or as a state; ask for the same number"
            )
    every: np.ndarray = stays[channels.roots(np.arange(channels.count))]
    return every
