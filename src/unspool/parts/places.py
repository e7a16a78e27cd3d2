"""In which part of a network each tensor can first be had, and in which form.

Parts are numbered in the order in which they run: even ones run once, on whole sequences, odd ones
are loops. What an earlier part gave can be read in any form; within a part, a tensor is there in
the form in which it is computed. The calls of a loop take whole numbers of the time steps of each
sequence that it reads: sequences of 79 and 50 steps have loops of their own.
"""

from collections.abc import Mapping
from typing import TypeAlias

from unspool.parts.operations import WHOLE, Form, Graph, Key, Operation, Way

Places: TypeAlias = Mapping[Key, Mapping[Form, int]]
"""Tensor -> form -> number of the first part that can compute it so."""

_INPUT = -1  # before the first part


def places(graph: Graph) -> Places:
    """Where each tensor of a graph can first be computed, in each form."""
    there = (*graph.inputs, *graph.repeated, *graph.masks.computed)
    known_places: dict[Key, dict[Form, int]] = {key: {"whole": _INPUT} for key in there}
    lengths: dict[int, set[int]] = {}
    for operation in graph.operations:
        for way in _worth(graph, operation, known_places):
            part = _first(graph, operation, way, known_places, lengths)
            if part is not None:
                lengths.setdefault(part, set()).update(
                    _read(graph, operation, way, part, known_places)
                )
                for key in operation.outputs:
                    known_places.setdefault(key, {})[output_form(graph, way, key)] = part
    return known_places


def _worth(graph: Graph, operation: Operation, known_places: Places) -> tuple[Way, ...]:
    """The ways of an operation; what reads a sequence that is there at once alone is done there."""
    read = [known_places[key] for key in operation.inputs if key in graph.timed]
    is_there = any(at.keys() == {"whole"} and at["whole"] != _INPUT for at in read)
    return (WHOLE,) if is_there and WHOLE in operation.ways else operation.ways


def output_form(graph: Graph, way: Way, key: Key) -> Form:
    """The form in which an operation gives one of its outputs."""
    return way.gives if key in graph.timed or way.gives == "whole" else "last"


def input_form(graph: Graph, way: Way, key: Key) -> Form:
    """The form in which an operation takes one of its inputs."""
    if way.takes == "whole" or key in graph.timed:
        return way.takes
    # A value that a loop takes beside a sequence is the same in each call.
    return "last" if way.takes == "last" else "whole"


def first(at: Mapping[Form, int]) -> tuple[Form, int]:
    """The form in which a tensor can be had first, and in which part."""
    return min(at.items(), key=lambda entry: entry[1])


def _first(
    graph: Graph,
    operation: Operation,
    way: Way,
    known_places: Places,
    lengths: Mapping[int, set[int]],
) -> int | None:
    """The first part in which all that an operation takes can be read; None where there is none.

    Args:
        graph: what the operation is of.
        operation: to be placed.
        way: how it is done.
        known_places: where each tensor that it reads can be had.
        lengths: number of a part -> time steps of the sequences that it reads.
    """
    for part in range(0 if way.takes == "whole" else 1, 2 * len(graph.operations) + 2, 2):
        can_be_read = all(
            _can_be_read(graph, key, input_form(graph, way, key), part, known_places)
            for key in operation.inputs
        )
        if can_be_read and (
            part % 2 == 0
            or _are_multiples(
                lengths.get(part, set()) | _read(graph, operation, way, part, known_places)
            )
        ):
            return part
    return None


def _read(
    graph: Graph, operation: Operation, way: Way, part: int, known_places: Places
) -> set[int]:
    """Time steps of the sequences of earlier parts that an operation takes in a part."""
    return {
        graph.shapes[key][1] or 1
        for key in operation.inputs
        if key in graph.timed and known_places[key].get(input_form(graph, way, key)) != part
    }


def _are_multiples(lengths: set[int]) -> bool:
    """Whether each of some sequences is a whole number of times as long as the shortest."""
    return all(length % min(lengths) == 0 for length in lengths)


def _can_be_read(graph: Graph, key: Key, form: Form, part: int, known_places: Places) -> bool:
    if known_places[key].get(form) == part:
        return True
    # An image that each call of a loop takes would be read as a sequence.
    is_image = key not in graph.timed and len(graph.shapes[key]) > 2
    return first(known_places[key])[1] < part and not (part % 2 and is_image)
