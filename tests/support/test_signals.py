"""Signals that wait while results change."""

import os
import signal
import threading
from pathlib import Path

import pytest

from unspool.support import files
from unspool.support.signals import undisturbed


@pytest.fixture
def another_thread() -> object:
    """One that takes signals, as TensorFlow's do: a mask of the main thread keeps none away."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread
    end.set()
    thread.join()


def test_ctrl_c_waits_until_all_results_are_there(
    another_thread: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return replace(path, target)

    with pytest.raises(KeyboardInterrupt), files.together(tmp_path) as staged:
        for name in ("a", "b", "report.json"):
            (staged / name).write_text("new")
        monkeypatch.setattr(Path, "replace", interrupted)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "report.json"}


def test_a_signal_that_is_ignored_stays_so(another_thread: object) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_threads_change_no_handlers() -> None:
    def work() -> None:
        with undisturbed():
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
