"""The marks in a file's metadata: what of a network Unspool made.

A file that `convert` writes lists, under `unspool`, which layers have steps and which inputs and
outputs are states, by the grammar of `names.py`, how outputs are read, and how inputs are scaled.
Vela keeps the metadata.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer
from unspool.tflite.flatbuffer import Tensor
from unspool.tflite.heads import Head
from unspool.tflite.input_scaling import InputScaling
from unspool.tflite.names import State, Steps

_ENTRY = b"unspool"


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

    @property
    def steps(self) -> Steps:
        """Reads the names of the file's tensors."""
        return Steps(self.layers, self.states)


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
