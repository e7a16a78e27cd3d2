"""Groups of options: Typer sees each option, the command sees the groups."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from unspool.cli.grouping import grouped


@dataclass(frozen=True)
class Place:
    folder: Annotated[str, typer.Argument()]
    depth: Annotated[int | None, typer.Option(min=1, help="How deep.")] = None


@dataclass(frozen=True)
class Look:
    place: Annotated[str, typer.Option("--where")] = "here"
    as_json: Annotated[bool, typer.Option("--json")] = False


@grouped
def show(*, count: Annotated[int, typer.Option()] = 1, place: Place, look: Look) -> None:
    """Show what is in a place."""
    print(count, place, look)


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(show)
    result = CliRunner().invoke(app, arguments)
    return result.output.strip()


def test_options_keep_their_order_and_what_they_are() -> None:
    parameters = inspect.signature(show).parameters
    assert list(parameters) == ["count", "folder", "depth", "place", "as_json"]
    assert parameters["folder"].default is inspect.Parameter.empty
    assert parameters["place"].default == "here"
    assert show.__doc__ == "Show what is in a place."


def test_the_command_gets_the_groups_that_the_line_names() -> None:
    # `place` is a group of the command and an option of the other group.
    assert run("attic", "--depth", "2", "--where", "there", "--json", "--count", "3") == (
        f"3 {Place('attic', 2)} {Look('there', True)}"
    )
    assert run("attic") == f"1 {Place('attic')} {Look()}"


def test_typer_checks_the_options_of_groups() -> None:
    assert "--depth" in run("attic", "--depth", "0")
    assert "Missing argument" in run("--depth", "2")


def test_an_option_in_two_groups_is_refused() -> None:
    def twice(*, place: Place, again: Place) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'folder'"):
        grouped(twice)
