"""Folders for results: one command at a time, and none that is left empty."""

import signal
from pathlib import Path

import pytest

from unspool.cli.claims import claimed, claims
from unspool.errors import UnspoolError
from unspool.support import files


def test_ctrl_c_when_a_folder_was_made_just_now_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files.output_folder

    def interrupted(path: Path) -> Path:
        folder = made(path)
        signal.raise_signal(signal.SIGINT)
        return folder

    monkeypatch.setattr(files, "output_folder", interrupted)
    with pytest.raises(KeyboardInterrupt), claims():
        claimed(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    with claims():
        assert claimed(tmp_path) == tmp_path
    assert tmp_path.is_dir()


def test_a_folder_belongs_to_one_command(tmp_path: Path) -> None:
    with claims():
        claimed(tmp_path)
        with pytest.raises(UnspoolError, match="another command writes to it"), claims():
            claimed(tmp_path)
    with claims():
        claimed(tmp_path)
