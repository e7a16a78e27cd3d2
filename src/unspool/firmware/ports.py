"""The inputs and outputs of a compiled file, under the names of the int8 file's signature."""

import math
from dataclasses import dataclass, replace

import numpy as np

from unspool.errors import UnspoolError
from unspool.firmware.identifiers import distinct
from unspool.tflite import ends, flatbuffer, marks
from unspool.tflite.ends import Tensor
from unspool.tflite.input_scaling import InputScaling


@dataclass(frozen=True)
class Port:
    """An input or an output of the compiled file.

    Attributes:
        tensor: with its name in the int8 file's signature.
        index: i of TFLM's `input(i)` or `output(i)`.
        place: the tensor's index in the compiled graph.
        identifier: its name in C, distinct among the inputs or among the outputs.
        scaling: what is done to real values before they are stored; None for nothing.
        is_mask: it says which time steps are padded.
        padding: the value that only says that a step is padded, and is stored as 0; None for none.
        rows: of the table that ids are looked up in, which are stored as they are; None where it
            holds no ids, 0 where the table's size is not known.
        is_cut: each call of the network takes, or gives, a part of a sequence.
        backwards: the calls go through that from its end.
        stored_as: how what it takes is stored, where that is not as in `tensor`.
        value: of a part of a network, what it takes or gives; else empty.
        begins_state: a state begins with it: only the first call takes it.
    """

    tensor: Tensor
    index: int
    place: int
    identifier: str
    scaling: InputScaling | None = None
    is_mask: bool = False
    padding: float | None = None
    rows: int | None = None
    is_cut: bool = False
    backwards: bool = False
    stored_as: Tensor | None = None
    value: str = ""
    begins_state: bool = False

    @property
    def c_type(self) -> str:
        """The type of its elements in C."""
        return f"{self.tensor.dtype}_t"

    @property
    def holds_ids(self) -> bool:
        """Whether its values are looked up in a table, and have no scale."""
        return self.rows is not None

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.tensor.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.tensor.dtype.itemsize


def macro(name: str, kind: str, port: Port) -> str:
    """`KWS_INPUT_X`: the kind keeps an input and an output of one name apart."""
    return f"{name}_{kind}_{port.identifier}".upper()


def read(source: flatbuffer.Model, compiled: flatbuffer.Model, kind: str) -> tuple[Port, ...]:
    """The inputs or outputs of a compiled file, in the order of TFLM.

    Args:
        source: the int8 file, whose signature names them.
        compiled: what Vela made of it, whose order is the one that TFLM sees.
        kind: "input" or "output".

    Raises:
        UnspoolError: the files do not belong together, or a tensor is neither int8 nor int16 nor an
            input of ids.
    """
    described, seen_by_tflm = _tensors(source, kind), _tensors(compiled, kind)
    places = _places(compiled, kind)
    wanted = _signature(source, kind)
    identifiers = distinct(list(wanted))
    known = marks.read(source)
    ports = []
    for name, index in wanted.items():
        if index not in described:
            raise UnspoolError(
                f"the int8 file's signature calls its tensor {_name(source, index)!r} the {kind} "
                f"{name!r}, which is no {kind} of its graph: it is damaged; deploy again"
            )
        place = _place(name, _name(source, index), compiled, kind)
        tensor = replace(described[index], name=name)
        port = Port(tensor, places.index(place), place, identifiers[name])
        port = _of_input(port, known) if kind == "input" else _of_output(port, known)
        _check(port, seen_by_tflm[place], kind)
        ports.append(port)
    more = [_name(compiled, place) for place in places if place not in {p.place for p in ports}]
    if more:
        raise UnspoolError(
            f"the compiled file has the {kind} {more[0]!r}, which the int8 file lacks: "
            "give the int8 file that was compiled"
        )
    return tuple(sorted(ports, key=lambda port: (port.index, port.identifier)))


def _of_input(port: Port, known: marks.Marks) -> Port:
    """An input, with what the file's marks know of it."""
    name = port.tensor.name
    is_mask = any(mask.input == name for mask in known.masks)
    return replace(
        port,
        scaling=next((each for each in known.scalings if each.input == name), None),
        is_mask=is_mask,
        padding=next((m.value for m in known.masks if m.is_cleared and m.source == name), None),
        rows=next((ids.rows for ids in known.ids if ids.input == name), None),
        is_cut=known.calls is not None and (is_mask or name in (known.in_time or ())),
        begins_state=any(state.given and state.input == name for state in known.states),
    )


def _of_output(port: Port, known: marks.Marks) -> Port:
    """An output, with what the file's marks know of it."""
    return replace(port, is_cut=known.calls is not None and port.tensor.name in known.calls.parts)


def _place(name: str, own: str, compiled: flatbuffer.Model, kind: str) -> int:
    """The index in the compiled graph of what the int8 file's signature calls `name`.

    Vela keeps a tensor's own name, but for ids that the NPU looks up: the signature leads to these.
    """
    places = dict.fromkeys(_places(compiled, kind))
    matches = [place for place in places if _name(compiled, place) == own]
    signature = _signature(compiled, kind)
    if not matches and signature.get(name) in places:
        return signature[name]
    if len(matches) != 1:
        raise UnspoolError(
            f"{kind} {name!r} of the int8 file is its tensor {own!r}; the compiled file has "
            f"{len(matches)} {kind}s with that tensor's name, expected 1"
        )
    return matches[0]


def _tensors(model: flatbuffer.Model, kind: str) -> dict[int, Tensor]:
    """Tensor index -> input or output, in the graph's order."""
    inputs, outputs = ends.inputs_and_outputs(model)
    return dict(zip(_places(model, kind), inputs if kind == "input" else outputs, strict=True))


def _places(model: flatbuffer.Model, kind: str) -> list[int]:
    """Tensor indices of the inputs or outputs, in the graph's order; one may come twice."""
    graph = model.subgraphs[0]
    return [int(index) for index in (graph.inputs if kind == "input" else graph.outputs)]


def _signature(model: flatbuffer.Model, kind: str) -> dict[str, int]:
    """Name -> tensor index, by the signature, or by the tensors' own names without one.

    Two names may stand for one tensor: a state can also be a network's result.
    """
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == 0:
            entries = signature.inputs if kind == "input" else signature.outputs
            places = ((port.name.decode(), int(port.tensorIndex)) for port in entries or [])
            return {name or _name(model, index): index for name, index in places}
    return {_name(model, index): index for index in _tensors(model, kind)}


def _name(model: flatbuffer.Model, index: int) -> str:
    return str(model.subgraphs[0].tensors[index].name.decode())


def _check(port: Port, compiled: Tensor, kind: str) -> None:
    tensor = port.tensor
    if not port.holds_ids:
        _check_quantized(tensor, kind)
    if _format(tensor) != _format(compiled):
        raise UnspoolError(
            f"{kind} {tensor.name!r} is {_format(tensor)} in the int8 file and "
            f"{_format(compiled)} in the compiled file: give the int8 file that was compiled"
        )


def _check_quantized(tensor: Tensor, kind: str) -> None:
    if tensor.dtype not in (np.int8, np.int16):
        raise UnspoolError(
            f"{kind} {tensor.name!r} holds {tensor.dtype}, expected int8 or int16: "
            "give the int8 file that was compiled"
        )
    if not tensor.scale:
        raise UnspoolError(f"{kind} {tensor.name!r} has no scale, expected a quantized tensor")


def _format(tensor: Tensor) -> str:
    """Everything that decides what bytes mean; 9 digits tell any two float32 apart."""
    shape = ", ".join(map(str, tensor.shape))
    return f"{tensor.dtype}({shape}), scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
