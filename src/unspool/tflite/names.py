"""The grammar of tensor names, and the marks that say where it holds.

`<layer>/step_007/<role>`          what step 7 of a layer computes; steps are numbered as they run
`<layer>/h_in`, `<layer>/h_out`    a state before the first step and after the last

Keras's names have no slash, so in a Keras model a state is called `<layer>.h_in`. A file that
`convert` writes lists in its metadata, under `unspool`, which layers have such steps and which
inputs and outputs are states. Vela keeps the metadata. Only what is listed is read by this grammar:
`cell_in` and `step_1` may be names of a user's own.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Tensor
from unspool.tflite.heads import Head
from unspool.tflite.input_scaling import InputScaling

_ENTRY = b"unspool"


@dataclass(frozen=True)
class State:
    """A state, by its names in a .tflite.

    Attributes:
        name: such as "gru/h".
        input: the input that takes it, "gru/h_in".
        output: the output that gives it, "gru/h_out".
    """

    name: str
    input: str
    output: str


@dataclass(frozen=True)
class Marks:
    """What of a network Unspool made.

    Attributes:
        layers: whose steps have names of this grammar.
        states: in the order of their inputs.
        heads: how the outputs that are not states are read, in order.
        scalings: what is done to inputs before they are stored.
    """

    layers: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    heads: tuple[Head, ...] = ()
    scalings: tuple[InputScaling, ...] = ()


@dataclass(frozen=True)
class Interface:
    """What a deploy model's Keras names cannot say.

    Attributes:
        inputs: what the .tflite is to call the inputs, in order; any text.
        outputs: the same for outputs.
        marks: what of the network Unspool made.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    marks: Marks = Marks()


@dataclass(frozen=True)
class StatePair:
    """One state of a file.

    Attributes:
        name: such as "gru/h".
        input: position among the file's inputs.
        output: position among the file's outputs.
    """

    name: str
    input: int
    output: int


def step_scope(layer: str, number: int) -> str:
    """The scope of a step; the slash at the end makes TensorFlow take it from the root."""
    return f"{layer}/step_{number:03d}/"


def state(layer: str, name: str) -> State:
    """The state of a layer that is called `h`, `c`, ..."""
    return State(f"{layer}/{name}", f"{layer}/{name}_in", f"{layer}/{name}_out")


def keras_name(name: str) -> str:
    """A name of this grammar as Keras takes it, without slashes."""
    return name.replace("/", ".")


def valid_scope(name: str) -> str:
    """A user's name as a name scope of TensorFlow, which takes few characters."""
    scope = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return scope if scope[:1].isalnum() else f"x{scope}"


def write(model: flatbuffer.Model, marks: Marks) -> None:
    """Put marks into a file's metadata, in place of those that are there."""
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(asdict(marks)).encode(), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = _ENTRY, len(model.buffers) - 1
    others = [each for each in model.metadata or [] if each.name != _ENTRY]
    model.metadata = [*others, entry]


def read(model: flatbuffer.Model) -> Marks:
    """The marks of a file; none for a file that Unspool did not make.

    Raises:
        UnspoolError: they are damaged.
    """
    for entry in model.metadata or []:
        if entry.name != _ENTRY:
            continue
        try:
            found = json.loads(bytes(model.buffers[entry.buffer].data))
            return Marks(
                layers=tuple(map(str, found["layers"])),
                states=tuple(State(**each) for each in found["states"]),
                heads=tuple(Head(**each) for each in found["heads"]),
                scalings=tuple(
                    InputScaling(
                        each["input"],
                        tuple(map(float, each["shift"])),
                        tuple(map(float, each["factor"])),
                    )
                    for each in found["scalings"]
                ),
            )
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise UnspoolError(
                f"the .tflite file's metadata {_ENTRY.decode()!r} is damaged ({error!r}): "
                "make the file again with unspool"
            ) from None
    return Marks()


