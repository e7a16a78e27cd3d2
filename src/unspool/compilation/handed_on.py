"""Where what a network's parts hand on lies: in one buffer, over what nobody reads any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ALIGNMENT = 4


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    Attributes:
        start: of its bytes in the buffer; a multiple of 4.
        size: how many there are.
    """

    start: int
    size: int

    @property
    def end(self) -> int:
        """Where the next value may begin."""
        return -(-(self.start + self.size) // _ALIGNMENT) * _ALIGNMENT


def plan(
    sizes: Mapping[str, int], outputs: Sequence[Sequence[str]], read: Sequence[Sequence[str]]
) -> dict[str, Place]:
    """A place for each value, from the part that gives it to the last one that reads it.

    The largest are placed first, each as far in front as those allow that are there with it.

    Args:
        sizes: value -> bytes.
        outputs: the values that each part gives.
        read: the values that each part reads.

    >>> plan({"a": 8, "b": 8, "c": 8}, [["a"], ["b"], ["c"], []], [[], ["a"], ["b"], ["c"]])
    {'a': Place(start=0, size=8), 'b': Place(start=8, size=8), 'c': Place(start=0, size=8)}
    """
    alive = {
        name: range(
            next(n for n, names in enumerate(outputs) if name in names),
            max(n for n, names in enumerate(read) if name in names) + 1,
        )
        for name in sizes
    }
    places: dict[str, Place] = {}
    for name in sorted(sizes, key=lambda each: -sizes[each]):
        beside = [p for other, p in places.items() if _meet(alive[name], alive[other])]
        starts = [0, *sorted(place.end for place in beside)]
        places[name] = next(
            place
            for place in (Place(start, sizes[name]) for start in starts)
            if all(place.end <= other.start or other.end <= place.start for other in beside)
        )
    return places


def _meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
