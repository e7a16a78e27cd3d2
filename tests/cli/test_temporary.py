"""Temporary files of a command and its libraries, in one folder that does not outlive it."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from unspool.cli.temporary import own_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_all_that_is_left_in_it_goes(place: Path) -> None:
    with own_folder():
        (folder,) = place.iterdir()
        assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(folder)
        tempfile.mkdtemp()
        tempfile.mkstemp()
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(place)
    assert list(place.iterdir()) == []


def test_what_a_killed_command_left_goes_with_the_next_and_what_a_live_one_has_does_not(
    place: Path,
) -> None:
    program = """
        import os, sys, tempfile
        from unspool.cli.temporary import own_folder
        with own_folder():
            print(tempfile.mkdtemp(), flush=True)
            sys.stdin.readline()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert all(each.stdout and each.stdout.readline() for each in running)
    killed, live = running
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    (place / "unspool-abcdefgh").mkdir()  # of the library, in a process of the user's
    with own_folder():
        assert len(list(place.glob("unspool-command-*"))) == 2
    assert len(list(place.iterdir())) == 2
    live.communicate("\n")
    assert [path.name for path in place.iterdir()] == ["unspool-abcdefgh"]
    killed.communicate()


def test_a_link_that_someone_put_there_is_not_followed(place: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (place / "unspool-command-x").symlink_to(mine)
    with own_folder():
        pass
    assert mine.is_dir()


def test_where_no_folder_can_be_made_all_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no"))
    with own_folder():
        assert tempfile.gettempdir() == str(tmp_path / "no")
