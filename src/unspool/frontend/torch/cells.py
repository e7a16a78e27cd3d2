"""nn.GRUCell, LSTMCell and RNNCell in a Python loop, rolled up into one layer over the sequence.

torch.export writes a loop out, call by call. Calls of one cell, each of which takes its state from
the one before, are one recurrent layer; what they read, step by step, is its sequence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.torch.program import Call, Ref

_WHOLE = {
    "gru_cell": "gru.input",
    "lstm_cell": "lstm.input",
    "rnn_relu_cell": "rnn_relu.input",
    "rnn_tanh_cell": "rnn_tanh.input",
}
"""A cell -> the layer that it is the cell of."""

_WEIGHTS = ("w_ih", "w_hh", "b_ih", "b_hh")
_SAME = ("dropout", "alias", "clone", "contiguous", "detach")


@dataclass(frozen=True)
class _Step:
    """A tensor that is one step of a sequence.

    Attributes:
        sequence: the name of the whole.
        axis: of its steps.
        index: which of them.
    """

    sequence: str
    axis: int
    index: int


def rolled(calls: Sequence[Call], shapes: Mapping[str, tuple[int, ...]]) -> list[Call]:
    """The same calls with a layer in place of each chain of cells.

    Args:
        calls: of a program, in their order.
        shapes: of its tensors.

    Raises:
        UnspoolError: a cell reads what its own outputs are computed into.
    """
    chains = _chains(calls)
    if not chains:
        return list(calls)
    steps = _steps(calls, chains)
    lengths = {_sequence(chain): len(chain) for chain in chains}
    cells = {id(call) for chain in chains for call in chain}
    written = [_joined(call, steps, lengths) for call in calls if id(call) not in cells]
    for chain in chains:
        written += _layer(chain, steps, shapes)
    return _in_order(written)


def _plain(calls: Sequence[Call]) -> Callable[[str], str]:
    """Name -> the name of the same value, before what does nothing in a trained network."""
    source = {
        call.outputs[0]: next(
            value.name for value in call.arguments.values() if isinstance(value, Ref)
        )
        for call in calls
        if call.target in _SAME and not call.get("train", False)
    }

    def plain(name: str) -> str:
        return plain(source[name]) if name in source else name

    return plain


def _states(call: Call) -> list[Ref]:
    return call["hx"] if isinstance(call["hx"], list) else [call["hx"]]


def _chains(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls of one cell, each with the state of the one before."""
    plain = _plain(calls)
    chains: list[list[Call]] = []
    last: dict[tuple[Any, ...], list[Call]] = {}  # weights and the state that was given out last
    for call in calls:
        if call.target not in _WHOLE:
            continue
        weights = tuple(call.get(name) for name in _WEIGHTS)
        chain = last.pop((weights, plain(_states(call)[0].name)), None)
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(call)
        last[weights, call.outputs[0]] = chain
    return chains


def _sequence(chain: Sequence[Call]) -> str:
    return f"{chain[0].outputs[0]}_sequence"


def _steps(calls: Sequence[Call], chains: Sequence[Sequence[Call]]) -> dict[str, _Step]:
    """Tensor -> which step of which sequence it is."""
    found: dict[str, _Step] = {}
    for call in calls:
        if call.target == "select.int":
            whole, axis = call["self"].name, call.get("dim", 0)
            found[call.outputs[0]] = _Step(whole, axis, call["index"])
        elif call.target == "unbind.int":
            whole, axis = call["self"].name, call.get("dim", 0)
            found |= {name: _Step(whole, axis, n) for n, name in enumerate(call.outputs)}
    for chain in chains:
        for index, call in enumerate(chain):
            found[call.outputs[0]] = _Step(_sequence(chain), 0, index)
    plain = _plain(calls)
    for call in calls:
        for name in call.outputs:
            if plain(name) in found:
                found[name] = found[plain(name)]
    for call in calls:
        if call.target == "unsqueeze" and call["self"].name in found:
            found[call.outputs[0]] = found[call["self"].name]
    return found


