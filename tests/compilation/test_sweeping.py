"""Sweeps: every target that exists, Vela's own figures, and one that fails among those that do."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any, TypeAlias

import numpy as np
import pytest
from rich.console import Console

import unspool
from unspool.compilation import vela
from unspool.compilation.budgets import Budget
from unspool.compilation.sweeping import SORTS, Sweep, order, sweep
from unspool.compilation.target_selection import all_targets
from unspool.compilation.targets import ACCELERATORS, Target, target
from unspool.compilation.vela_host import Host
from unspool.errors import UnspoolError
from unspool.page.sweep import sweep_html
from unspool.report.sweep_files import sweep_csv, sweep_json
from unspool.report.sweep_words import summary, verdict
from unspool.report.terminal.sweep import as_sweep_table
from unspool.support._tensorflow import keras

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
Some: TypeAlias = Sequence[str]
Names: TypeAlias = tuple[Some] | tuple[Some, Some] | tuple[Some, Some, Some]
"""Accelerators, and then system configurations and memory modes."""

HOSTILE = "<script>alert(1)</script>&.tflite"


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, ...]:
    """Three that compile, and one whose configuration Vela refuses."""
    broken = tmp_path_factory.mktemp("config") / "broken.ini"
    text = target().config.read_text()
    broken.write_text(text.replace("Sram_burst_length=32", "Sram_burst_length=many"))
    return (
        target("ethos-u55-128"),
        target("ethos-u55-64", config=broken),
        target("ethos-u55-128", memory_mode="Sram_Only"),
        target("ethos-u85-256"),
    )


@pytest.fixture(scope="module")
def swept(int8_tflite: bytes, targets: tuple[Target, ...]) -> Sweep:
    return sweep(int8_tflite, targets, Budget(max_sram_kib=3, no_cpu=True))


def test_all_targets_are_those_that_vela_has() -> None:
    choices = all_targets()
    assert {chosen.accelerator for chosen in choices} == set(ACCELERATORS)
    # U55: 2 systems x 2 modes. U65: the one with flash 2 modes, the other three 6. U85: two with
    # flash 2 modes, three with DRAM 6.
    assert len(choices) == 4 * 2 * 2 + 2 * (2 + 3 * 6) + 5 * (2 * 2 + 3 * 6)
    assert len(set(choices)) == len(choices)


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ((["ethos-u55-128"],), 4),
        ((["ethos-u55-128", "ethos-u65-256"], (), ["Sram_Only"]), 2 + 4),
        (((), ["Ethos_U65_Embedded"]), 2 * 2),
        ((["ethos-u85-2048"], ["Ethos_U85_SYS_DRAM_Mid"], ["Dedicated_Sram_384KB"]), 1),
    ],
)
def test_some_names_give_their_combinations(names: Names, count: int) -> None:
    assert len(all_targets(*names)) == count


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((["ethos-u1"],), "target 'ethos-u1': expected one of ethos-u55-32"),
        (((), ["Nope"]), "system configuration 'Nope': expected, in vela.ini, one of Ethos_U55"),
        ((["ethos-u55-32"], (), ["Nope"]), "memory mode 'Nope': expected, in vela.ini, one of Sra"),
        ((["ethos-u55-32"], ["Ethos_U65_Embedded"]), "does not go with any of the others"),
        (
            (["ethos-u55-32", "ethos-u65-256"], ["Ethos_U65_Embedded"]),
            "target 'ethos-u55-32': does not go with",
        ),
        ((["ethos-u55-32"], (), ["Dedicated_Sram"]), "'ethos-u55-32': does not go with any"),
    ],
)
def test_names_that_lead_nowhere_are_refused(names: Names, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        all_targets(*names)


def test_every_figure_is_what_vela_alone_says(
    swept: Sweep, targets: tuple[Target, ...], int8_tflite: bytes, vela_alone: None
) -> None:
    for trial, chosen in zip(swept.trials, targets, strict=True):
        assert trial.target == chosen
        if trial.cost is None:
            continue
        alone = vela.compile(int8_tflite, chosen)
        assert trial.cost.cycles == alone.cycles
        assert trial.cost.milliseconds == alone.milliseconds
        assert trial.cost.npu_operators == alone.npu_operators
        assert trial.cost.flash_kib == alone.flash_kib
        assert trial.cost.dram_kib == alone.dram_kib
        weights = alone.flash_kib if chosen.memory_mode == "Sram_Only" else 0
        assert trial.cost.sram_kib == alone.sram_kib + weights


def test_a_target_that_vela_refuses_says_why_and_the_others_go_on(swept: Sweep) -> None:
    shared, failed, sram_only, u85 = swept.trials
    assert failed.cost is None and not failed.fits
    assert re.match(r"Vela 5\.\S+ refused the file for ethos-u55-64, .*many", failed.problem)
    assert shared.fits and u85.fits
    assert [breach.limit for breach in sram_only.breaches] == ["max_sram_kib"]
    assert not sram_only.fits


@pytest.mark.parametrize("by", SORTS)
def test_the_smallest_comes_first_and_what_failed_last(swept: Sweep, by: str) -> None:
    trials = order(swept.trials, by)
    if by == "target":
        assert trials == swept.trials
        return
    assert trials[-1].cost is None
    field = {"ms": "milliseconds", "cpu": "cpu_operators", "cycles": "cycles"}.get(by, f"{by}_kib")
    values = [getattr(trial.cost, field) for trial in trials[:-1]]
    assert values == sorted(values)


def test_json_and_csv_hold_the_same_rows(swept: Sweep) -> None:
    document = json.loads(sweep_json(swept, swept.trials, "m.tflite", NOW))
    assert document["schema_version"] == 4 and document["origin"] == "estimated"
    assert document["budget"] == {"max_sram_kib": 3, "no_cpu": 0}
    rows = list(csv.DictReader(io.StringIO(sweep_csv(swept, swept.trials))))
    for row, entry, trial in zip(rows, document["targets"], swept.trials, strict=True):
        assert entry["fits"] == trial.fits and row["fits"] == str(trial.fits)
        assert row["memory_mode"] == entry["memory_mode"] == trial.target.memory_mode
        assert row["problem"] == entry["problem"] == trial.problem
        if trial.cost:
            assert float(row["cycles"]) == entry["cycles"] == trial.cost.cycles
        else:
            assert row["cycles"] == "" and entry["cycles"] is None
    cost = swept.trials[2].cost
    assert cost is not None
    over = cost.sram_kib - 3
    assert document["targets"][2]["breaches"][0]["over"] == pytest.approx(over)


class Rows(HTMLParser):
    """Cells of the rows of a table's body; tags that load something from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def test_the_page_has_a_row_per_target_and_loads_nothing(swept: Sweep) -> None:
    page = sweep_html(swept, swept.trials, HOSTILE, NOW)
    assert HOSTILE not in page and "&lt;script&gt;alert" in page
    parser = Rows()
    parser.feed(page)
    head, *body = parser.rows
    assert [load for load in parser.loads if not load.startswith("data:")] == []
    assert {len(row) for row in body} == {len(head)}
    assert [row[0] for row in body] == [trial.target.accelerator for trial in swept.trials]
    assert body[0][3] == "yes" and body[1][3] == "no: did not compile"
    assert body[2][3].startswith("no: SRAM +")
    assert "Did not compile: ethos-u55-64" in page


