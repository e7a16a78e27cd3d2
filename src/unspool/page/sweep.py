"""A sweep as one HTML page: no network; a small script sorts, and the page reads without it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from unspool.compilation.sweeping import Sweep, Trial
from unspool.page.templates import environment
from unspool.report.sweep_words import COLUMNS, estimate, numbers, summary, values, verdict
from unspool.support.text import visible


def sweep_html(sweep: Sweep, trials: Sequence[Trial], name: str, created: datetime) -> str:
    """Render a sweep as an HTML page.

    Args:
        sweep: what was compiled.
        trials: those of the sweep, in the order in which they are shown.
        name: of the file.
        created: when, UTC.
    """
    page = {
        "name": name,
        "created": created,
        "estimate": estimate(sweep),
        "summary": summary(sweep),
        "budget": sweep.budget,
        "columns": COLUMNS,
        "rows": [_row(trial) for trial in trials],
    }
    return visible(environment().get_template("sweep.html.jinja").render(page))


def _row(trial: Trial) -> dict[str, Any]:
    cost = trial.cost
    cells = (
        list(zip(values(cost), numbers(cost), strict=True)) if cost else [("", "-")] * len(COLUMNS)
    )
    return {
        "target": trial.target,
        "fits": trial.fits,
        "verdict": verdict(trial),
        "numbers": cells,
    }
