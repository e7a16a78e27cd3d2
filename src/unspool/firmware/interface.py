"""A compiled file's inputs, outputs and states, as firmware sees them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unspool.compilation import arena
from unspool.compilation.arena import Arena
from unspool.firmware import ports
from unspool.firmware.ports import Port
from unspool.tflite import ends, flatbuffer, marks
from unspool.tflite.marks import Calls
from unspool.tflite.state_pairs import state_pairs


@dataclass(frozen=True)
class State:
    """A state.

    Attributes:
        source: the output that gives it.
        target: the input that takes it next time.
        initial: what the input holds before the first call, stored; flat. Empty for zeros.
        held: calls at the beginning after which it holds that again.
    """

    source: Port
    target: Port
    initial: tuple[int, ...] = ()
    held: int = 0


@dataclass(frozen=True)
class Interface:
    """What firmware handles.

    Attributes:
        inputs: every input, states included, in the order of TFLM's `input(i)`.
        outputs: every output, in the order of TFLM's `output(i)`.
        states: in an order in which they can be copied one after another, if those in `buffered`
            are read before all others and written after them.
        buffered: states that must wait in a buffer, because their inputs lie over outputs of other
            states that are yet to be read.
        arena: what the compiled file needs of it.
        calls: of the network, that a sequence takes; 0 where it is not cut into calls.
        cut: which part of the model's file the network is; "" for all of it.
        warm_up: calls of a stream whose outputs are of no use, after a reset; None where the
            network is none.
        late: time steps by which a stream's outputs come later than what they are of.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    states: tuple[State, ...]
    buffered: tuple[State, ...]
    arena: Arena
    calls: int = 0
    cut: str = ""
    warm_up: int | None = None
    late: int = 0

    @property
    def data_inputs(self) -> tuple[Port, ...]:
        """Inputs that are not states, or are states that begin with what is given."""
        own = [state.target for state in self.reset]
        return tuple(port for port in self.inputs if port not in own)

    @property
    def reset(self) -> tuple[State, ...]:
        """States that begin with what they are known to begin with."""
        return tuple(state for state in self.states if not state.target.begins_state)

    @property
    def data_outputs(self) -> tuple[Port, ...]:
        """Outputs that are not states."""
        return tuple(p for p in self.outputs if p not in [s.source for s in self.states])


def read(int8_tflite: bytes, compiled_tflite: bytes) -> Interface:
    """Inputs, outputs and states of a compiled file, with the names of the int8 file.

    Args:
        int8_tflite: bytes of the file that was compiled.
        compiled_tflite: bytes of what Vela made of it.

    Raises:
        UnspoolError: the files do not belong together, a tensor is neither int8 nor int16 nor an
            input of ids, or a state cannot be copied as bytes.
    """
    source, compiled = flatbuffer.read(int8_tflite), flatbuffer.read(compiled_tflite)
    plan = arena.read(compiled)
    inputs = ports.read(source, compiled, "input")
    outputs = ports.read(source, compiled, "output")
    states = tuple(_states(source, inputs, outputs))
    ordered, buffered = _copy_order(states, plan)
    file_marks = marks.read(source)
    calls = file_marks.calls or Calls(0)
    return Interface(
        inputs=inputs,
        outputs=outputs,
        states=ordered,
        buffered=buffered,
        arena=plan,
        calls=calls.count,
        cut=str(file_marks.cut or ""),
        warm_up=calls.warm_up if file_marks.calls and not calls.count else None,
        late=calls.late,
    )


def _states(
    source: flatbuffer.Model, inputs: tuple[Port, ...], outputs: tuple[Port, ...]
) -> Iterator[State]:
    targets = {port.tensor.name: port for port in inputs}
    sources = {port.tensor.name: port for port in outputs}
    before, after = ends.inputs_and_outputs(source)
    for pair in state_pairs(marks.read(source).carried, before, after):
        stored = before[pair.input].quantize(np.asarray(pair.initial)).tolist()
        source_port, target = sources[after[pair.output].name], targets[before[pair.input].name]
        yield State(source_port, target, tuple(stored), pair.held)


def _copy_order(
    states: tuple[State, ...], plan: Arena
) -> tuple[tuple[State, ...], tuple[State, ...]]:
    """An order in which no copy overwrites an output that is still to be copied.

    Vela lays inputs over outputs in the arena, as their lifetimes do not overlap on the NPU. Where
    no state can be copied first, one is kept in a buffer until the others are done.

    Returns:
        the states in order, and those among them to keep.
    """
    waiting, ordered, buffered = list(states), list[State](), list[State]()
    while waiting:
        for state in waiting:
            others = [other for other in waiting if other is not state]
            if not any(_overwrites(state.target, other.source, plan) for other in others):
                ordered.append(state)
                break
        else:
            state = waiting[0]
            buffered.append(state)
        waiting.remove(state)
    return (*ordered, *buffered), tuple(buffered)


def _overwrites(target: Port, source: Port, plan: Arena) -> bool:
    return arena.overlap(plan, target.place, source.place, target.size, source.size)