def test_the_table_says_what_fits_and_what_failed(swept: Sweep) -> None:
    stream = io.StringIO()
    Console(file=stream, width=160).print(as_sweep_table(swept, swept.trials, "m.tflite"))
    text = stream.getvalue()
    assert "4 targets, 3 compiled." in text
    assert "2 of them fit the budget: SRAM at most 3 KiB, no operators on the CPU." in text
    assert "did not compile" in text and "Did not compile: ethos-u55-64" in text


@pytest.fixture(scope="module")
def tokens() -> bytes:
    """A network of token ids, which an Ethos-U85 alone looks up."""
    keras.utils.set_random_seed(1)
    layers = keras.layers.Embedding(9, 6), keras.layers.GRU(8)
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers])
    ids = np.random.default_rng(0).integers(0, 9, (40, 6)).astype(np.int32)
    float_tflite = unspool.convert(unspool.unroll(model, allow_cpu=True))
    return unspool.quantize(float_tflite, unspool.calibrate(float_tflite, ids).ranges)


@pytest.fixture(scope="module")
def tokens_swept(tokens: bytes) -> Sweep:
    return sweep(
        tokens, (target("ethos-u55-256"), target("ethos-u85-128"), target("ethos-u65-256"))
    )


@pytest.mark.parametrize("by", ["ms", "cycles"])
def test_what_leaves_operators_to_the_cpu_is_not_the_fastest(tokens_swept: Sweep, by: str) -> None:
    u85, *others = order(tokens_swept.trials, by)
    assert u85.cost and u85.cost.cpu_operators == 0
    for trial in others:
        assert trial.cost and trial.cost.cpu_operators == 1
        assert trial.cost.cycles < u85.cost.cycles
        assert verdict(trial) == "yes, but for 1 on the CPU"
    lines = summary(tokens_swept)
    assert any(line.startswith("Fastest: ethos-u85-128") for line in lines)
    assert any(line.startswith("Least SRAM: ethos-u85-128") for line in lines)
    assert (
        "2 of them do not run all operators on the NPU: 1 is left to the CPU, and the time that "
        "takes is in none of these figures." in lines
    )


