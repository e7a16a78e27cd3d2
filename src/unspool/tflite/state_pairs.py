"""The states of a file: which input takes the bytes of which output."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.errors import UnspoolError
from unspool.tflite.ends import Tensor
from unspool.tflite.names import State


@dataclass(frozen=True)
class StatePair:
    """One state of a file.

    Attributes:
        name: such as "gru/h".
        input: position among the file's inputs.
        output: position among the file's outputs.
        initial: its values before the first call; empty for zeros.
        held: calls at the beginning after which it has these values again.
        given: the first call takes what samples have for this input.
    """

    name: str
    input: int
    output: int
    initial: tuple[float, ...] = ()
    held: int = 0
    given: bool = False


def state_pairs(
    states: Sequence[State], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[StatePair, ...]:
    """States of a file, in the order of its inputs.

    A state's input takes the bytes of its output from the call before.

    Raises:
        UnspoolError: a state that goes in does not come out, or not in the same form.
    """
    before = {tensor.name: position for position, tensor in enumerate(inputs)}
    after = {tensor.name: position for position, tensor in enumerate(outputs)}
    pairs = []
    for state in states:
        if state.input not in before or state.output not in after:
            raise UnspoolError(
                f"state {state.name!r}: expected an input {state.input!r} and an output "
                f"{state.output!r}, the file has {', '.join((*before, *after))}"
            )
        pair = StatePair(
            name=state.name,
            input=before[state.input],
            output=after[state.output],
            initial=state.initial,
            held=state.held,
            given=state.given,
        )
        forms = _form(inputs[pair.input]), _form(outputs[pair.output])
        if forms[0] != forms[1]:
            raise UnspoolError(
                f"state {state.name!r} goes in as {forms[0]} and comes out as {forms[1]}: "
                "its bytes cannot be fed back; quantize the model with Unspool"
            )
        pairs.append(pair)
    return tuple(sorted(pairs, key=lambda pair: pair.input))


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype}{tensor.shape}, scale {tensor.scale:.9g}, zero {tensor.zero_point}"
