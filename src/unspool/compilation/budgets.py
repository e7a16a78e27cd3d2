"""Budgets: what a network may cost, and by how much it costs more."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from unspool.compilation.kinds import (
    ACCURACY,
    CPU_OPERATORS,
    FLASH,
    MILLISECONDS,
    OUTPUT_ERROR,
    RESIDENT_MILLISECONDS,
    RESIDENT_SRAM,
    SRAM,
    SRAM_WITH_WEIGHTS,
)
from unspool.errors import UnspoolError


@dataclass(frozen=True)
class Budget:
    """Limits on what a network costs; None is no limit. A value equal to its limit is within it.

    Attributes:
        max_ms: milliseconds of an inference, Vela's estimate.
        max_sram_kib: KiB (1024 bytes) of SRAM, with the weights where they lie there.
        max_flash_kib: KiB of flash: of the compiled file.
        max_accuracy_drop: points by which the quantized model (TFLM) may be below the trained one.
        max_output_error: mean error of the worst column of the outputs, percent of its range, of
            the quantized model (TFLM) against the trained one.
        no_cpu: no operator may run on the CPU.

    Raises:
        UnspoolError: a limit is not a finite number, or negative.
    """

    max_ms: float | None = None
    max_sram_kib: float | None = None
    max_flash_kib: float | None = None
    max_accuracy_drop: float | None = None
    max_output_error: float | None = None
    no_cpu: bool = False

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            number = isinstance(limit, int | float) and not isinstance(limit, bool)
            if name != "no_cpu" and not (number and math.isfinite(limit) and limit >= 0):
                given = f"{limit:g}" if isinstance(limit, float) else repr(limit)
                raise UnspoolError(
                    f"`{name}` {given}: expected a finite number of {_MEASURES[name].unit}, "
                    "0 or more"
                )

    @property
    def limits(self) -> dict[str, float]:
        """Name -> limit of those that are set; `no_cpu` is a limit of 0."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        found = {name: limit for name, limit in given.items() if limit is not None}
        if found.pop("no_cpu"):
            found["no_cpu"] = 0
        return found

    def __str__(self) -> str:
        """The limits in words, for sentences such as "fits the budget: SRAM at most 64 KiB"."""
        return ", ".join(_in_words(name, limit) for name, limit in self.limits.items())


@dataclass(frozen=True)
class Item:
    """A limit of a budget beside what the network costs.

    Attributes:
        limit: its name in `Budget`, such as "max_ms".
        label: what is limited, for people.
        unit: of the numbers: "ms", "KiB", "points"; empty for a count.
        allowed: the limit.
        value: what the network costs.
        figures: ids of the figures that the value is from.
    """

    limit: str
    label: str
    unit: str
    allowed: float
    value: float
    figures: tuple[str, ...]

    @property
    def over(self) -> float:
        """By how much the value exceeds the limit; 0 or less where it is within it."""
        # Accuracies are quotients in binary: 98.37 - 98.34 is not above 0.03.
        return round(self.value - self.allowed, 9)


@dataclass(frozen=True)
class Breach(Item):
    """A limit that is broken."""

    @property
    def document(self) -> dict[str, Any]:
        """What JSON says of it."""
        return {**asdict(self), "over": self.over}

    def __str__(self) -> str:
        if self.limit == "no_cpu":
            return f"{self.label}: {self.value:.0f}, but the budget allows none"
        return (
            f"{self.label}: {as_text(self.value)} {self.unit}, {as_text(self.over)} {self.unit} "
            f"over the budget's {self.allowed:g}"
        )


@dataclass(frozen=True)
class _Measure:
    """How a limit's value is found: the first figure of `ids` that is there, or a difference."""

    label: str
    unit: str
    ids: tuple[str, ...]
    missing: str = "compile or deploy the network again"


_DROP = (ACCURACY.of("keras"), ACCURACY.of("tflm"))
_MEASURES = {
    "max_ms": _Measure(MILLISECONDS.label, "ms", (RESIDENT_MILLISECONDS.id, MILLISECONDS.id)),
    "max_sram_kib": _Measure(SRAM.label, "KiB", (RESIDENT_SRAM.id, SRAM_WITH_WEIGHTS.id, SRAM.id)),
    "max_flash_kib": _Measure(FLASH.label, "KiB", (FLASH.id,)),
    "max_accuracy_drop": _Measure(
        "Accuracy below the trained model's",
        "points",
        _DROP,
        "it is measured by a deployment with test samples (`test`)",
    ),
    "max_output_error": _Measure(
        "Mean error of the worst output column",
        "%",
        (OUTPUT_ERROR.id,),
        "it is measured by a deployment",
    ),
    "no_cpu": _Measure(CPU_OPERATORS.label, "", (CPU_OPERATORS.id,)),
}


def weigh(figures: Mapping[str, float], budget: Budget) -> tuple[Item, ...]:
    """Put each limit of a budget beside its figure.

    With resident weights, their figures count; where a memory mode has the weights in SRAM, the
    SRAM with them.

    Args:
        figures: id -> value, as in report.json.
        budget: the limits.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    return tuple(_item(figures, name, limit) for name, limit in budget.limits.items())


def check(figures: Mapping[str, float], budget: Budget) -> tuple[Breach, ...]:
    """The limits that are broken, as `weigh` takes its arguments.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    return tuple(Breach(**vars(item)) for item in weigh(figures, budget) if item.over > 0)


def as_text(value: float) -> str:
    """A cost as people read it: two decimals, or more where two would show nothing."""
    return f"{value:,.2f}" if abs(value) >= 0.01 or not value else f"{value:.1g}"


def _given(name: str, limit: float) -> str:
    return f"`{name}`" if name == "no_cpu" else f"`{name}` {limit:g}"


def _in_words(name: str, limit: float) -> str:
    measure = _MEASURES[name]
    if name == "no_cpu":
        return f"no {measure.label[:1].lower()}{measure.label[1:]}"
    return f"{measure.label} at most {limit:g} {measure.unit}"


def _item(figures: Mapping[str, float], name: str, limit: float) -> Item:
    measure = _MEASURES[name]
    there = tuple(key for key in measure.ids if key in figures)
    if not there or (measure.ids == _DROP and there != _DROP):
        needed = " and ".join(measure.ids if measure.ids == _DROP else measure.ids[-1:])
        raise UnspoolError(
            f"{_given(name, limit)}: needs {needed}, which the figures do not have; "
            f"{measure.missing}"
        )
    if measure.ids == _DROP:
        value = figures[_DROP[0]] - figures[_DROP[1]]
    else:
        there = there[:1]
        value = figures[there[0]]
    return Item(name, measure.label, measure.unit, limit, value, there)
