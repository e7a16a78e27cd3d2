"""The marks in a file's metadata: what Unspool knows of a network and the .tflite does not say.

In a file that `convert` writes, the metadata `unspool` lists which layers have steps and which
inputs and outputs are states, by the grammar of `names.py`, how outputs are read, how inputs are
scaled, and which of them are masks. Vela keeps the metadata.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.support.text import brief
from unspool.tflite import flatbuffer
from unspool.tflite.heads import Head
from unspool.tflite.input_scaling import InputScaling
from unspool.tflite.masks import Mask
from unspool.tflite.names import State, Steps

_ENTRY = b"unspool"


@dataclass(frozen=True)
class Ids:
    """An input that is looked up in a table, and stored as it is.

    Attributes:
        input: its name.
        rows: of the table; ids run from 0 to one less. 0 where that is not known.
    """

    input: str
    rows: int


@dataclass(frozen=True)
class Calls:
    """A network that is called several times for one sequence, a part of it each time.

    Attributes:
        count: how many calls a sequence takes; 0 for a stream, which takes any number.
        parts: outputs in time, of which each call gives a part; of the others, the last call's
            counts.
        waits: for each of these, the calls at the beginning whose part is none of the sequence's,
            as the windows that it reads are not full yet; empty for none.
        warm_up: calls until all outputs are what they are for a sequence.
        late: time steps by which outputs come later than the whole sequence's.
    """

    count: int
    parts: tuple[str, ...] = ()
    waits: tuple[int, ...] = ()
    warm_up: int = 0
    late: int = 0


@dataclass(frozen=True)
class Cut:
    """The part of a model's file that a network is.

    Attributes:
        start: the tensor that is fed instead of computed; "" for the file's inputs.
        stop: the tensor that is the only output; "" for the file's outputs.
        given: inputs that are always one number, and the number.
    """

    start: str = ""
    stop: str = ""
    given: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        parts = [f"from tensor {self.start!r}"] if self.start else []
        parts += [f"to tensor {self.stop!r}"] if self.stop else []
        parts += [f"with {name!r} always {number:g}" for name, number in self.given]
        return ", ".join(parts)


@dataclass(frozen=True)
class Ranged:
    """A tensor whose range is known from training.

    Attributes:
        layer: of the trained model, which says so.
        tensor: its name.
        minimum: the smallest value that it is stored with.
        maximum: the largest.
    """

    layer: str
    tensor: str
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Marks:
    """What Unspool knows of a network.

    Attributes:
        layers: those whose steps have names by the grammar of `names.py`.
        states: in the order of their inputs.
        heads: how the outputs that are not states are read, in order.
        scalings: of inputs, before they are stored.
        masks: inputs that say which time steps are padded.
        fed_back: states that the trained model takes as inputs and gives as outputs itself.
        padding: for each output that is not a state, in order, the masks of which one is 1 in every
            step that is not padded; empty for an output without a mask.
        ids: inputs that are looked up in a table.
        in_time: inputs that are sequences, (1, time steps, ...); None where that is not known.
        calls: of a network that is called several times for a sequence; None for others.
        cut: which part of a model's file it is; None for a whole one.
        ranged: tensors whose range is known; one may have several.
    """

    layers: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    heads: tuple[Head, ...] = ()
    scalings: tuple[InputScaling, ...] = ()
    masks: tuple[Mask, ...] = ()
    fed_back: tuple[State, ...] = ()
    padding: tuple[tuple[Mask, ...], ...] = ()
    ids: tuple[Ids, ...] = ()
    in_time: tuple[str, ...] | None = None
    calls: Calls | None = None
    cut: Cut | None = None
    ranged: tuple[Ranged, ...] = ()

    @property
    def carried(self) -> tuple[State, ...]:
        """All states whose bytes go from one call to the next."""
        return (*self.states, *self.fed_back)

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
        marks: what Unspool knows of the network.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    marks: Marks = Marks()


def write(model: flatbuffer.Model, marks: Marks) -> None:
    """Put marks into a file's metadata, in place of those that are there."""
    buffer, metadata = schema.BufferT(), schema.MetadataT()
    content = asdict(marks)
    states = [(state, "given") for state in (*content["states"], *content["fed_back"])]
    for holder, rare in ((content, "cut"), (content, "ranged"), *states):
        if not holder[rare]:
            del holder[rare]
    buffer.data = np.frombuffer(json.dumps(content).encode(), np.uint8)
    model.buffers.append(buffer)
    metadata.name, metadata.buffer = _ENTRY, len(model.buffers) - 1
    others = [other for other in model.metadata or [] if other.name != _ENTRY]
    model.metadata = [*others, metadata]


def read(model: flatbuffer.Model) -> Marks:
    """The marks of a file; none for a file that Unspool did not make.

    Raises:
        UnspoolError: they are damaged.
    """
    for metadata in model.metadata or []:
        if metadata.name != _ENTRY:
            continue
        try:
            content = json.loads(bytes(model.buffers[metadata.buffer].data))
            return Marks(
                layers=tuple(map(str, content["layers"])),
                states=_states(content["states"]),
                heads=tuple(Head(**head) for head in content["heads"]),
                scalings=tuple(
                    InputScaling(
                        scaling["input"],
                        tuple(map(float, scaling["shift"])),
                        tuple(map(float, scaling["factor"])),
                    )
                    for scaling in content["scalings"]
                ),
                # Files of Unspool 0.1 have no masks.
                masks=tuple(Mask(**mask) for mask in content.get("masks", ())),
                fed_back=_states(content.get("fed_back", ())),
                padding=tuple(
                    tuple(Mask(**mask) for mask in masks) for masks in content.get("padding", ())
                ),
                ids=tuple(
                    Ids(str(ids["input"]), int(ids["rows"])) for ids in content.get("ids", ())
                ),
                in_time=_names(content.get("in_time")),
                calls=_calls(content.get("calls")),
                cut=_cut(content.get("cut")),
                ranged=tuple(_ranged(each) for each in content.get("ranged", ())),
            )
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise UnspoolError(
                f"the .tflite file's metadata {_ENTRY.decode()!r} is damaged ({brief(error)}): "
                "make the file again with unspool"
            ) from None
    return Marks()


def _names(content: Any) -> tuple[str, ...] | None:
    return None if content is None else tuple(map(str, content))


def _calls(content: Any) -> Calls | None:
    if not content:
        return None
    return Calls(
        int(content["count"]),
        tuple(map(str, content["parts"])),
        tuple(map(int, content.get("waits", ()))),  # files of 0.1 have none of these
        int(content.get("warm_up", 0)),
        int(content.get("late", 0)),
    )


def _cut(content: Any) -> Cut | None:
    if not content:
        return None
    fixed_inputs = tuple((str(name), float(number)) for name, number in content["given"])
    return Cut(str(content["start"]), str(content["stop"]), fixed_inputs)


def _ranged(content: Any) -> Ranged:
    ends = (float(content[key]) for key in ("minimum", "maximum"))
    return Ranged(str(content["layer"]), str(content["tensor"]), *ends)


def _states(content: Any) -> tuple[State, ...]:
    return tuple(
        State(**{**state, "initial": tuple(map(float, state.get("initial", ())))})
        for state in content
    )
