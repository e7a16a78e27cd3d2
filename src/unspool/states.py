"""States of a recurrent .tflite: which input takes what which output gave.

An input `<layer>/h_in` (LSTM: also `<layer>/c_in`) is fed with the bytes of the output
`<layer>/h_out` of the call before. Both have one scale and zero point, so bytes are copied.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from unspool.errors import UnspoolError
from unspool.flatbuffer import Tensor

_INPUT = re.compile(r"(.+/[hc]\d*)_in")


@dataclass(frozen=True)
class StatePair:
    """One state.

    Attributes:
        name: such as "gru/h".
        input: position among the file's inputs.
        output: position among the file's outputs.
    """

    name: str
    input: int
    output: int


def state_pairs(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[StatePair, ...]:
    """The states of a file, in the order of its inputs.

    Raises:
        UnspoolError: a state that goes in does not come out, or not in the same form.
    """
    positions = {tensor.name: position for position, tensor in enumerate(outputs)}
    pairs = []
    for position, tensor in enumerate(inputs):
        match = _INPUT.fullmatch(tensor.name)
        if not match:
            continue
        name = match[1]
        if f"{name}_out" not in positions:
            raise UnspoolError(f"state {name!r} has an input {tensor.name!r} but no {name}_out")
        after = outputs[positions[f"{name}_out"]]
        if _form(tensor) != _form(after):
            raise UnspoolError(
                f"state {name!r} goes in as {_form(tensor)} and comes out as {_form(after)}: "
                "its bytes cannot be fed back; quantize the model with Unspool"
            )
        pairs.append(StatePair(name, position, positions[f"{name}_out"]))
    return tuple(pairs)


def _form(tensor: Tensor) -> str:
    return f"{tensor.dtype}{tensor.shape}, scale {tensor.scale:.8g}, zero {tensor.zero_point}"
