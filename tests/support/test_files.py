"""Files that belong together, and what a process leaves that is killed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from unspool.errors import UnspoolError
from unspool.support import files


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_all_change_together(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("left alone")
    for text in ("old", "new"):
        with files.together(tmp_path) as staged:
            files.write(staged / "report.json", text)
            (staged / "firmware").mkdir()
            files.write(staged / "firmware" / "network.c", text)
    assert contents(tmp_path) == {
        "firmware/network.c": "new",
        "mine.txt": "left alone",
        "report.json": "new",
    }


@pytest.mark.parametrize("stop", [KeyboardInterrupt, UnspoolError, OSError])
def test_or_none_does(stop: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    with pytest.raises((UnspoolError, KeyboardInterrupt)), files.together(tmp_path) as staged:
        files.write(staged / "report.json", "new")
        raise stop("no")
    assert contents(tmp_path) == {"report.json": "old"}


def test_what_a_killed_process_left_goes_with_the_next_one(tmp_path: Path) -> None:
    """What one has that still runs is left alone."""
    program = """
        import os, sys
        from unspool.support import files
        with files.together(sys.argv[1]) as staged:
            files.write(staged / "report.json", "new")
            os.kill(os.getpid(), 9)
    """
    given = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    assert subprocess.run(given, check=False).returncode == -signal.SIGKILL
    assert [path.name[:9] for path in tmp_path.iterdir()] == [".unspool-"]
    (tmp_path / ".unspool-settings").mkdir()  # the user's own
    with files.together(tmp_path) as staged:
        files.write(tmp_path / "a", "b")
        assert {path.name for path in tmp_path.iterdir()} == {
            *("a", ".unspool-settings", staged.name)
        }


def test_links_that_someone_put_there_are_not_followed(tmp_path: Path) -> None:
    """Names under which files are written first cannot be guessed; a link itself is replaced."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f".{os.getpid()}-report.json").symlink_to(victim)
    (folder / "report.json").symlink_to(victim)
    files.write(folder / "report.json", "new")
    assert victim.read_text() == "mine"
    assert (folder / "report.json").read_text() == "new"


def test_what_cannot_be_written_is_named_as_the_user_knows_it(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    expected = f"{tmp_path / 'report.json'}: cannot be written (Is a directory)"
    with pytest.raises(UnspoolError) as caught:
        files.write(tmp_path / "report.json", "new")
    assert str(caught.value) == expected
    with pytest.raises(UnspoolError, match=r"cannot be written \(No such file or directory\)$"):
        files.write(tmp_path / "missing" / "x", "new")