def state_pairs(
    marks: Marks, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[StatePair, ...]:
    """The states of a file, in the order of its inputs.

    A state's input is fed with the bytes of its output of the call before.

    Raises:
        UnspoolError: a state that goes in does not come out, or not in the same form.
    """
    before = {tensor.name: position for position, tensor in enumerate(inputs)}
    after = {tensor.name: position for position, tensor in enumerate(outputs)}
    pairs = []
    for each in marks.states:
        if each.input not in before or each.output not in after:
            raise UnspoolError(
                f"state {each.name!r}: expected an input {each.input!r} and an output "
                f"{each.output!r}, the file has {', '.join((*before, *after))}"
            )
        pair = StatePair(each.name, before[each.input], after[each.output])
        forms = _form(inputs[pair.input]), _form(outputs[pair.output])
        if forms[0] != forms[1]:
            raise UnspoolError(
                f"state {each.name!r} goes in as {forms[0]} and comes out as {forms[1]}: "
                "its bytes cannot be fed back; quantize the model with Unspool"
            )
        pairs.append(pair)
    return tuple(sorted(pairs, key=lambda pair: pair.input))


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype}{tensor.shape}, scale {tensor.scale:.9g}, zero {tensor.zero_point}"


class Steps:
    """Reads the names of a file's tensors, of steps that Unspool opened."""

    def __init__(self, marks: Marks) -> None:
        layers = "|".join(re.escape(layer) for layer in marks.layers)
        # Names of operators that were fused are joined by a semicolon.
        self._step = re.compile(rf"(?:^|(?<=;))({layers})/step_(\d+)(?=[/;]|$)") if layers else None

    def find(self, name: str) -> tuple[str, int] | None:
        """(layer, number) of the step that computes a tensor; the first where several are fused."""
        found = self._step.search(name) if self._step else None
        return (found[1], int(found[2])) if found else None

    def role(self, name: str) -> str:
        """The name without the steps' numbers: `gru/step_007/h` -> `gru/step/h`."""
        return self._step.sub(r"\1/step", name) if self._step else name


def roles(model: flatbuffer.Model) -> dict[str, str]:
    """Tensor name -> role: what a tensor is, whatever the step.

    `gru/step_007/h` has the role `gru/step/h`. An output of the graph has lost its step's name to
    the signature's; it takes the role of a tensor that the same kind of operator computes from
    tensors of the same roles, in another step.
    """
    graph, marks = model.subgraphs[0], read(model)
    steps = Steps(marks)
    names = [tensor.name.decode() for tensor in graph.tensors]
    found = {name: steps.role(name) for name in names}

    def recipe(op: Any) -> tuple[str, ...]:
        kind = flatbuffer.operator_kind(model, op)
        return (kind, *(found[names[index]] for index in op.inputs if index >= 0))

    known = {
        recipe(op): found[names[op.outputs[0]]]
        for op in graph.operators
        if len(op.outputs) == 1 and steps.find(names[op.outputs[0]])
    }
    for op in graph.operators:
        if op.outputs[0] in graph.outputs and recipe(op) in known:
            found[names[op.outputs[0]]] = known[recipe(op)]
    for op in graph.operators:  # the steps' outputs one after the other: what each of them is
        if flatbuffer.operator_kind(model, op) in ("CONCATENATION", "PACK"):
            parts = {found[names[index]] for index in op.inputs}
            if len(parts) == 1:
                found[names[op.outputs[0]]] = parts.pop()
    return found | _tied_states(model, marks, found)


def _tied_states(model: flatbuffer.Model, marks: Marks, found: Mapping[str, str]) -> dict[str, str]:
    """Name of a state's input tensor -> role of its output: it goes in as it comes out."""
    graph = model.subgraphs[0]
    inputs, outputs = flatbuffer.inputs_and_outputs(model)
    return {
        graph.tensors[graph.inputs[pair.input]].name.decode(): found[
            graph.tensors[graph.outputs[pair.output]].name.decode()
        ]
        for pair in state_pairs(marks, inputs, outputs)
    }
