"""The commands: parse, call the public API, print.

Libraries are imported inside the commands: `unspool --help` must not wait for TensorFlow.
"""

import sys

import typer

from unspool.cli.check import check_command, diff_command
from unspool.cli.compile import compile_command
from unspool.cli.compress import compress_command
from unspool.cli.deploy import deploy_command
from unspool.cli.inspect import inspect_command
from unspool.cli.mnist import mnist_command
from unspool.cli.options import ALL_RESIDENT
from unspool.cli.simulate import disassemble_command, simulate_command
from unspool.cli.stream import bundle_command, drift_command
from unspool.cli.sweep import sweep_command

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


def main() -> None:
    """Entry point of the `unspool` command."""
    app(args=_with_values(sys.argv[1:]))


def _with_values(arguments: list[str]) -> list[str]:
    """Give `--resident-weights` its value where it stands alone; Typer has no such options."""
    given: list[str] = []
    for position, argument in enumerate(arguments):
        given.append(argument)
        following = arguments[position + 1 : position + 2]
        if argument == "--resident-weights" and (not following or following[0].startswith("--")):
            given.append(ALL_RESIDENT)
    return given
