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
    if figure.unit in ("KiB", "ms"):
        return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.1e}"
