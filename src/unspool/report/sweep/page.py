"""A sweep as one HTML page: no network; a small script sorts, and the page reads without it."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from unspool.report.sweep.table import COLUMNS, estimate, numbers, summary, verdict
from unspool.sweeping import Sweep, Trial

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; --good: #1a7f37; }}
@media (prefers-color-scheme: dark) {{ :root {{ --good: #4ac26b; }} }}
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem auto; max-width: 90rem;
  padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }}
p {{ margin: .2rem 0; overflow-wrap: anywhere; }}
.origin {{ margin: .8rem 0; opacity: .8; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .5rem; text-align: left; vertical-align: baseline; white-space: nowrap;
  border-bottom: 1px solid var(--line); }}
tbody th {{ font-weight: inherit; }}
.number {{ text-align: right; }}
.fits {{ color: var(--good); font-weight: 600; }}
thead button {{ all: unset; cursor: pointer; font: inherit; }}
thead button:focus-visible {{ outline: 2px solid; }}
th[aria-sort=ascending] button::after {{ content: " \\25b2"; }}
th[aria-sort=descending] button::after {{ content: " \\25bc"; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{summary}
<p class="origin">{origin}</p>
<div class="table" role="region" aria-label="All targets" tabindex="0">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
</main>
<script>
// Sorts by a column where its heading is clicked; without a script the order stays as written.
for (const [column, th] of document.querySelectorAll("thead th").entries()) {{
  const button = document.createElement("button");
  button.append(...th.childNodes);
  th.append(button);
  button.addEventListener("click", () => {{
    const down = th.getAttribute("aria-sort") === "ascending";
    for (const other of th.parentNode.children) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...document.querySelectorAll("tbody tr")];
    const key = (row) => row.children[column].dataset.value ?? row.children[column].textContent;
    rows.sort((a, b) => {{
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", {{numeric: true}}) : x - y;
      return down ? -order : order;
    }});
    document.querySelector("tbody").append(...rows);
  }});
}}
</script>
</body>
</html>
"""


def sweep_html(sweep: Sweep, trials: Sequence[Trial], name: str, created: datetime) -> str:
    """Render a sweep as an HTML page.

    Args:
        sweep: what was compiled.
        trials: those of the sweep, in the order in which they are shown.
        name: of the file.
        created: when, UTC.
    """
    names = ["Accelerator", "System configuration", "Memory mode"]
    head = [f'<th scope="col">{column}</th>' for column in names]
    if sweep.budget:
        head.append('<th scope="col">Fits the budget</th>')
    head += [f'<th scope="col" class="number">{column}</th>' for column in COLUMNS]
    when = created.strftime("%Y-%m-%d %H:%M UTC")
    origin = (
        f"{estimate(sweep)}, {when}. SRAM has the weights in it where the memory mode puts them "
        "there; flash is for weights and constants; 1/s: inferences per second. "
        "KiB are 1024 bytes."
    )
    return _PAGE.format(
        title=escape(f"Unspool sweep: {name}"),
        summary="\n".join(f"<p>{escape(line)}</p>" for line in summary(sweep)),
        origin=escape(origin),
        head="".join(head),
        body="\n".join(_row(sweep, trial) for trial in trials),
    )


def _row(sweep: Sweep, trial: Trial) -> str:
    target, cost = trial.target, trial.cost
    cells = [f'<th scope="row">{escape(target.accelerator)}</th>']
    cells += [f"<td>{escape(name)}</td>" for name in (target.system_config, target.memory_mode)]
    if sweep.budget:
        style = ' class="fits"' if trial.fits else ""
        cells.append(f"<td{style}>{escape(verdict(trial))}</td>")
    if cost:
        values = [
            *(cost.npu_operators, cost.cpu_operators, cost.cycles, cost.milliseconds),
            *(cost.inferences_per_second, cost.sram_kib, cost.flash_kib, cost.dram_kib),
        ]
        cells += [
            f'<td class="number" data-value="{value}">{text}</td>'
            for value, text in zip(values, numbers(cost), strict=True)
        ]
    else:
        cells += ['<td class="number" data-value="">-</td>'] * len(COLUMNS)
    return f"<tr>{''.join(cells)}</tr>"
