"""How the tensors of a stream begin, beside those of the whole sequence."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from unspool.support._tensorflow import keras


def as_it_is(tensor: Any) -> Any:
    """The tensor."""
    return tensor


@dataclass(frozen=True)
class Beginning:
    """How a tensor of a stream begins, beside that of the whole sequence.

    Attributes:
        calls: so many first calls give what the whole sequence does not have.
        shorter: by so many time steps of the model's (shortest) input the whole sequence is shorter
            than it: windows without zeros around it and cuts make it so.
        step: time steps of that input for each of its own.
        zeros: rows of zeros in front of it, which the window that reads it keeps.
        behind: rows of zeros behind it.
        fills: calls until it is what it is for a sequence, of what is of the end of one.
        beside: puts zeros into other axes than time, which a window does with the rows it reads: so
            no state holds them, and Vela makes them a convolution's own padding.
    """

    calls: int = 0
    shorter: Fraction = Fraction(0)
    step: Fraction = Fraction(1)
    zeros: int = 0
    behind: int = 0
    fills: int = 0
    beside: Callable[[Any], Any] = as_it_is


@dataclass(frozen=True)
class Beginnings:
    """Those of a deploy model's tensors.

    Attributes:
        time_steps: of one call, of the (shortest) input.
    """

    time_steps: int
    _known: dict[int, tuple[Any, Beginning]] = field(default_factory=dict)

    def __contains__(self, tensor: Any) -> bool:
        return id(tensor) in self._known

    def of(self, tensor: Any) -> Beginning:
        """That of a tensor; of one that is no part of a sequence, as if it were there at once."""
        return self._known.get(id(tensor), (None, Beginning()))[1]

    def note(self, tensor: Any, begin: Beginning) -> None:
        """Note that of a tensor."""
        self._known[id(tensor)] = tensor, begin

    def begin(self, inputs: Sequence[Any]) -> None:
        """Note the inputs that are sequences."""
        for tensor in inputs:
            self.note(tensor, Beginning(step=Fraction(self.time_steps, tensor.shape[1])))

    def calls_before(self, tensor: Any) -> int:
        """How many first calls give nothing of a tensor that the whole sequence has."""
        return self.of(tensor).calls

    def late(self, tensors: Iterable[Any]) -> int:
        """Time steps by which the latest of some tensors comes later than the whole sequence's."""
        begin = [self.of(tensor) for tensor in tensors]
        return math.ceil(max(each.calls * self.time_steps - each.shorter for each in begin))

    def follow(self, inputs: Any, outputs: Any) -> None:
        """Note that outputs of an operation begin as what it was given, unless they are known."""
        begin = [
            self._known[id(tensor)][1]
            for tensor in keras.tree.flatten(inputs)
            if id(tensor) in self._known
        ]
        if not begin:
            return
        common = Beginning(
            max(each.calls for each in begin),
            min(each.shorter for each in begin),
            max(each.step for each in begin),
            fills=max(each.fills for each in begin),
        )
        for tensor in keras.tree.flatten(outputs):
            in_time = len(tensor.shape) > 2
            beginning = common if in_time else self.of_the_end(common)
            self._known.setdefault(id(tensor), (tensor, beginning))

    def of_the_end(self, begin: Beginning) -> Beginning:
        """That of what is of the last time step, or of all of them: it is no row of a sequence.

        Two of the same end belong together, however many calls each of them took to be right.
        """
        late = math.ceil(begin.calls - begin.shorter / self.time_steps)
        return Beginning(max(late, 0), fills=max(begin.fills, begin.calls))