def _joined(call: Call, steps: Mapping[str, _Step], lengths: Mapping[str, int]) -> Call:
    """A call that puts all steps of a layer side by side, as one that moves an axis."""
    if call.target not in ("stack", "cat"):
        return call
    axis = call.get("dim", 0)
    found = [steps.get(ref.name) for ref in call["tensors"]]
    first = found[0]
    if first is None or first.sequence not in lengths:
        return call
    whole = [_Step(first.sequence, 0, n) for n in range(lengths[first.sequence])]
    if found != whole or axis not in (0, 1):
        return call
    order = [1, 0, 2] if axis == 1 else [0, 1, 2]
    return replace(call, target="permute", arguments={"self": Ref(first.sequence), "dims": order})


def _layer(
    chain: Sequence[Call], steps: Mapping[str, _Step], shapes: Mapping[str, tuple[int, ...]]
) -> list[Call]:
    """The calls that a chain becomes: its sequence, the layer, and its steps one by one."""
    first, name = chain[0], _sequence(chain)
    parts = [call["input"] for call in chain]
    states = _states(first)
    weights = [first[key] for key in _WEIGHTS if first.get(key) is not None]
    starts = [f"{name}_start_{n}" for n in range(len(states))]
    finals = [f"{name}_final_{n}" for n in range(len(states))]
    given = [Ref(start) for start in starts]
    layer = {
        "input": Ref(f"{name}_read"),
        "hx": given if len(given) > 1 else given[0],
        "params": weights,
        "has_biases": len(weights) > 2,
        "num_layers": 1,
    }
    return [
        _read(parts, steps, shapes, f"{name}_read"),
        *(
            Call("unsqueeze", {"self": state, "dim": 0}, (start,), first.module)
            for state, start in zip(states, starts, strict=True)
        ),
        Call(_WHOLE[first.target], layer, (name, *finals), first.module.split("@")[0]),
        *(
            Call("select.int", {"self": Ref(name), "dim": 0, "index": n}, call.outputs[:1], "")
            for n, call in enumerate(chain)
        ),
        *(
            Call("select.int", {"self": Ref(final), "dim": 0, "index": -1}, (output,), "")
            for final, output in zip(finals[1:], chain[-1].outputs[1:], strict=True)
        ),
    ]


def _read(
    parts: Sequence[Ref],
    steps: Mapping[str, _Step],
    shapes: Mapping[str, tuple[int, ...]],
    output: str,
) -> Call:
    """What a layer reads, (time, batch, features): a sequence as it is, or steps put together."""
    found = [steps.get(part.name) for part in parts]
    first = found[0]
    if first is not None:
        whole = [_Step(first.sequence, first.axis, n) for n in range(len(parts))]
        sizes = shapes.get(first.sequence)
        complete = sizes is None or (len(sizes) == 3 and sizes[first.axis] == len(parts))
        if found == whole and complete and first.axis in (0, 1):
            order = [1, 0, 2] if first.axis == 1 else [0, 1, 2]
            return Call("permute", {"self": Ref(first.sequence), "dims": order}, (output,), "")
    return Call("stack", {"tensors": list(parts), "dim": 0}, (output,), "")


def _in_order(calls: Sequence[Call]) -> list[Call]:
    """Each call behind those that it reads.

    Raises:
        UnspoolError: some read each other.
    """
    makers = {name: call for call in calls for name in call.outputs}
    done: dict[int, Call] = {}
    open_: set[int] = set()
    stack: list[tuple[Call, bool]] = [(call, False) for call in reversed(calls)]
    while stack:
        call, is_ready = stack.pop()
        if is_ready:
            done.setdefault(id(call), call)
            open_.discard(id(call))
            continue
        if id(call) in done:
            continue
        if id(call) in open_:
            raise UnspoolError(
                f"module {call.module or call.outputs[0]!r}: a cell reads what its own outputs are "
                "computed into, step by step, which has no form yet; feed it a sequence"
            )
        open_.add(id(call))
        stack.append((call, True))
        stack += [(makers[ref.name], False) for ref in _refs(call) if ref.name in makers]
    return list(done.values())


def _refs(call: Call) -> list[Ref]:
    values = call.arguments.values()
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, Ref)]
