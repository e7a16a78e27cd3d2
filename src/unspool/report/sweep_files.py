"""A sweep as JSON and as CSV; docs/budgets.md describes both."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from unspool.compilation.sweeping import Cost, Sweep, Trial
from unspool.report.document import SCHEMA_VERSION

_COSTS = (*Cost.__dataclass_fields__, "inferences_per_second")


def sweep_json(sweep: Sweep, trials: Sequence[Trial], name: str, created: datetime) -> str:
    """Render a sweep as JSON text, indented, ending in a newline.

    Args:
        sweep: what was compiled.
        trials: those of the sweep, in the order in which they are written.
        name: of the file.
        created: when, UTC.
    """
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "created": created.isoformat(timespec="seconds"),
        "model": {"name": name},
        "origin": "estimated",
        "how": f"Vela {sweep.vela_version}",
        "budget": sweep.budget.limits if sweep.budget else None,
        "targets": [_row(sweep, trial) for trial in trials],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def sweep_csv(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """Render a sweep as CSV with a line of headings, units in their names."""
    stream = io.StringIO()
    names = ["accelerator", "system_config", "memory_mode", *_COSTS, "fits", "over", "problem"]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        over = "; ".join(map(str, trial.breaches))
        row = {**_row(sweep, trial), "over": over}
        writer.writerow({name: row.get(name) for name in names})
    return stream.getvalue()


def _row(sweep: Sweep, trial: Trial) -> dict[str, Any]:
    target, cost = trial.target, trial.cost
    return {
        "accelerator": target.accelerator,
        "system_config": target.system_config,
        "memory_mode": target.memory_mode,
        **{key: getattr(cost, key) if cost else None for key in _COSTS},
        "fits": trial.fits if sweep.budget else None,
        "breaches": [breach.document for breach in trial.breaches],
        "problem": trial.problem,
    }
