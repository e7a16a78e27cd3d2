"""What goes into the `ethos-u` operator and comes out of it: which of its tensors is what."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.errors import UnspoolError
from unspool.npu.flatbuffer import Table

_IS_VARIABLE = 5  # field of a tensor
_INPUTS, _OUTPUTS = 1, 2  # fields of a graph, and of an operator


@dataclass(frozen=True)
class Ends:
    """Tensors of the operator, by their numbers in the file.

    Attributes:
        stream: the command stream and what the driver needs beside it.
        read_only: region 0.
        scratch: region 1.
        fast: region 2, which may be `scratch`.
        inputs: in the network's order.
        outputs: in the network's order.
        variables: states that an inference reads, and leaves in their place for the next one.
    """

    stream: int
    read_only: int
    scratch: int
    fast: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: tuple[int, ...]


def read_ends(graph: Table, operator: Table, offsets: Sequence[int]) -> Ends:
    """The ends of the operator of a graph; `offsets` are those of all its tensors in region 1.

    Raises:
        UnspoolError: a tensor does not exist, is neither the network's nor a variable one, or is a
            variable one that is written at another place than it is read from.
    """
    tensors = graph.tables(0)
    inputs = _indices(operator, _INPUTS, len(tensors), "inputs of the ethos-u operator")
    outputs = _indices(operator, _OUTPUTS, len(tensors), "outputs of the ethos-u operator")
    if len(inputs) < 5 or not outputs:
        raise UnspoolError(
            f"the ethos-u operator has {len(inputs)} inputs and {len(outputs)} outputs,"
            " expected 5 or more and 1 or more"
        )
    is_variable = [bool(tensor.scalar(_IS_VARIABLE, "b")) for tensor in tensors]
    network_tensors = {int(i) for field in (_INPUTS, _OUTPUTS) for i in graph.numbers(field, "i4")}
    variables, written = (
        tuple(i for i in indices if is_variable[i] and i not in network_tensors)
        for indices in (inputs[4:], outputs)
    )
    _check_in_place(tensors, offsets, variables, written)
    stream, read_only, scratch, fast = inputs[:4]
    return Ends(
        stream,
        read_only,
        scratch,
        fast,
        inputs=_order(graph, _INPUTS, [i for i in inputs[4:] if i not in variables]),
        outputs=_order(graph, _OUTPUTS, [i for i in outputs if i not in written]),
        variables=variables,
    )


def _check_in_place(
    tensors: Sequence[Table], offsets: Sequence[int], read: Sequence[int], written: Sequence[int]
) -> None:
    """Vela gives each value that a variable tensor takes a tensor of its own, in the same place."""
    places = {offsets[i] for i in read}
    for i in written:
        if offsets[i] not in places:
            raise UnspoolError(
                f"the variable tensor {tensors[i].text(3)!r} is written at byte {offsets[i]},"
                f" expected one of {sorted(places)}, where variable tensors are read"
            )


def _indices(table: Table, field: int, count: int, what: str) -> list[int]:
    indices = [int(i) for i in table.numbers(field, "i4")]
    for index in indices:
        if not 0 <= index < count:
            raise UnspoolError(f"{what}: tensor {index} does not exist, there are {count}")
    return indices


def _order(graph: Table, field: int, indices: list[int]) -> tuple[int, ...]:
    """The operator's tensors in the order in which the network lists them."""
    network = [int(i) for i in graph.numbers(field, "i4")]
    # Given out as it is: an input.
    passed = {int(i) for i in graph.numbers(_INPUTS, "i4")} if field == _OUTPUTS else set()
    # A tensor may be there twice: a state that is also the result.
    if set(network) - passed != set(indices) - passed:
        raise UnspoolError(
            f"the network's tensors {network} are not those of the ethos-u operator, {indices}"
        )
    return tuple(network)
