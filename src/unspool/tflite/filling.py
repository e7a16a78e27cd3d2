"""Write into a float model the steps that TensorFlow was not given.

It takes a millisecond for each operator. So `convert` leaves a gap in the numbers of the steps
(`names.py`), and what TensorFlow makes of the step before the gap is copied for those in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from unspool.tflite import flatbuffer
from unspool.tflite.by_name import Graph
from unspool.tflite.gaps import COPIED, Gap, Irregular, gap, number_anew, paired, write


def fill(model: flatbuffer.Model, layers: Mapping[str, int]) -> None:
    """Write the missing steps of layers into a model.

    Args:
        model: is changed.
        layers: those that have a gap -> how many steps they have in all.

    Raises:
        Irregular: a step is not a copy of the one before it, or is read otherwise than the text of
            `gaps` says; the model is then of no use.
    """
    if not layers:
        return
    graph = Graph(model)
    steps = graph.by_step(tuple(layers))
    gaps = [_gap(graph, layer, numbers, layers[layer]) for layer, numbers in steps.items()]
    if gaps:
        write(graph, gaps, steps)
        number_anew(model)


def _gap(graph: Graph, layer: str, numbers: Mapping[int, list[Any]], count: int) -> Gap:
    """The gap that goes on as the last two steps before it."""
    missing = len(gap(count))
    if not {COPIED - 1, COPIED, count - 1} <= numbers.keys() <= {*range(count)} - {*gap(count)}:
        raise Irregular
    givers = {name: op for op in graph.graph.operators for name in graph.outputs(op)}
    rows: dict[str, Sequence[str]] = {}  # tensor -> those that the missing steps read in its place
    for before, read in paired(graph, layer, numbers[COPIED - 1], numbers[COPIED]):
        if read == before or graph.constant(read):
            rows[read] = [read] * missing
        elif read in givers:
            rows[read] = _further(graph.outputs(givers[read]), before, read, missing)
        else:
            raise Irregular
    return Gap(
        layer, tuple({name: row[number] for name, row in rows.items()} for number in range(missing))
    )


def _further(parts: Sequence[str], before: str, read: str, count: int) -> Sequence[str]:
    """The parts that go on as the last two do.

    Raises:
        Irregular: there are not so many, or the last two are no parts of the same.
    """
    if before not in parts:
        raise Irregular
    place = parts.index(read)
    stride = place - parts.index(before)
    if not 0 <= place + stride * count < len(parts):
        raise Irregular
    return [parts[place + stride * number] for number in range(1, count + 1)]
