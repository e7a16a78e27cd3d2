"""The table of a search on terminals of any width: no number is cut, no line is too long."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from unspool import Candidate, Goal, KernelSetting, Search, UnspoolError, target
from unspool.cli.console import bars, interrupted
from unspool.cli.search_view import Running, last_rows, showing
from unspool.report.compression import SearchTable


def candidate(number: int, epochs: int) -> Candidate:
    setting = KernelSetting(number / 20, 16, 0.375)
    return Candidate(setting, 97.31, 1036.4, 417.2, 4_160_553, epochs, 12.0)


BEFORE = replace(candidate(0, 0), setting=KernelSetting(0.0, None))
LONG = Search(
    Goal(),
    98.9,
    600,
    target(),
    BEFORE,
    tuple(candidate(number, 8) for number in range(6)),
    tuple(candidate(number, 2) for number in range(12)),
)


def printed(what: Any, width: int, height: int = 24) -> list[str]:
    screen = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    screen.print(what)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_numbers_are_whole_on_every_terminal(width: int) -> None:
    lines = printed(SearchTable(LONG), width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    for number in ("97.31", "+1.59", "4,160,553"):
        assert sum(number in line for line in lines) == 19, "one row for each, and the trained one"
    words = " ".join(" ".join(lines).split())
    assert "promising" in words and "front" in words


def test_columns_go_where_there_is_no_room() -> None:
    wide, narrow = (" ".join(printed(SearchTable(LONG), width)) for width in (160, 60))
    for heading in ("Seconds", "SRAM, KiB", "Epochs", "Flash, KiB"):
        assert heading in wide and heading.split(",")[0] not in narrow


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_long_search_shows_what_was_tried_last(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width, height=24)
    lines = printed(last_rows(LONG, screen), width)
    assert 12 < len(lines) <= 20, "and there is room for what is being tried"
    assert any("as trained" in line for line in lines)
    assert lines[-6:] == printed(SearchTable(LONG), width)[-6:]


def test_what_is_done_is_in_the_table_alone() -> None:
    screen = Console(file=io.StringIO(), width=80)
    progress, watch = bars(screen, Running)
    watch("50 % zeros, 16 values: loss 0.1", 72, 72)
    watch("37.5 % of the units, 55 % zeros, 16 values: loss 0.2", 3, 72)
    text = " ".join(printed(progress, 80))
    assert "3/72" in text and "72/72" not in text


def test_a_ctrl_c_that_ended_vela_says_where_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Vela has the signal too, and its end may be told before ours."""
    with pytest.raises(UnspoolError), showing(tmp_path):
        raise UnspoolError("Vela ended")
    assert not capsys.readouterr().err, "nothing was interrupted"
    interrupted.set()
    try:
        with pytest.raises(UnspoolError), showing(tmp_path):
            raise UnspoolError("Vela ended")
    finally:
        interrupted.clear()
    assert "the same command goes on from there" in capsys.readouterr().err


def test_a_stage_that_takes_longer_the_second_time() -> None:
    progress, watch = bars(Console(file=io.StringIO()), Progress)
    watch("a setting: loss 0.1", 36, 36)
    watch("a setting: loss 0.1", 30, 72)
    assert [(task.completed, task.total, task.finished) for task in progress.tasks] == [
        (30, 72, False)
    ]
