"""Ranges of a network that is called several times for a sequence, for the one of all steps."""

from collections.abc import Mapping

from unspool.quantization.ranges import Range
from unspool.quantization.ties import JOINS
from unspool.tflite import flatbuffer, marks
from unspool.tflite.roles import roles


def repeated(
    part: bytes, ranges: Mapping[str, Range], whole: bytes, per_call: int
) -> dict[str, Range]:
    """A call's ranges for the tensors of all steps: step 17 of 5 per call has those of step 2."""
    known = {place: ranges[n] for n, place in _places(part, per_call).items() if n in ranges}
    return {
        name: known[place] for name, place in _places(whole, per_call).items() if place in known
    }


def _places(tflite: bytes, per_call: int) -> dict[str, tuple[str, int]]:
    """Tensor -> what it is, and the step of a call that computes it; parts are what they are of."""
    model = flatbuffer.read(tflite)
    steps, role_of = marks.read(model).steps, roles(model)
    places = {}
    for name, role in role_of.items():
        step = steps.find(name)
        # A state that comes out is of the last step.
        last = per_call - 1 if f"{role}/".count("/step/") else 0
        places[name] = (role, step[1] % per_call if step else last)
    for op in flatbuffer.graph_operators(model):
        if op.kind == "SPLIT":
            places |= dict.fromkeys(op.outputs, places[op.inputs[1]])
        elif op.kind in JOINS:  # of what it joins, it has the role, and no step
            places[op.outputs[0]] = (places[op.outputs[0]][0], -1)
    return places
