"""Accuracy per stage, and who is taken for whom."""

from collections.abc import Iterator, Mapping, Sequence

from unspool.page.charts import accuracy as accuracy_chart
from unspool.page.charts.confusion import confusion
from unspool.page.sections.parts import Matrix, Picture, Section, Table
from unspool.report.figure import Figure, Origin
from unspool.report.numbers import COLUMNS, column_numbers, counted
from unspool.report.report import Report
from unspool.runtime.measuring import PLACES
from unspool.runtime.scores import Accuracy

_SMALL, _LARGE = 16, 128  # classes: up to these a table, a picture; beyond, a list of confusions
_CONFUSIONS = 20
_COLUMNS = 20  # of outputs that are listed
_STAGES = {
    "keras": "trained, Keras",
    "litert": "quantized, LiteRT",
    "tflm": "quantized, TFLM",
    "npu": "binary, simulator",
}


def accuracy(report: Report) -> Section:
    """Errors per output, accuracy per stage, and who is taken for whom."""
    by_output: dict[str, list[Accuracy]] = {}
    for entry in report.accuracies:
        by_output.setdefault(entry.output, []).append(entry)
    parts = [_of_output(report, name, accuracies) for name, accuracies in by_output.items()]
    errors = _errors(report)
    return Section(
        "accuracy",
        "Accuracy",
        tuple(picture for part in parts for picture in part.pictures),
        tuple(matrix for part in parts for matrix in part.matrices),
        (*errors, *(table for part in parts for table in part.tables)),
        tuple(table for part in parts for table in part.folded),
    )


def _of_output(report: Report, name: str, accuracies: list[Accuracy]) -> Section:
    """One output of classes."""
    figures = {figure.id: figure for figure in report.figures}
    of = f", output {name}" if name else ""
    stages = _stages(accuracies, figures, of)
    last = [a for a in accuracies if a.runtime in ("tflm", "npu")] or list(accuracies)
    ordered = [last[0], *(a for a in accuracies if a is not last[0])]
    classes = len(accuracies[0].confusion)
    recall = _recall(accuracies) if classes <= _LARGE else None
    if classes <= _SMALL:
        matrices = tuple(Matrix(_caption(a), a.confusion) for a in ordered)
        return Section("", "", (stages,), matrices, folded=(recall,) if recall else ())
    pictures = [stages]
    if classes <= _LARGE:
        pictures.append(
            Picture(
                f"Confusion matrix{of}",
                f"{_caption(ordered[0])}. Darker: a larger share of the class.",
                "share of a class's samples",
                _origin(ordered[0]),
                counted(ordered[0], "test"),
                (confusion(f"confusion{name}", ordered[0].confusion),),
            )
        )
    tables = (_confusions(ordered[0]),)
    return Section("", "", tuple(pictures), (), tables, (recall,) if recall else ())


def _stages(accuracies: list[Accuracy], figures: Mapping[str, Figure], of: str) -> Picture:
    points = [
        accuracy_chart.Point(
            _STAGES[a.runtime], a.percent, a.samples, _guide(figures.get(f"accuracy_{a.runtime}"))
        )
        for a in accuracies
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
        for point, a in zip(points, accuracies, strict=True)
    ]
    columns = ("Stage", ">Accuracy, %", ">95 % interval, %", ">Right", ">Answers", "Origin")
    simulated = ", the binary's simulated" * any(a.runtime == "npu" for a in accuracies)
    return Picture(
        f"Accuracy of each stage{of}",
        "The same samples in every stage. A difference inside the band may be chance.",
        "%",
        "measured",
        f"{counted(accuracies[0], 'test')}{simulated}; band: Wilson's interval",
        (accuracy_chart.stages(points),),
        table=Table(f"Accuracy of each stage{of}", columns, rows),
    )


def _errors(report: Report) -> Iterator[Table]:
    """What quantization costs each column of each output; and values beside their targets."""
    measured = report.measured
    if measured is None:
        return
    if measured.regressions:
        yield Table(
            "Error of values on test samples, in the output's unit",
            ("Output", "Stage", ">RMSE", ">MAE", ">R2", ">Samples"),
            [
                (
                    r.output or "the only one",
                    _STAGES[r.runtime],
                    f"{r.rmse:.4g}",
                    f"{r.mae:.4g}",
                    "" if r.r2 is None else f"{r.r2:.4f}",
                    f"{r.samples:,}",
                )
                for r in measured.regressions
            ],
        )
    if measured.quality:
        columns = sorted(measured.quality.columns, key=lambda c: -c.mean)
        headings = ("Output", ">Column", *(f">{name}" for name in COLUMNS))
        yield Table(
            "Quantized outputs beside the trained model's, % of a column's range over the "
            f"calibration samples, measured in {PLACES[measured.ran_in]}",
            headings,
            [(c.output, str(c.column), *column_numbers(c)) for c in columns[:_COLUMNS]],
            f"The {_COLUMNS} worst of {len(columns)}; all are in report.json."
            * (len(columns) > _COLUMNS),
        )


def _guide(figure: Figure | None) -> float | None:
    return figure.guide if figure else None


def _origin(accuracy: Accuracy) -> Origin:
    return "simulated" if accuracy.runtime == "npu" else "measured"


def _caption(accuracy: Accuracy) -> str:
    name = _STAGES[accuracy.runtime]
    return f"{name}: {counted(accuracy, 'test')}, {_origin(accuracy)}"


def _recall(accuracies: Sequence[Accuracy]) -> Table:
    rows = [
        (str(k), *("none" if v is None else f"{v:.2f}" for v in values))
        for k, values in enumerate(zip(*(a.per_class for a in accuracies), strict=True))
    ]
    columns = ("Class", *(f">{_STAGES[a.runtime]}" for a in accuracies))
    return Table("Share of each class's samples that are right, %, by stage", columns, rows)


def _confusions(accuracy: Accuracy) -> Table:
    wrong = sorted(
        (
            (-count, right, answer)
            for right, row in enumerate(accuracy.confusion)
            for answer, count in enumerate(row)
            if right != answer and count
        ),
    )[:_CONFUSIONS]
    return Table(
        f"The most frequent confusions; {_caption(accuracy)}",
        ("Right class", "Taken for", ">Answers"),
        [(str(right), str(answer), f"{-count:,}") for count, right, answer in wrong],
        "The whole matrix is in report.json.",
    )
