"""The sections of the HTML report, from what a report holds."""

from collections.abc import Sequence

from unspool.allocations import Allocation
from unspool.drift import Drift
from unspool.evaluation import Accuracy
from unspool.report.bounds import BOUNDS, bound, by_kind, by_step
from unspool.report.charts import accuracy as accuracy_chart
from unspool.report.charts import cycles as cycles_chart
from unspool.report.charts.confusion import confusion
from unspool.report.charts.drift import errors
from unspool.report.charts.pareto import Candidate, pareto
from unspool.report.charts.plan import plan
from unspool.report.charts.plan import role as plan_role
from unspool.report.charts.step import step as step_picture
from unspool.report.document import Matrix, Picture, Section, Table
from unspool.report.limits import Limits, limits
from unspool.report.report import Figure, Origin, Report
from unspool.report.step_graph import step_graphs
from unspool.report.table import kib, number

_SMALL, _LARGE = 16, 128  # classes: up to these a table, a picture; beyond, a list of confusions
_CONFUSIONS = 20
_LISTED = 1_000  # operators
_LAYERS = 6  # recurrent layers that are drawn
_STAGES = {
    "keras": "trained, Keras",
    "litert": "quantized, LiteRT",
    "tflm": "quantized, TFLM",
    "npu": "binary, simulator",
}


def accuracy(report: Report) -> Section:
    """Accuracy per stage, and who is taken for whom."""
    found = report.accuracies
    if not found:
        return Section("accuracy", "Accuracy")
    figures = {figure.id: figure for figure in report.figures}
    points = [
        accuracy_chart.Point(
            _STAGES[a.runtime], a.percent, a.samples, _guide(figures.get(f"accuracy_{a.runtime}"))
        )
        for a in found
    ]
    rows = [
        (
            point.label,
            f"{point.percent:.2f}",
            "{:.2f} to {:.2f}".format(*accuracy_chart.interval(point)),
            f"{a.correct:,}",
            f"{a.samples:,}",
            _origin(a),
        )
        for point, a in zip(points, found, strict=True)
    ]
    columns = ("Stage", ">Accuracy, %", ">95 % interval, %", ">Right", ">Samples", "Origin")
    simulated = ", the binary's simulated" * any(a.runtime == "npu" for a in found)
    stages = Picture(
        "Accuracy of each stage",
        "The same samples in every stage. A difference inside the band may be chance.",
        "%",
        "measured",
        f"{found[0].samples:,} test samples{simulated}; band: Wilson's interval",
        (accuracy_chart.stages(points),),
        table=Table("Accuracy of each stage", columns, rows),
    )
    last = [a for a in found if a.runtime in ("tflm", "npu")] or list(found)
    ordered = [last[0], *(a for a in found if a is not last[0])]
    classes = len(found[0].confusion)
    recall = _recall(found) if classes <= _LARGE else None
    if classes <= _SMALL:
        matrices = tuple(Matrix(_caption(a), a.confusion) for a in ordered)
        return Section(
            "accuracy", "Accuracy", (stages,), matrices, folded=(recall,) if recall else ()
        )
    pictures = [stages]
    if classes <= _LARGE:
        pictures.append(
            Picture(
                "Confusion matrix",
                f"{_caption(ordered[0])}. Darker: a larger share of the class.",
                "share of a class's samples",
                _origin(ordered[0]),
                f"{ordered[0].samples:,} test samples",
                (confusion("confusion", ordered[0].confusion),),
            )
        )
    tables = (_confusions(ordered[0]),)
    return Section("accuracy", "Accuracy", tuple(pictures), (), tables, (recall,) if recall else ())


