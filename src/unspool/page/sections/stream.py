"""A stream: how its ranges grew in calibration, how far its states stray."""

from unspool.page.charts.drift import errors
from unspool.page.sections.parts import Picture, Section, Table
from unspool.report.report import Report
from unspool.runtime.drift import Drift


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


def drift(stream_drift: Drift | None) -> Section:
    """How far a stream's states stray."""
    if stream_drift is None or not stream_drift.curves:
        return Section("drift", "Drift")
    steps = stream_drift.calls * stream_drift.time_steps
    growing = [curve.name for curve in stream_drift.curves if curve.grows]
    picture = Picture(
        "Error of states and outputs",
        f"{steps:,} steps in {stream_drift.calls:,} calls, states carried from call to call. "
        + (f"Growing: {', '.join(growing)}." if growing else "No error grows."),
        "absolute difference from float",
        "measured",
        f"{stream_drift.runtime} against LiteRT float, side by side",
        (errors(stream_drift.curves, stream_drift.calls),),
        table=Table(
            "Absolute error over the stream, measured",
            ("State or output", ">Mean", ">99th percentile", ">Largest", "Over time"),
            [
                (
                    c.name,
                    f"{c.mean:.5f}",
                    f"{c.p99:.5f}",
                    f"{c.largest:.5f}",
                    "grows" if c.grows else "settles",
                )
                for c in stream_drift.curves
            ],
        ),
    )
    return Section("drift", "Drift of the states", (picture,))
