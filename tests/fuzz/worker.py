"""Takes files, one after the other, and says what came of each: a process that may die.

It keeps watch: over memory, over files that are opened, and over what would run a file's code.
"""

import contextlib
import faulthandler
import gc
import io
import json
import os
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TextIO

MEMORY = 4 * 2**30
"""Bytes that reading a file may take beyond those that the libraries have."""

LONGEST = 1000
"""Characters of a message."""

_NO_MEMORY = ("MemoryError", "Unable to allocate", "bad_alloc", "ResourceExhausted", "OOM")
_RUNS_CODE = ("pickle.find_class", "os.system", "os.exec", "subprocess.Popen", "socket.connect")


class Watch:
    """What was done that no reading of a file should do."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        temporary = (f"{gettempdir()}/{start}" for start in ("unspool-", "tmp"))  # ours, Keras's
        places = (sys.prefix, sys.base_prefix, *temporary, "/proc", "/sys")
        self.known = tuple(map(os.path.realpath, places))
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event in _RUNS_CODE:
            self.seen.append(event)
        if event == "open" and isinstance(arguments[0], str | bytes):
            if sys._getframe(1).f_code.co_filename == shutil.__file__:
                return  # what it removes it opens by names within folders, which are not told
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((self.folder, *self.known)):
                self.seen.append(f"opens {path}")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def _one_line(text: str) -> str:
    if len(text.splitlines()) != 1:
        return f"a message of {len(text.splitlines())} lines: {text[:LONGEST]!r}"
    if len(text) > LONGEST:
        return f"a message of {len(text)} characters: {text[:LONGEST]!r}"
    if any(word in text for word in _NO_MEMORY):
        return f"memory ran out: {text[:LONGEST]!r}"
    return ""


def _tried(path: Path, inspected: bool) -> tuple[str, str]:
    """'taken', 'refused' or 'fault', and what is said of it."""
    import unspool

    try:
        with warnings.catch_warnings(record=True) as messages:
            warnings.simplefilter("always")
            model = unspool.load(path)
            if inspected:
                unspool.inspect(model)
    except unspool.UnspoolError as error:
        wrong = _one_line(str(error))
        return ("fault", wrong) if wrong else ("refused", str(error))
    except BaseException as error:
        return "fault", f"{type(error).__name__}: {error}"
    wrong = next(filter(None, (_one_line(str(w.message)) for w in messages)), "")
    return (
        ("fault", wrong) if wrong else ("taken", "; ".join(str(w.message)[:200] for w in messages))
    )


def _commanded(arguments: list[str], folder: Path) -> tuple[str, str]:
    """The same of a command: it ends with a status that it has, and says a mistake in one line."""
    from unspool.cli import run

    os.chdir(folder)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = run(arguments)
    except BaseException as error:
        return "fault", f"{type(error).__name__}: {error}"
    errors = [line for line in said.getvalue().split("\n") if line.startswith("unspool: error")]
    text = "\n".join(errors)
    if status in (0, 1) and not errors:
        return "taken", ""
    if status == 2 and errors and not _one_line(text):
        return "refused", text
    traceback = Path("unspool-traceback.txt")
    where = traceback.read_text()[-3000:] if traceback.exists() else ""
    traceback.unlink(missing_ok=True)
    return "fault", f"status {status}: {_one_line(text) or text or said.getvalue()[-500:]}\n{where}"


def _answer(order: dict[str, Any], watch: Watch) -> dict[str, Any]:
    path, inspected, command = Path(order["path"]), order["inspected"], order["command"]
    before, most = _status("VmRSS"), _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    Path("/proc/self/clear_refs").write_text("5")  # the peak, anew
    if not inspected and not command:  # which make files of their own, and processes
        watch.seen, watch.folder = [], os.path.realpath(path.parent)
    outcome, text = (
        _commanded(command, Path(order["folder"])) if command else _tried(path, inspected)
    )
    watch.folder = None
    taken = _status("VmHWM") - before
    if taken > MEMORY:
        outcome, text = "fault", f"took {taken / 2**30:.1f} GiB; {text}"
    if watch.seen:
        outcome, text = "fault", f"{watch.seen[0]}; {text}"
    watch.seen = []
    return {"outcome": outcome, "text": text, "memory": taken}


def _work(answers: TextIO, log: TextIO, seconds: float) -> None:
    import vela_forks

    import unspool
    from unspool.compilation import vela
    from unspool.page.charts import canvas

    vela._run = vela_forks.run  # without the second that each process of it takes to begin
    canvas._painted = lambda *_, **__: ""
    unspool.load  # noqa: B018  # what is imported late
    from unspool.support._tensorflow import keras

    gc.collect()
    gc.freeze()  # TensorFlow and Keras, which are looked through at each collection otherwise
    watch = Watch()
    print("{}", file=answers, flush=True)
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        faulthandler.dump_traceback_later(seconds, file=log)  # where it hangs
        begin = time.monotonic()
        answer = _answer(order, watch)
        answer["seconds"] = time.monotonic() - begin
        faulthandler.cancel_dump_traceback_later()
        if number % 20 == 0:
            keras.backend.clear_session()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as answers_, Path(sys.argv[1]).open("w") as log_:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        faulthandler.enable(log_)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _work(answers_, log_, float(sys.argv[2]))