def cycles(report: Report) -> Section:
    """Where the time goes, and what stands in the way of less."""
    compiled = report.compiled
    found = limits(compiled)
    if found is None:
        return Section("cycles", "Where the cycles go")
    resident = report.resident
    kept = resident.cycles if resident is not None and not resident.reason else None
    vela = f"Vela {compiled.vela_version}, {compiled.target}"
    if resident is not None and not resident.reason:
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
        f"{vela}; at the peak rate: work divided by what the resource does in a cycle",
        (cycles_chart.roof(found, kept),),
        table=Table(
            "How long each resource is busy in an inference, cycles, estimated",
            ("Resource", ">Cycles", ">At the peak rate", "Work and rate"),
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
    layers, outside = by_step(compiled.operators)
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


def memory(report: Report) -> Section:
    """The plan of each memory that an inference writes."""
    compiled, resident = report.compiled, report.resident
    pictures, tables = [], []
    for name in sorted({a.memory for a in compiled.allocations}, reverse=True):  # Sram first
        tensors = [a for a in compiled.allocations if a.memory == name]
        end = max(a.address + a.size for a in tensors) / 1024
        used, kept = end, 0.0
        if name == "Sram" and resident is not None and not resident.reason:
            used, kept = resident.sram_kib, resident.kept_kib
        peak, alive = _peak(tensors)
        tables.append(_places(f"Alive when most of {name.upper()} is, at time {peak}", alive))
        pictures.append(
            Picture(
                f"{name.upper()} over time",
                f"{len(tensors)} places for tensors. Most is alive at time {peak}: "
                f"{kib(sum(a.size for a in alive) / 1024)} KiB in {len(alive)} of them"
                f"{_largest(alive)}.",
                "KiB (1024 bytes)",
                "estimated",
                f"planned by Vela {compiled.vela_version} for {compiled.target}"
                + (", resident weights behind it" if kept else ""),
                (plan(tensors, used, kept),),
                table=_places(f"The largest places in {name.upper()}", tensors),
            )
        )
    return Section("memory", "Memory", tuple(pictures), (), tuple(tables))


def stream(report: Report) -> Section:
    """How the ranges of a stream's states grew while it was calibrated."""
    tables = []
    if report.rounds:
        states = list(report.rounds[0].states)
        tables.append(
            Table(
                "Ranges of states by round of calibration, measured in float",
                ("Round", ">Sequences", *(f">{name}" for name in states), ">Growth, %"),
                [
                    (
                        str(place),
                        f"{entry.sequences:,}",
                        *(f"{r.minimum:.3f} to {r.maximum:.3f}" for r in entry.states.values()),
                        f"{entry.growth:.2f}" if place > 1 else "",
                    )
                    for place, entry in enumerate(report.rounds, 1)
                ],
            )
        )
    return Section("stream", "Calibration of the stream", tables=tuple(tables))


def graph(report: Report) -> Section:
    """One step of each recurrent layer."""
    if not report.quantized_tflite:
        return Section("graph", "One step")
    found = step_graphs(report.quantized_tflite)
    pictures = []
    for place, entry in enumerate(found[:_LAYERS]):
        operators = [node for node in entry.nodes if node.kind != "input"]
        more = f", of {entry.steps} steps" if entry.steps > 1 else ""
        pictures.append(
            Picture(
                f"{entry.layer}, step {entry.step}",
                f"{len(operators)} operators{more}; round boxes come from outside of the step, ▸ "
                "is used after it. Roles share one range over all steps.",
                "shapes in elements",
                "measured",
                "read from the quantized .tflite",
                (step_picture(f"step-{place}", entry),),
                table=Table(
                    f"Operators of step {entry.step} of {entry.layer}",
                    ("Role", "Operator and shape", "Tensor"),
                    [(node.title, node.detail, node.full) for node in operators],
                ),
                wide=True,
            )
        )
    return Section("graph", "One step of the deploy graph", tuple(pictures))


def search(points: Sequence[Candidate]) -> Section:
    """What a search tried."""
    if not points:
        return Section("search", "Search")
    front = sum(p.on_front for p in points)
    picture = Picture(
        "Accuracy against flash and cycles",
        f"{len(points)} models, {front} of them on the front: none is at least as good in "
        "everything and better in something.",
        "%, KiB (1024 bytes), cycles",
        "estimated",
        "accuracy: measured; flash and cycles: Vela's estimate",
        (pareto(points),),
        table=Table(
            "Models of the search",
            ("Model", ">Accuracy, %", ">Flash, KiB", ">Cycles", "On the front", "Chosen"),
            [
                (
                    p.label,
                    f"{p.accuracy_percent:.2f}",
                    f"{p.flash_kib:,.1f}",
                    f"{p.cycles:,}",
                    "yes" if p.on_front else "no",
                    "yes" if p.chosen else "",
                )
                for p in points
            ],
        ),
    )
    return Section("search", "Search", (picture,))


def details(report: Report) -> Section:
    """Every figure, every operator, seconds and versions."""
    has_guide = any(figure.guide is not None for figure in report.figures)
    guide = (">Guide",) if has_guide else ()
    figures = Table(
        "Every figure",
        ("Figure", ">Value", "Unit", *guide, "Origin", "How"),
        [
            (
                f.label,
                number(f, f.value),
                f.unit,
                *((number(f, f.guide),) if has_guide else ()),
                f.origin,
                f.how,
            )
            for f in report.figures
            if f.unit != "KiB" or f.value
        ],
    )
    cpu = report.compiled.cpu_operators
    on_cpu = Table(
        "Operators on the CPU",
        ("Name", "Kind", "Vela's reason"),
        [(op.name, op.kind, op.reason or "(none given)") for op in cpu],
    )
    operators = report.compiled.operators
    listing = Table(
        f"{len(operators):,} operators in order, cycles estimated by Vela",
        ("Tensor", "Kind", "On", ">Cycles", "Bound by", ">MACs"),
        [
            (
                op.name,
                op.kind,
                "NPU" if op.on_npu else "CPU",
                f"{op.cycles:,}",
                bound(op) if op.on_npu and op.cycles else "",
                f"{op.macs:,}",
            )
            for op in operators[:_LISTED]
        ],
        f"The first {_LISTED:,}; all are in report.json." * (len(operators) > _LISTED),
    )
    folded = [listing] if operators else []
    if report.seconds:
        rows = [(stage, f"{seconds:.2f}") for stage, seconds in report.seconds.items()]
        folded.append(
            Table("Time of each stage on this machine, s, measured", ("Stage", ">s"), rows)
        )
    folded.append(Table("Versions", ("Package", "Version"), list(report.versions.items())))
    return Section(
        "details", "All figures", (), (), (figures, *((on_cpu,) if cpu else ())), tuple(folded)
    )


def _guide(figure: Figure | None) -> float | None:
    return figure.guide if figure else None


def _origin(accuracy: Accuracy) -> Origin:
    return "simulated" if accuracy.runtime == "npu" else "measured"


def _caption(accuracy: Accuracy) -> str:
    name = _STAGES[accuracy.runtime]
    return f"{name}: {accuracy.samples:,} test samples, {_origin(accuracy)}"


def _recall(found: Sequence[Accuracy]) -> Table:
    rows = [
        (str(k), *("none" if v is None else f"{v:.2f}" for v in values))
        for k, values in enumerate(zip(*(a.per_class for a in found), strict=True))
    ]
    columns = ("Class", *(f">{_STAGES[a.runtime]}" for a in found))
    return Table("Share of each class's samples that are right, %, by stage", columns, rows)


def _confusions(accuracy: Accuracy) -> Table:
    wrong = sorted(
        (
            (-count, right, taken)
            for right, row in enumerate(accuracy.confusion)
            for taken, count in enumerate(row)
            if right != taken and count
        ),
    )[:_CONFUSIONS]
    return Table(
        f"The most frequent confusions, samples; {_caption(accuracy)}",
        ("Right class", "Taken for", ">Samples"),
        [(str(right), str(taken), f"{-count:,}") for count, right, taken in wrong],
        "The whole matrix is in report.json.",
    )


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
    facts.append("Dashed: the inference; black marks: the work at the peak rate.")
    return " ".join(facts)


def _places(caption: str, tensors: Sequence[Allocation]) -> Table:
    largest = sorted(tensors, key=lambda a: -a.size)[:_CONFUSIONS]
    return Table(
        f"{caption}; planned by Vela, estimated",
        ("Tensor", ">Bytes", ">Address", ">From", ">To"),
        [
            (
                a.name.split(";")[-1] or a.name,
                f"{a.size:,}",
                f"0x{a.address:x}",
                *map(str, (a.start, a.end)),
            )
            for a in largest
        ],
        f"The {_CONFUSIONS} largest of {len(tensors)}." * (len(tensors) > _CONFUSIONS),
    )


def _peak(tensors: Sequence[Allocation]) -> tuple[int, list[Allocation]]:
    """When most is alive, and what is; places that overlap count as often as they are planned."""

    def alive(time: int) -> list[Allocation]:
        return [a for a in tensors if a.start <= time <= a.end]

    peak = max((a.start for a in tensors), key=lambda time: sum(a.size for a in alive(time)))
    return peak, alive(peak)


def _largest(alive: Sequence[Allocation]) -> str:
    first = max(alive, key=lambda a: a.size)
    return f", the largest {plan_role(first)} with {kib(first.size / 1024)} KiB"


def drift(drift: Drift | None) -> Section:
    """How far a stream's states stray."""
    if drift is None or not drift.curves:
        return Section("drift", "Drift")
    steps = drift.calls * drift.time_steps
    growing = [curve.name for curve in drift.curves if curve.grows]
    picture = Picture(
        "Error of states and outputs",
        f"{steps:,} steps in {drift.calls:,} calls, states carried from call to call. "
        + (f"Growing: {', '.join(growing)}." if growing else "No error grows."),
        "absolute difference from float",
        "measured",
        f"{drift.runtime} against LiteRT float, side by side",
        (errors(drift.curves, drift.calls),),
        table=Table(
            "Absolute error over the stream, measured",
            ("State or output", ">Mean", ">99th percentile", ">Largest", "Over time"),
            [
                (
                    c.name,
                    *(f"{v:.5f}" for v in (c.mean, c.p99, c.largest)),
                    "grows" if c.grows else "settles",
                )
                for c in drift.curves
            ],
        ),
    )
    return Section("drift", "Drift of the states", (picture,))
