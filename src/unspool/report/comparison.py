"""What changed from one report to another."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from unspool.compilation.kinds import kind_of
from unspool.report.document import Document
from unspool.report.figure import Figure


@dataclass(frozen=True)
class Change:
    """A figure that both reports have, with another value, unit, origin or way of measuring.

    Attributes:
        before: the figure in the first report.
        after: the figure in the second.
    """

    before: Figure
    after: Figure

    @property
    def comparable(self) -> bool:
        """Whether both are numbers of one unit."""
        return self.before.unit == self.after.unit

    @property
    def by(self) -> float:
        """The second less the first; percent less percent is points."""
        return self.after.value - self.before.value

    @property
    def better(self) -> bool | None:
        """Whether the second is the better one; None where that cannot be said."""
        kind = kind_of(self.before.id)
        if kind is None or kind.better == "either" or not (self.by and self.comparable):
            return None
        return (self.by > 0) == (kind.better == "more")

    @property
    def percent(self) -> float | None:
        """`by`, of the first value; None for percentages, and where the first is 0."""
        if not self.before.value or self.before.unit == "%":
            return None
        return 100 * self.by / abs(self.before.value)

    @property
    def notes(self) -> tuple[str, ...]:
        """Why the two may not mean the same: another origin, other samples, another unit."""
        one, other = self.before, self.after
        found = []
        if one.unit != other.unit:
            found.append(f"unit {one.unit or 'none'} -> {other.unit or 'none'}")
        if one.origin != other.origin:
            found.append(f"{one.origin} -> {other.origin}")
        # How an estimate was made names the target, which is compared by itself.
        if one.how != other.how and "estimated" not in (one.origin, other.origin):
            found.append(f"{one.how} -> {other.how}")
        return tuple(found)


@dataclass(frozen=True)
class Difference:
    """What changed.

    Attributes:
        before: the first report.
        after: the second.
        changes: of figures that both have.
        unchanged: how many figures are equal.
        only_before: figures of the first report alone.
        only_after: figures of the second report alone.
        facts: what -> (in the first, in the second) of the model's name, the target and the
            versions; empty text where one does not have it.
        cpu_gone: (kind, name) of operators that ran on the CPU and do not any more.
        cpu_new: those that do now and did not.
    """

    before: Document
    after: Document
    changes: tuple[Change, ...]
    unchanged: int
    only_before: tuple[Figure, ...]
    only_after: tuple[Figure, ...]
    facts: Mapping[str, tuple[str, str]]
    cpu_gone: tuple[tuple[str, str], ...]
    cpu_new: tuple[tuple[str, str], ...]


def compare(before: Document, after: Document) -> Difference:
    """What changed from one report to another: figures, placement, target and versions."""
    one, other = before.figures, after.figures
    both = [Change(one[key], other[key]) for key in one if key in other]
    changes = tuple(change for change in both if change.by or change.notes)
    gone = Counter(before.cpu_operators) - Counter(after.cpu_operators)
    new = Counter(after.cpu_operators) - Counter(before.cpu_operators)
    return Difference(
        before=before,
        after=after,
        changes=changes,
        unchanged=len(both) - len(changes),
        only_before=tuple(figure for key, figure in one.items() if key not in other),
        only_after=tuple(figure for key, figure in other.items() if key not in one),
        facts=_facts(before, after),
        cpu_gone=tuple(gone.elements()),
        cpu_new=tuple(new.elements()),
    )


def to_dictionary(difference: Difference) -> dict[str, Any]:
    """A difference as what JSON can hold."""
    return {
        "before": str(difference.before.path),
        "after": str(difference.after.path),
        "figures": {
            change.before.id: {
                "label": change.after.label,
                "before": change.before.value,
                "after": change.after.value,
                "by": change.by if change.comparable else None,
                "percent": change.percent if change.comparable else None,
                "better": change.better,
                "unit": change.after.unit,
                "notes": list(change.notes),
            }
            for change in difference.changes
        },
        "unchanged": difference.unchanged,
        "only_before": {figure.id: asdict(figure) for figure in difference.only_before},
        "only_after": {figure.id: asdict(figure) for figure in difference.only_after},
        "facts": {
            what: {"before": pair[0], "after": pair[1]} for what, pair in difference.facts.items()
        },
        "cpu_operators_gone": [list(operator) for operator in difference.cpu_gone],
        "cpu_operators_new": [list(operator) for operator in difference.cpu_new],
    }


def _facts(before: Document, after: Document) -> dict[str, tuple[str, str]]:
    pairs = {"model": (before.model, after.model)}
    for one, other in ((before.target, after.target), (before.versions, after.versions)):
        for key in dict.fromkeys([*one, *other]):
            pairs[key] = one.get(key, ""), other.get(key, "")
    return {what: pair for what, pair in pairs.items() if pair[0] != pair[1]}
