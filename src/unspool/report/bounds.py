"""What an operator waits for, and where the cycles of a network go: by kind and by step."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from unspool.compilation.compiled import Operator
from unspool.tflite.names import Steps

BOUNDS = ("MACs", "other arithmetic", "SRAM", "DRAM", "flash")
"""What an operator can be bound by: the part that takes longest, which hides the others in Vela.

MACs: the arithmetic of an operator with weights; other arithmetic: of one without, such as an
addition or a lookup.
"""

_MULTIPLIES = re.compile(r"FullyConnected|Conv|MatMul")  # Vela counts MACs for lookups, too


def bound(operator: Operator) -> str:
    """Which of `BOUNDS` an operator's time is spent on."""
    parts = operator.parts
    longest = max(parts, key=parts.__getitem__)  # the first of equals: arithmetic
    if longest != "NPU":
        return longest
    return BOUNDS[0] if _MULTIPLIES.search(operator.kind) else BOUNDS[1]


@dataclass(frozen=True)
class Cycles:
    """Cycles of some operators, by what they are bound by.

    Attributes:
        label: a kind of operators, or a step.
        operators: how many.
        parts: one of `BOUNDS` -> cycles; those without cycles are left out.
    """

    label: str
    operators: int
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Cycles of all."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Layer:
    """A recurrent layer: the cycles of its steps.

    Attributes:
        name: the scope that its operators are in.
        steps: in order of their numbers, which are the labels.
    """

    name: str
    steps: tuple[Cycles, ...] = field(default=())


def gather(label: str, operators: Sequence[Operator]) -> Cycles:
    """Add up operators."""
    parts: dict[str, int] = {}
    for operator in operators:
        if operator.cycles:
            name = bound(operator)
            parts[name] = parts.get(name, 0) + operator.cycles
    return Cycles(label, len(operators), {name: parts[name] for name in BOUNDS if name in parts})


def by_kind(operators: Iterable[Operator], most: int = 8) -> tuple[Cycles, ...]:
    """Cycles per kind of operator, the costliest first; beyond `most` kinds, the rest together."""
    kinds: dict[str, list[Operator]] = {}
    for operator in operators:
        if operator.on_npu:
            kinds.setdefault(operator.kind, []).append(operator)
    rows = sorted((gather(k, ops) for k, ops in kinds.items()), key=lambda row: -row.total)
    if len(rows) > most:
        other_kinds = {row.label for row in rows[most - 1 :]}
        rest = [op for kind, ops in kinds.items() if kind in other_kinds for op in ops]
        rows = [*rows[: most - 1], gather(f"{len(other_kinds)} other kinds", rest)]
    return tuple(rows)


def by_step(operators: Iterable[Operator], steps: Steps) -> tuple[tuple[Layer, ...], Cycles]:
    """Cycles of each step of each recurrent layer, and of the operators outside of the steps.

    An operator's step is read from its tensor's name; a state that is an output belongs to the
    layer's last step.
    """
    layers: dict[str, dict[int, list[Operator]]] = {}
    unplaced_operators: list[Operator] = []
    for operator in operators:
        if not operator.on_npu:
            continue
        place = steps.find(operator.name)
        if place is None:
            unplaced_operators.append(operator)
        else:
            layers.setdefault(place[0], {}).setdefault(place[1], []).append(operator)
    outside = []
    for operator in unplaced_operators:
        scope = steps.layer_giving(operator.name)
        if scope in layers:
            layers[scope][max(layers[scope])].append(operator)
        else:
            outside.append(operator)
    return (
        tuple(
            Layer(name, tuple(gather(str(number), by[number]) for number in sorted(by)))
            for name, by in layers.items()
        ),
        gather("outside of the steps", outside),
    )