def test_a_time_budget_is_not_kept_where_the_cpus_time_is_not_known(
    tokens_swept: Sweep, tokens: bytes
) -> None:
    targets = [trial.target for trial in tokens_swept.trials]
    held = sweep(tokens, targets, Budget(max_ms=1000))
    assert [(trial.target.accelerator, trial.fits, verdict(trial)) for trial in held.trials] == [
        ("ethos-u55-256", False, "no: ms not known: 1 on the CPU"),
        ("ethos-u85-128", True, "yes"),
        ("ethos-u65-256", False, "no: ms not known: 1 on the CPU"),
    ]
    assert "1 of them fit the budget: Time of an inference at most 1000 ms." in summary(held)
    (row, *_) = json.loads(sweep_json(held, held.trials, "m", NOW))["targets"]
    assert (row["fits"], row["breaches"][0]["over"], row["breaches"][0]["on_cpu"]) == (
        False,
        None,
        1,
    )
    sram = sweep(tokens, targets[:1], Budget(max_sram_kib=1000))
    assert sram.trials[0].fits and verdict(sram.trials[0]) == "yes, but for 1 on the CPU"


def test_where_no_target_runs_all_none_is_the_fastest(tokens_swept: Sweep) -> None:
    lines = summary(replace(tokens_swept, trials=tokens_swept.trials[::2]))
    assert lines[1].startswith("None of them runs all operators on the NPU: 1 is left to the CPU")
    assert not any(line.startswith(("Fastest", "Least")) for line in lines)


@pytest.mark.parametrize("width", [80, 139, 140, 200])
def test_names_are_whole_at_every_width(swept: Sweep, width: int) -> None:
    stream = io.StringIO()
    table = as_sweep_table(swept, swept.trials, "m.tflite", width)
    Console(file=stream, width=width).print(table)
    text = stream.getvalue()
    for trial in swept.trials:
        target = trial.target
        for name in (target.accelerator, target.system_config, target.memory_mode):
            assert name in text
        if trial.cost:
            assert f"{trial.cost.cycles:,}" in text


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"nothing", {}, "not a .tflite file"),
        (None, {"targets": ()}, "no target was given"),
        (None, {"budget": Budget(max_accuracy_drop=1)}, "a sweep measures no accuracy"),
    ],
)
def test_bad_input_is_said_before_anything_is_compiled(
    int8_tflite: bytes, content: bytes | None, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        sweep(content or int8_tflite, **options)


def test_where_no_target_compiles_there_is_no_sweep(
    int8_tflite: bytes, targets: tuple[Target, ...]
) -> None:
    with pytest.raises(UnspoolError, match=r"none of 1 targets compiled: Vela .* refused"):
        sweep(int8_tflite, targets[1:2])


def test_an_unknown_order_is_refused(swept: Sweep) -> None:
    with pytest.raises(UnspoolError, match="`sort` size: expected one of target, cycles"):
        order(swept.trials, "size")


def test_progress_is_told_per_target(int8_tflite: bytes, targets: tuple[Target, ...]) -> None:
    seen = []
    sweep(int8_tflite, targets[2:], watch=lambda stage, done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_a_host_that_is_dead_is_a_refusal_not_a_hang(int8_tflite: bytes) -> None:
    with Host() as host:
        host._process.kill()
        host._process.wait()
        with pytest.raises(UnspoolError, match="died of SIGKILL"):
            vela.compile_with(host.run, int8_tflite, target())
