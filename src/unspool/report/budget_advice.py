"""Advice where a budget is exceeded, or not known to be kept."""

import math
from shlex import quote

from unspool.compilation.kinds import RESIDENT_KEPT, RESIDENT_SRAM
from unspool.report import commands
from unspool.report.commands import Request
from unspool.report.report import Advice, Report

_SWEPT = ("max_ms", "max_sram_kib", "max_flash_kib", "no_cpu")  # what a sweep can be held to


def over_budget(report: Report, request: Request) -> list[Advice]:
    """Sweep the targets for one that keeps the budget, or keep fewer weights in SRAM."""
    broken = {breach.limit: breach for breach in report.breaches}
    costs = [broken[name] for name in _SWEPT if name in broken and name != "no_cpu"]
    if not costs or report.budget is None:
        return []
    over = ", ".join(breach.label for breach in costs)
    known = "Over the budget" if any(breach.is_known for breach in costs) else "Not known"
    text = f"{known}: {over}. Which targets and memory modes keep it:"
    limits = report.budget.limits.items()
    flags = [commands.flag(name, limit) for name, limit in limits if name in _SWEPT]
    out = quote(f"{request.out}/sweep")
    command = f"unspool sweep {quote(request.quantized)} {' '.join(flags)} --out {out}"
    because = tuple(key for breach in costs for key in breach.figures)
    return [*_keep_less(report, request), Advice(text, command, because)]


def _keep_less(report: Report, request: Request) -> list[Advice]:
    """Where resident weights break the budget for SRAM, but fewer of them would not."""
    resident, budget = report.made_resident, report.budget
    if resident is None or budget is None or budget.max_sram_kib is None:
        return []
    room = math.floor(budget.max_sram_kib - (resident.sram_kib - resident.kept_kib))
    if resident.sram_kib <= budget.max_sram_kib:
        return []
    if 1024 * room < min(weights.bytes for weights in resident.kept):
        return []
    text = f"Of the weights that repeat, keep {room} KiB at most in SRAM:"
    base_command = f"unspool compile {quote(request.quantized)} --resident-weights {room}"
    out = quote(f"{request.out}/resident-{room}")
    command = f"{base_command} {commands.target_options(report.compiled.target)} --out {out}"
    return [Advice(text, command, (RESIDENT_SRAM.id, RESIDENT_KEPT.id))]
