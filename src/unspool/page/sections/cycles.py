"""Where the time goes, and what stands in the way of less."""

from unspool.page.charts import cycles as cycles_chart
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.bounds import BOUNDS, by_kind, by_step
from unspool.report.limits import Limits, limits
from unspool.report.report import Report

_LAYERS = 6  # recurrent layers that are drawn


def cycles(report: Report) -> Section:
    """Where the time goes, and what stands in the way of less."""
    compiled = report.compiled
    found = limits(compiled)
    if found is None:
        return Section("cycles", "Where the cycles go")
    resident = report.made_resident
    kept = resident.cycles if resident else None
    vela = f"Vela {compiled.vela_version}, {compiled.target}"
    if resident:
        vela += ", before its weights were made resident"
    rows = [
        (row.label, "" if row.cycles is None else f"{row.cycles:,}", f"{row.ideal:,.0f}", row.how)
        for row in found.rows
    ]
    roof = Picture(
        "Against the limits of the target",
        _facts(found),
        "cycles",
        "estimated",
        f"{vela}; ideal: work divided by what the resource does in a cycle",
        (cycles_chart.roof(found, kept),),
        table=Table(
            "How long each resource is busy in an inference, cycles, estimated",
            ("Resource", ">Cycles", ">Ideal", "Work and rate"),
            rows,
        ),
    )
    kinds = by_kind(compiled.operators)
    kind_rows = [
        (
            row.label,
            f"{row.operators:,}",
            f"{row.total:,}",
            *(f"{row.parts.get(b, 0):,}" for b in BOUNDS),
        )
        for row in kinds
    ]
    heads = ("Kind", ">Operators", ">Cycles", *(f">Bound by {b}" for b in BOUNDS))
    pictures = [
        roof,
        Picture(
            "Per kind of operator",
            "An operator is bound by its longest part: its arithmetic, or one of its memories.",
            "cycles",
            "estimated",
            vela,
            (cycles_chart.kinds(kinds, compiled.cycles),),
            table=Table("Cycles per kind of operator, estimated", heads, kind_rows),
        ),
    ]
    layers, outside = by_step(compiled.operators, report.steps)
    if layers:
        shown = layers[:_LAYERS]
        more = f" {len(layers) - _LAYERS} more layers are in the table." * (len(layers) > _LAYERS)
        step_rows = [
            (
                f"{layer.name}, step {entry.label}",
                f"{entry.operators:,}",
                f"{entry.total:,}",
                *(f"{entry.parts.get(b, 0):,}" for b in BOUNDS),
            )
            for layer in layers
            for entry in layer.steps
        ]
        pictures.append(
            Picture(
                "Per step",
                f"Outside of the steps: {outside.total:,} cycles in {outside.operators} operators, "
                f"such as the projection of the input.{more}",
                "cycles",
                "estimated",
                vela,
                (cycles_chart.steps(shown, outside),),
                table=Table("Cycles per step, estimated", ("Step", *heads[1:]), step_rows),
            )
        )
    return Section("cycles", "Where the cycles go", tuple(pictures))


def _facts(found: Limits) -> str:
    """What the limits say, as facts."""
    tight = found.tightest
    share = 100 * (tight.cycles or 0) / found.total
    first = f"{tight.label} is the tightest limit: busy for {share:.0f} % of the inference"
    facts = [f"{first}, {found.mac_percent:.1f} % of the peak MACs are used."]
    if found.weight_reads >= 1.05:
        once = found.rows[-1]
        facts.append(
            f"The weights are read {found.weight_reads:.1f} times per inference; reading them once "
            f"would take {once.ideal:,.0f} cycles."
        )
    facts.append("Dashed: the inference; black marks, ideal: the work at the peak rate.")
    return " ".join(facts)
