"""A compiled file's inputs, outputs and states, as firmware sees them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from unspool.errors import UnspoolError
from unspool.firmware import arena
from unspool.firmware.arena import Arena
from unspool.firmware.identifiers import distinct
from unspool.tflite import flatbuffer, marks
from unspool.tflite.flatbuffer import Tensor
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
    """

    tensor: Tensor
    index: int
    place: int
    identifier: str
    scaling: InputScaling | None = None
    is_mask: bool = False
    padding: float | None = None

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.tensor.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.tensor.dtype.itemsize


@dataclass(frozen=True)
class State:
    """A state.

    Attributes:
        source: the output that gives it.
        target: the input that takes it next time.
        initial: what the input holds before the first call, stored; flat. Empty for zeros.
    """

    source: Port
    target: Port
    initial: tuple[int, ...] = ()


@dataclass(frozen=True)
class Interface:
    """What firmware handles.

    Attributes:
        inputs: every input, states included, in the order of TFLM's `input(i)`.
        outputs: every output, in the order of TFLM's `output(i)`.
        states: in an order in which they can be copied one after another, if those in `kept` are
            read before all others and written after them.
        kept: states that must wait in a buffer, because their inputs lie over outputs of other
            states that are yet to be read.
        arena: what the compiled file needs of it.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[State, ...]
    kept: tuple[State, ...]
    arena: Arena

    @property
    def data_inputs(self) -> tuple[Port, ...]:
        """Inputs that are not states."""
        return tuple(p for p in self.inputs if p not in [s.target for s in self.states])

    @property
    def data_outputs(self) -> tuple[Port, ...]:
        """Outputs that are not states."""
        return tuple(p for p in self.outputs if p not in [s.source for s in self.states])


def read(int8_tflite: bytes, compiled_tflite: bytes) -> Interface:
    """Inputs, outputs and states of a compiled file, with the names of the int8 file.

    Names come from the int8 file's signature; positions from the compiled file, whose order is
    the one that TFLM sees. A tensor's own name, which Vela keeps, leads from one to the other.

    Args:
        int8_tflite: bytes of the file that was compiled.
        compiled_tflite: bytes of what Vela made of it.

    Raises:
        UnspoolError: the files do not belong together, a tensor is neither int8 nor int16, or a
            state cannot be copied as bytes.
    """
    source, compiled = flatbuffer.read(int8_tflite), flatbuffer.read(compiled_tflite)
    plan = arena.read(compiled)
    inputs = tuple(_ports(source, compiled, "input"))
    outputs = tuple(_ports(source, compiled, "output"))
    states = tuple(_states(source, inputs, outputs))
    ordered, kept = _copy_order(states, plan)
    return Interface(inputs, outputs, ordered, kept, plan)


def _ports(source: flatbuffer.Model, compiled: flatbuffer.Model, kind: str) -> Iterator[Port]:
    described, seen_by_tflm = _tensors(source, kind), _tensors(compiled, kind)
    places = _places(compiled, kind)
    wanted = _signature(source, kind)
    identifiers = distinct(list(wanted))
    known = marks.read(source) if kind == "input" else marks.Marks()
    scalings = {scaling.input: scaling for scaling in known.scalings}
    cleared = {mask.source: mask.value for mask in known.masks if mask.is_cleared}
    masks = {mask.input for mask in known.masks}
    ports = []
    for name, index in wanted.items():
        own = _name(source, index)
        matches = [place for place in dict.fromkeys(places) if _name(compiled, place) == own]
        if len(matches) != 1 or index not in described:
            raise UnspoolError(
                f"{kind} {name!r} of the int8 file is its tensor {own!r}; the compiled file has "
                f"{len(matches)} {kind}s with that tensor's name, expected 1"
            )
        (place,) = matches
        tensor = replace(described[index], name=name)
        _check(tensor, seen_by_tflm[place], kind)
        ports.append(
            Port(
                tensor,
                places.index(place),
                place,
                identifiers[name],
                scalings.get(name),
                name in masks,
                cleared.get(name),
            )
        )
    more = [_name(compiled, place) for place in places if place not in {p.place for p in ports}]
    if more:
        raise UnspoolError(
            f"the compiled file has the {kind} {more[0]!r}, which the int8 file lacks: "
            "give the int8 file that was compiled"
        )
    yield from sorted(ports, key=lambda port: (port.index, port.identifier))


def _tensors(model: flatbuffer.Model, kind: str) -> dict[int, Tensor]:
    """Tensor index -> input or output, in the graph's order."""
    inputs, outputs = flatbuffer.inputs_and_outputs(model)
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
            return {port.name.decode(): int(port.tensorIndex) for port in entries or []}
    return {_name(model, index): index for index in _tensors(model, kind)}


def _name(model: flatbuffer.Model, index: int) -> str:
    return str(model.subgraphs[0].tensors[index].name.decode())


def _check(tensor: Tensor, compiled: Tensor, kind: str) -> None:
    if tensor.dtype not in (np.int8, np.int16):
        raise UnspoolError(
            f"{kind} {tensor.name!r} holds {tensor.dtype}, expected int8 or int16: "
            "give the int8 file that was compiled"
        )
    if not tensor.scale:
        raise UnspoolError(f"{kind} {tensor.name!r} has no scale, expected a quantized tensor")
    if _format(tensor) != _format(compiled):
        raise UnspoolError(
            f"{kind} {tensor.name!r} is {_format(tensor)} in the int8 file and "
            f"{_format(compiled)} in the compiled file: give the int8 file that was compiled"
        )


def _states(
    source: flatbuffer.Model, inputs: tuple[Port, ...], outputs: tuple[Port, ...]
) -> Iterator[State]:
    targets = {port.tensor.name: port for port in inputs}
    sources = {port.tensor.name: port for port in outputs}
    before, after = flatbuffer.inputs_and_outputs(source)
    for pair in marks.state_pairs(marks.read(source).carried, before, after):
        stored = before[pair.input].quantize(np.asarray(pair.initial)).tolist()
        source_port, target = sources[after[pair.output].name], targets[before[pair.input].name]
        yield State(source_port, target, tuple(stored))


def _format(tensor: Tensor) -> str:
    """Everything that decides what bytes mean; 9 digits tell any two float32 apart."""
    shape = ", ".join(map(str, tensor.shape))
    return f"{tensor.dtype}({shape}), scale {tensor.scale:.9g}, zero point {tensor.zero_point}"


def _copy_order(
    states: tuple[State, ...], plan: Arena
) -> tuple[tuple[State, ...], tuple[State, ...]]:
    """An order in which no copy overwrites an output that is still to be copied.

    Vela lays inputs over outputs in the arena, as their lifetimes do not overlap on the NPU. Where
    no state can be copied first, one is kept in a buffer until the others are done.

    Returns:
        the states in order, and those among them to keep.
    """
    waiting, ordered, kept = list(states), list[State](), list[State]()
    while waiting:
        for state in waiting:
            others = [other for other in waiting if other is not state]
            if not any(_overwrites(state.target, other.source, plan) for other in others):
                ordered.append(state)
                break
        else:
            state = waiting[0]
            kept.append(state)
        waiting.remove(state)
    return (*ordered, *kept), tuple(kept)


def _overwrites(target: Port, source: Port, plan: Arena) -> bool:
    return arena.overlap(plan, target.place, source.place, target.size, source.size)
