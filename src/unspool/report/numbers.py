"""Figures as people read them."""

from unspool.report.figure import Figure


def number(figure: Figure, value: float | None) -> str:
    """A figure's value as people read it; empty where there is none."""
    if value is None:
        return ""
    if figure.unit == "%":
        return f"{value:.2f}"
    if isinstance(value, int) or figure.unit == "cycles":
        return f"{value:,.0f}"
    return kib(value) if figure.unit in ("KiB", "ms") else f"{value:.1e}"


def kib(value: float) -> str:
    """KiB or milliseconds: one digit behind the point, two where the value is small."""
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
