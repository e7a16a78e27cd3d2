"""Budgets: what a network may cost, and by how much it exceeds that."""

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
        max_ms: milliseconds of an inference, Vela's estimate; not known to be kept where operators
            run on the CPU.
        max_sram_kib: KiB (1024 bytes) of SRAM, including the weights where they lie in SRAM.
        max_flash_kib: KiB of flash: of the compiled file.
        max_accuracy_drop: points by which the quantized model (TFLM) may be below the trained one,
            in each output that has an accuracy.
        max_output_error: mean error of the worst column of the outputs, percent of its range, of
            the quantized model (TFLM) against the trained one.
        no_cpu: no operator may run on the CPU.

    Raises:
        UnspoolError: a limit is not a finite number, or negative.

    Example:
        >>> print(unspool.Budget(max_ms=5, max_sram_kib=64))
        Time of an inference at most 5 ms, SRAM at most 64 KiB
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
                shown = f"{limit:g}" if isinstance(limit, float) else repr(limit)
                raise UnspoolError(
                    f"`{name}` {shown}: expected a finite number of {_MEASURES[name].unit}, "
                    "0 or more"
                )

    @property
    def limits(self) -> dict[str, float]:
        """Name -> limit of those that are set; `no_cpu` is a limit of 0."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        limits = {name: limit for name, limit in values.items() if limit is not None}
        if limits.pop("no_cpu"):
            limits["no_cpu"] = 0
        return limits

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
        on_cpu: operators on the CPU, where these cost more than the value tells: time, which Vela
            does not estimate.
    """

    limit: str
    label: str
    unit: str
    allowed: float
    value: float
    figures: tuple[str, ...]
    on_cpu: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether the limit is known to be kept."""
        return self.is_known and self.over <= 0

    @property
    def is_known(self) -> bool:
        """Whether it can be told if the limit is kept; the NPU alone may break it."""
        return not self.on_cpu or self.over > 0

    @property
    def doubt(self) -> str:
        """Why it is not known whether the limit is kept; empty where it is."""
        if self.is_known:
            return ""
        run = "1 operator runs" if self.on_cpu == 1 else f"{self.on_cpu} operators run"
        return (
            f"{self.label}: not known, as {run} on the CPU, whose time Vela does not estimate; the "
            f"NPU alone takes {as_text(self.value)} {self.unit} of the budget's {self.allowed:g}"
        )

    @property
    def over(self) -> float:
        """By how much the value exceeds the limit; 0 or less where it is within it."""
        # Accuracies are quotients in binary: 98.37 - 98.34 is not above 0.03.
        return round(self.value - self.allowed, 9)


@dataclass(frozen=True)
class Breach(Item):
    """A limit that is broken, or not known to be kept."""

    @property
    def document(self) -> dict[str, Any]:
        """The breach as JSON holds it."""
        return {**asdict(self), "over": self.over if self.is_known else None}

    def __str__(self) -> str:
        if self.limit == "no_cpu":
            return f"{self.label}: {self.value:.0f}, but the budget allows none"
        return self.doubt or (
            f"{self.label}: {as_text(self.value)} {self.unit}, {as_text(self.over)} {self.unit} "
            f"over the budget's {self.allowed:g}"
        )


@dataclass(frozen=True)
class _Measure:
    """Which figure a limit applies to: the first of `ids` that is there; or a difference of two."""

    label: str
    unit: str
    ids: tuple[str, ...]
    missing: str = "compile or deploy the network again"


_TRAINED, _QUANTIZED = ACCURACY.of("keras"), ACCURACY.of("tflm")
_MEASURES = {
    "max_ms": _Measure(MILLISECONDS.label, "ms", (RESIDENT_MILLISECONDS.id, MILLISECONDS.id)),
    "max_sram_kib": _Measure(SRAM.label, "KiB", (RESIDENT_SRAM.id, SRAM_WITH_WEIGHTS.id, SRAM.id)),
    "max_flash_kib": _Measure(FLASH.label, "KiB", (FLASH.id,)),
    "max_accuracy_drop": _Measure(
        "Accuracy below the trained model's",
        "points",
        (f"{_TRAINED} and {_QUANTIZED}",),
        "it is measured by a deployment with test samples (`test`) whose labels are classes",
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

    Where operators run on the CPU, their time is not known, and a limit on it is not known to be
    kept. With resident weights, the figures with them count. Where the memory mode puts the weights
    in SRAM, the figure of SRAM with the weights counts.

    Args:
        figures: id -> value, as in report.json.
        budget: the limits.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    return tuple(_item(figures, name, limit) for name, limit in budget.limits.items())


def check(figures: Mapping[str, float], budget: Budget) -> tuple[Breach, ...]:
    """The limits that are broken or not known to be kept, as `weigh` takes its arguments.

    Raises:
        UnspoolError: the figure of a limit is not there.
    """
    return tuple(Breach(**vars(item)) for item in weigh(figures, budget) if not item.is_kept)


def as_text(value: float) -> str:
    """A cost as people read it: two decimals, or more where two would show nothing."""
    return f"{value:,.2f}" if abs(value) >= 0.01 or not value else f"{value:.1g}"


def _limit_text(name: str, limit: float) -> str:
    return f"`{name}`" if name == "no_cpu" else f"`{name}` {limit:g}"


def _in_words(name: str, limit: float) -> str:
    measure = _MEASURES[name]
    if name == "no_cpu":
        return f"no {measure.label[:1].lower()}{measure.label[1:]}"
    return f"{measure.label} at most {limit:g} {measure.unit}"


def _item(figures: Mapping[str, float], name: str, limit: float) -> Item:
    measure = _MEASURES[name]
    drop = name == "max_accuracy_drop"
    there = _most_lost(figures) if drop else tuple(key for key in measure.ids if key in figures)[:1]
    if not there:
        raise UnspoolError(
            f"{_limit_text(name, limit)}: needs {measure.ids[-1]}, which the figures do not have; "
            f"{measure.missing}"
        )
    value = _lost(figures, there) if drop else figures[there[0]]
    output = there[0].removeprefix(_TRAINED)[1:] if drop else ""
    label = f"{measure.label}, output {output!r}" if output else measure.label
    on_cpu = int(figures.get(CPU_OPERATORS.id, 0)) if name == "max_ms" else 0
    return Item(name, label, measure.unit, limit, value, there, on_cpu)


def _most_lost(figures: Mapping[str, float]) -> tuple[str, ...]:
    """The accuracies, trained and quantized, of the output that loses most; empty without any."""
    trained = (key for key in figures if key == _TRAINED or key.startswith(f"{_TRAINED}_"))
    pairs = [(key, _QUANTIZED + key.removeprefix(_TRAINED)) for key in trained]
    return max(
        (pair for pair in pairs if pair[1] in figures),
        key=lambda pair: _lost(figures, pair),
        default=(),
    )


def _lost(figures: Mapping[str, float], pair: tuple[str, ...]) -> float:
    return figures[pair[0]] - figures[pair[1]]
