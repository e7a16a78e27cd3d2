"""The grammar of tensor names, which are written and read in this module only.

`<layer>/step_007/<role>`          what step 7 of a layer computes; steps are numbered as they run
`<layer>/h_in`, `<layer>/h_out`    a state before the first step and after the last; `rows` of a
                                   window, and `empty`, which of these nothing came into yet
`.../unspool_curve/...`            within a function of one value
`.../mean`, `.../difference`       what an operator is rewritten by way of
`.../column_0`                     an entry of the last axis of what is put together of columns
`.../part_0`                       a part of a tensor that is put together in several operators

Keras's names have no slash, so in a Keras model a state is called `<layer>.h_in`. The grammar is
applied only to layers and states that a file marks as Unspool's (`marks.py`): a user's own tensors
may be called `cell_in` and `step_1`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """A state, by its names in a .tflite.

    Attributes:
        name: such as "gru/h".
        input: the input that takes it, "gru/h_in".
        output: the output that gives it, "gru/h_out".
        initial: its values before the first call; empty for zeros.
        held: calls at the beginning that it is not carried over, as what its layer reads does not
            belong to the sequence yet.
        given: its input is one of the network's own: the first call takes what is given there.
    """

    name: str
    input: str
    output: str
    initial: tuple[float, ...] = ()
    held: int = 0
    given: bool = False


def step_scope(layer: str, number: int) -> str:
    """The scope of a step; the slash at the end makes TensorFlow take it from the root."""
    return f"{_step(layer, number)}/"


def _step(layer: str, number: int) -> str:
    return f"{layer}/step_{number:03d}"


def state(layer: str, name: str) -> State:
    """The state of a layer that is called `h`, `c`, ..."""
    return State(f"{layer}/{name}", f"{layer}/{name}_in", f"{layer}/{name}_out")


ROWS = "rows"
"""What a state is called that holds the rows of a sequence that came in calls before."""


def with_rows(layer: str) -> str:
    """The scope in which a chunk is put behind the rows of a layer's state."""
    return f"{layer}_with_rows"


def moves_rows(tensor: str, name: str) -> bool:
    """Whether what computes a tensor only moves rows out of a state of such a name, or into it."""
    layer, _, kind = name.rpartition("/")
    scope = rf"(?:^|[/;]){re.escape(with_rows(keras_name(layer)))}(?:_\d+)?/"
    return kind == ROWS and (tensor == state(layer, kind).output or bool(re.search(scope, tensor)))


EMPTY = "empty"
"""What a state is called that has 1 for each row of another one that nothing came into yet."""


def says_empty(state: State) -> bool:
    """Whether a state that Unspool made is such a one: a mask."""
    return state.name.rpartition("/")[2] == EMPTY


def keras_name(name: str) -> str:
    """A name of this grammar as Keras takes it, without slashes."""
    return name.replace("/", ".")


def valid_scope(name: str) -> str:
    """A user's name as a name scope of TensorFlow, which takes few characters."""
    scope = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return scope if scope[:1].isalnum() else f"x{scope}"


CURVE = "unspool_curve"
"""The scope of what lies within a function of one value; its result lies outside."""

_CURVE = re.compile(rf"(?:^|[/;]){CURVE}(?:_\d+)?/")


def is_of_curve(name: str) -> bool:
    """Whether a tensor lies within a function of one value."""
    return bool(_CURVE.search(name))


MEAN, DIFFERENCE = "/mean", "/difference"
"""What the first of two operators that stand for one computes, behind the name of that one: of a
sum, and of a squared difference (`rewriting.py`)."""


_PART = "/part_"


def part(name: str, number: int) -> str:
    """A part of a tensor that is put together in several operators."""
    return f"{name}{_PART}{number}"


def column(name: str, number: int) -> str:
    """What a tensor is put together of along its last axis, as an axis of one entry."""
    return f"{name}/column_{number}"


def is_part(name: str) -> bool:
    """Whether a tensor is such a part."""
    _, mark, number = name.rpartition(_PART)
    return bool(mark) and number.isdigit()


def last_part(name: str) -> str:
    """The last of a tensor's names: those of fused operators are joined by semicolons."""
    return name.rstrip(";").split(";")[-1]


class Steps:
    """Reads the names of a file's tensors, of steps and states that Unspool made."""

    def __init__(self, layers: Sequence[str], states: Sequence[State]) -> None:
        """Take the layers whose steps have such names, and the states."""
        either = "|".join(map(re.escape, layers))
        self._step = re.compile(rf"(?:^|(?<=;))({either})/step_(\d+)(?=[/;]|$)") if layers else None
        self._scopes = [f"{layer}/" for layer in layers]
        self._state_layers = {state.output: state.name.rpartition("/")[0] for state in states}
        self._state_inputs = {state.input for state in states}

    def find(self, name: str) -> tuple[str, int] | None:
        """(layer, number) of the step that computes a tensor; the first where several are fused."""
        match = self._step.search(name) if self._step else None
        return (match[1], int(match[2])) if match else None

    def role(self, name: str) -> str:
        """The name without the steps' numbers: `gru/step_007/h` -> `gru/step/h`."""
        return self._step.sub(r"\1/step", name) if self._step else name

    def later(self, name: str, by: int) -> str:
        """The same tensor of another step: `gru/step_007/h` two later is `gru/step_009/h`.

        Of several names, those of other steps stay: what all steps share is called after one.
        """
        step = self.find(name)
        if not step:
            return name
        own, new = (_step(step[0], step[1] + n) for n in (0, by))
        return ";".join(
            new + part.removeprefix(own) if part.startswith(own) else part
            for part in name.split(";")
        )

    def within(self, name: str) -> str:
        """The name within its layer or step, the last of several: `gru/step_007/h` -> `h`."""
        part = last_part(name)
        match = self._step.match(part) if self._step else None
        if match:
            return part[match.end() + 1 :]
        scope = max((s for s in self._scopes if part.startswith(s)), key=len, default="")
        return part.removeprefix(scope)

    def layer_giving(self, name: str) -> str | None:
        """The layer whose state an output is; such an output no longer has its step's name."""
        return self._state_layers.get(name)

    def is_taken(self, name: str) -> bool:
        """Whether an input is a state."""
        return name in self._state_inputs
