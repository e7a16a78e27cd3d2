"""Where the time goes, and what stands in the way of less."""

from collections.abc import Sequence

from unspool.compilation.compiled import Compiled
from unspool.page.charts import cycles as cycles_chart
from unspool.page.charts.roof import roof
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.bounds import BOUNDS, Cycles, Layer, by_kind, by_step
from unspool.report.limits import Limits, limits
from unspool.report.report import Report

_LAYERS = 6  # recurrent layers that are drawn
_COUNTS = (">Operators", ">Cycles", *(f">Bound by {name}" for name in BOUNDS))


def cycles(report: Report) -> Section:
    """Where the time goes, and what stands in the way of less."""
    compiled = report.compiled
    target_limits = limits(compiled)
    if target_limits is None:
        return Section("cycles", "Where the cycles go")
    resident = report.made_resident
    vela = f"Vela {compiled.vela_version}, {compiled.target}"
    if resident:
        vela += ", before its weights were made resident"
    pictures = [
        _against_limits(target_limits, resident.cycles if resident else None, vela),
        _per_kind(compiled, vela),
    ]
    layers, outside = by_step(compiled.operators, report.steps)
    if layers:
        pictures.append(_per_step(layers, outside, vela))
    return Section("cycles", "Where the cycles go", tuple(pictures))


def _against_limits(target_limits: Limits, resident: int | None, vela: str) -> Picture:
    rows = [
        (row.label, "" if row.cycles is None else f"{row.cycles:,}", f"{row.ideal:,.0f}", row.how)
        for row in target_limits.rows
    ]
    return Picture(
        "Against the limits of the target",
        _facts(target_limits),
        "cycles",
        "estimated",
        f"{vela}; ideal: work divided by what the resource does in a cycle",
        (roof(target_limits, resident),),
        table=Table(
            "How long each resource is busy in an inference, cycles, estimated",
            ("Resource", ">Cycles", ">Ideal", "Work and rate"),
            rows,
        ),
    )


def _per_kind(compiled: Compiled, vela: str) -> Picture:
    kinds = by_kind(compiled.operators)
    return Picture(
        "Per kind of operator",
        "An operator is bound by its longest part: its arithmetic, or one of its memories.",
        "cycles",
        "estimated",
        vela,
        (cycles_chart.kinds(kinds, compiled.cycles),),
        table=Table(
            "Cycles per kind of operator, estimated",
            ("Kind", *_COUNTS),
            [(kind.label, *_counts(kind)) for kind in kinds],
        ),
    )


def _per_step(layers: Sequence[Layer], outside: Cycles, vela: str) -> Picture:
    more = f" {len(layers) - _LAYERS} more layers are in the table." * (len(layers) > _LAYERS)
    rows = [
        (f"{layer.name}, step {step.label}", *_counts(step))
        for layer in layers
        for step in layer.steps
    ]
    return Picture(
        "Per step",
        f"Outside of the steps: {outside.total:,} cycles in {outside.operators} operators, "
        f"such as the projection of the input.{more}",
        "cycles",
        "estimated",
        vela,
        (cycles_chart.steps(layers[:_LAYERS], outside),),
        table=Table("Cycles per step, estimated", ("Step", *_COUNTS), rows),
    )


def _counts(row: Cycles) -> tuple[str, ...]:
    """A row's texts for the columns `_COUNTS`."""
    bound_by = (f"{row.parts.get(name, 0):,}" for name in BOUNDS)
    return (f"{row.operators:,}", f"{row.total:,}", *bound_by)


def _facts(target_limits: Limits) -> str:
    """What the limits say, as facts."""
    tight = target_limits.tightest
    share = 100 * (tight.cycles or 0) / target_limits.total
    first = f"{tight.label} is the tightest limit: busy for {share:.0f} % of the inference"
    facts = [f"{first}, {target_limits.mac_percent:.1f} % of the peak MACs are used."]
    if target_limits.weight_reads >= 1.05:
        once = target_limits.rows[-1]
        facts.append(
            f"The weights are read {target_limits.weight_reads:.1f} times per inference; reading "
            f"them once would take {once.ideal:,.0f} cycles."
        )
    facts.append("Dashed: the inference; black marks, ideal: the work at the peak rate.")
    return " ".join(facts)
