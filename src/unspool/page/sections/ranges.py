"""Ranges role by role: what each step took, and the range that all steps share."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.page.charts.canvas import shortened
from unspool.page.charts.range_panel import panel
from unspool.page.sections.parts import Picture, Section, Table
from unspool.quantization.calibration import Calibration
from unspool.quantization.ranges import Range
from unspool.report.report import Report
from unspool.tflite.names import Steps, last_part

_PANELS = 48


@dataclass(frozen=True)
class Role:
    """Tensors that are the same thing in different steps.

    Attributes:
        name: of the role.
        steps: (step, what its tensor took) by step; empty outside of the steps.
        tensors: how many.
        observed: what all took together.
        chosen: what all are quantized with.
    """

    name: str
    steps: tuple[tuple[int, Range], ...]
    tensors: int
    observed: Range
    chosen: Range

    @property
    def clipped(self) -> bool:
        """Whether values that were met lie outside of the range, by more than a thousandth."""
        margin = 1e-3 * (self.observed.maximum - self.observed.minimum)
        return (
            self.observed.minimum < self.chosen.minimum - margin
            or self.observed.maximum > self.chosen.maximum + margin
        )


def roles(calibration: Calibration, names: Steps) -> tuple[Role, ...]:
    """The roles of a calibration, in the order of the network.

    Parts that a split gives have names of their own, `split`, `split1`, ...: those of one stem are
    one entry, with all that they took and are given.
    """
    groups: dict[str, list[str]] = {}
    for tensor in calibration.observed:
        role = calibration.roles[tensor]
        entry = role if names.find(tensor) else role.rstrip("0123456789")
        groups.setdefault(entry, []).append(tensor)
    all_roles = []
    for name, tensors in groups.items():
        observed, chosen = calibration.observed[tensors[0]], calibration.ranges[tensors[0]]
        steps: dict[int, Range] = {}
        for tensor in tensors:
            tensor_range = calibration.observed[tensor]
            observed, chosen = observed | tensor_range, chosen | calibration.ranges[tensor]
            if place := names.find(tensor):
                steps[place[1]] = steps.get(place[1], tensor_range) | tensor_range
        all_roles.append(Role(name, tuple(sorted(steps.items())), len(tensors), observed, chosen))
    return tuple(all_roles)


def ranges(report: Report) -> Section:
    """Ranges before and after tying: a small picture per role, and all of them as a table."""
    calibration = report.calibration
    if calibration is None:
        return Section("ranges", "Ranges")
    all_roles = roles(calibration, report.steps)
    stepped = [role for role in all_roles if role.steps]
    if not stepped:
        return Section("ranges", "Ranges", folded=(_table(all_roles),))
    picture = _step_by_step(stepped, calibration, _table(all_roles))
    return Section("ranges", "Ranges before and after tying", (picture,))


def _step_by_step(stepped: Sequence[Role], calibration: Calibration, table: Table) -> Picture:
    """A small picture for each of the first roles that have steps."""
    shown = stepped[:_PANELS]
    clipped = sum(role.clipped for role in stepped)
    remainder = len(stepped) - len(shown)
    return Picture(
        "Ranges, step by step",
        "Band: what each step's tensor took. Lines: the one range that all steps are quantized "
        f"with. {clipped} of {len(stepped)} roles clip some of what was met, for finer levels."
        + f" {remainder} more roles are in the table."
        * (remainder > 0),
        "real values",
        "measured",
        f"{calibration.samples:,} samples, LiteRT float; method {calibration.method}",
        tuple(panel(f"range-{k}", r.name, r.steps, r.chosen) for k, r in enumerate(shown)),
        tuple(_caption(role) for role in shown),
        table,
    )


def _table(all_roles: Sequence[Role]) -> Table:
    return Table(
        "Ranges of all roles, measured in float",
        (
            "Role",
            ">Tensors",
            ">Smallest met",
            ">Largest met",
            ">Range from",
            ">Range to",
            "Clips",
        ),
        [
            (
                role.name,
                f"{role.tensors}",
                f"{role.observed.minimum:.4g}",
                f"{role.observed.maximum:.4g}",
                f"{role.chosen.minimum:.4g}",
                f"{role.chosen.maximum:.4g}",
                "yes" if role.clipped else "no",
            )
            for role in all_roles
        ],
    )


def _caption(role: Role) -> str:
    name = last_part(role.name).replace("/step/", " ")
    return shortened(name, 28) + (" (clips)" if role.clipped else "")
