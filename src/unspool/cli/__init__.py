"""The commands: parse, call the public API, print.

A command's parameters are single options, or groups of them (see `grouping`).

Libraries are imported inside the commands: `unspool --help` must not wait for TensorFlow.
"""

import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from unspool.cli.check import check_command, diff_command
from unspool.cli.claims import claims
from unspool.cli.compile import compile_command
from unspool.cli.compress import compress_command
from unspool.cli.console import DEFECT, MISTAKE, interrupted
from unspool.cli.deploy import deploy_command
from unspool.cli.flags import with_flags
from unspool.cli.inspect import inspect_command
from unspool.cli.interruption import interruptible
from unspool.cli.mnist import mnist_command
from unspool.cli.options import ALL_RESIDENT
from unspool.cli.simulate import disassemble_command, simulate_command
from unspool.cli.stream import bundle_command, drift_command
from unspool.cli.sweep import sweep_command
from unspool.cli.temporary import own_folder
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.support import files
from unspool.support.memory import shortage
from unspool.support.text import brief, in_a_line, printable

_BROKEN_PIPE = 141  # as shells have it

app = typer.Typer(
    name="unspool",
    help="Take a trained Keras recurrent network to an Arm Ethos-U NPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("mnist")(mnist_command)
app.command("deploy")(deploy_command)
app.command("compress")(compress_command)
app.command("compile")(compile_command)
app.command("sweep")(sweep_command)
app.command("check")(check_command)
app.command("diff")(diff_command)
app.command("inspect")(inspect_command)
app.command("simulate")(simulate_command)
app.command("disassemble")(disassemble_command)
app.command("drift")(drift_command)
app.command("bundle")(bundle_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"unspool {version('unspool')}")
        raise typer.Exit


@app.callback()
def _main(
    shown: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take a trained Keras recurrent network to an Arm Ethos-U NPU."""


def run(arguments: Sequence[str]) -> int:
    """Run a command in this process; returns its exit status.

    A user's mistake gives one line and status 2, Ctrl-C status 130, SIGTERM 143. An unforeseen
    exception gives one line and status 70, with the traceback in a file.
    """
    came: list[int] = []
    try:
        with interruptible(came), _own_warnings():
            status = _status(arguments)
            if not interrupted.is_set():
                return status
    except (KeyboardInterrupt, typer.Abort):
        pass
    print("unspool: interrupted", file=sys.stderr)
    return 128 + (came or [signal.SIGINT])[-1]


def _status(arguments: Sequence[str]) -> int:
    """The exit status of a command that is not interrupted."""
    try:
        with claims(), own_folder():
            command = typer.main.get_command(app)
            status = command.main(
                _with_values(arguments), prog_name="unspool", standalone_mode=False
            )
            sys.stdout.flush()
            return status if isinstance(status, int) else 0
    except typer.Exit as ended:
        return ended.exit_code
    except Exception as error:
        if interrupted.is_set():  # a library turned it into another one, and we that into a message
            raise KeyboardInterrupt from None
        return _failed(error)


def _failed(error: Exception) -> int:
    if isinstance(error, UnspoolError):
        return _mistake(str(error))
    if isinstance(error, BrokenPipeError):
        _drop_output()
        return _BROKEN_PIPE
    if isinstance(error, _option_errors()):
        return _mistake(_of_options(error))
    return _unforeseen(error)


def _mistake(message: str) -> int:
    return _ended(message, MISTAKE)


def _ended(message: str, status: int) -> int:
    line = with_flags(" ".join(message.split()))
    with suppress(OSError):  # nobody reads it
        print(f"unspool: error: {in_a_line(line)}", file=sys.stderr, flush=True)
    return status


def _unforeseen(error: Exception) -> int:
    if short := shortage(error):
        return _ended(f"memory ran out ({short}); free some, or give less data", DEFECT)
    what = brief(error)
    if isinstance(error, OSError):
        _drop_output()
        return _ended(f"a file or stream cannot be read or written: {what}", DEFECT)
    place = _keep_traceback("".join(traceback.format_exception(error)))
    return _ended(
        f"a defect of Unspool, {type(error).__name__}: {what}; please report it{place}", DEFECT
    )


def _keep_traceback(text: str) -> str:
    """Keep a traceback, here or where temporary files go, and say where that is."""
    path = Path("unspool-traceback.txt")
    try:
        files.write(path, text)
    except UnspoolError:  # a folder that cannot be written
        try:
            descriptor, name = tempfile.mkstemp(".txt", "unspool-traceback-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return ""
        path = Path(name)
    return f", with {path}"


def _drop_output() -> None:
    """Nobody takes it, and Python would try to flush it once more when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _option_errors() -> type[Exception]:
    """What Typer raises for wrong options: a base class of the only one that it exports."""
    return typer.BadParameter.__mro__[2]


def _of_options(error: Any) -> str:
    """A mistake in the options, in one line."""
    context = getattr(error, "ctx", None)
    command = f" (see {context.command_path} --help)" if context is not None else ""
    return f"{_of_a_value(error) or error.format_message().rstrip('.')}{command}"


_NUMBERS = {"float_parsing": "a number", "int_parsing": "a whole number"}


def _of_a_value(error: Any) -> str:
    """What was given, and what was expected; empty where it is not a value that is wrong."""
    find, param = getattr(error.__cause__, "errors", None), getattr(error, "param", None)
    if find is None or param is None:
        return ""
    wrong = find()[0]
    option = f"{param.opts[0]} {wrong['input']}"
    if (number := _NUMBERS.get(wrong["type"])) is not None:
        unit = f" of {param.metavar}" if param.metavar else ""
        return f"{option}: expected {number}{unit}"
    said = wrong["msg"].rstrip(".").removeprefix(f"Value error, {wrong['input']!r} is not ")
    for bound in ("greater", "less"):
        said = said.replace(f"Input should be {bound}", f"a number {bound}")
    return f"{option}: expected {said}"


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Print Unspool's warnings on stderr, a line each, and hide those of libraries."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"unspool: warning: {printable(with_flags(str(message)))}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UnspoolWarning)
        warnings.showwarning = show
        yield


def _with_values(arguments: Sequence[str]) -> list[str]:
    """Add the default value of `--resident-weights`; Typer has no options with optional values."""
    expanded: list[str] = []
    for position, argument in enumerate(arguments):
        expanded.append(argument)
        following = arguments[position + 1 : position + 2]
        if argument == "--resident-weights" and (not following or following[0].startswith("--")):
            expanded.append(ALL_RESIDENT)
    return expanded
