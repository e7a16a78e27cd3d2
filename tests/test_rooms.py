"""The rooms of src/unspool in their order: what each may import of the others, and nothing uphill.

A room is a folder, or a module that lies beside the folders. An arrow that is missing here is
either a mistake or a decision: write it down, above the rooms that need it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import unspool

SOURCES = Path(unspool.__file__).parent

EVERYWHERE = {"errors", "support"}
"""What any room may import that stands below it in the table, without being named."""

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "support": set(),
    "npu": set(),
    "tflite": {"npu"},
    "frontend": {"tflite"},
    "frontend.onnx": {"frontend"},
    "frontend.torch": {"frontend.onnx"},
    "loading": {"frontend", "frontend.onnx", "frontend.torch"},
    "unrolling.activations": {"frontend", "tflite"},
    "unrolling.recurrent": {"tflite", "unrolling.activations"},
    "unrolling": {"frontend", "tflite", "unrolling.activations", "unrolling.recurrent"},
    "quantization": {"tflite"},
    "compilation": {"npu", "tflite"},
    "compilation.residency": {"compilation", "npu", "tflite"},
    "stages": {"frontend", "quantization", "unrolling"},
    "inspection": {
        "compilation",
        "frontend",
        "quantization",
        "tflite",
        "unrolling",
        "unrolling.activations",
    },
    "runtime": {"compilation", "frontend", "npu", "tflite"},
    "firmware": {"compilation", "tflite"},
    "guide": {"compilation"},
    "compression.units": {"frontend"},
    "compression": {
        "compilation",
        "compilation.residency",
        "compression.units",
        "frontend",
        "quantization",
        "runtime",
        "stages",
        "tflite",
        "unrolling",
    },
    "remedies": {
        "compilation",
        "compression",
        "frontend",
        "quantization",
        "runtime",
        "stages",
        "tflite",
        "unrolling",
    },
    "deployed": {
        "compilation",
        "compilation.residency",
        "quantization",
        "remedies",
        "runtime",
    },
    "before_work": {
        "compilation",
        "deployed",
        "frontend",
        "inspection",
        "runtime",
        "stages",
        "unrolling",
    },
    "deployment": {
        "before_work",
        "compilation",
        "compilation.residency",
        "deployed",
        "inspection",
        "remedies",
        "runtime",
        "stages",
        "tflite",
        "unrolling",
    },
    "parts": {
        "before_work",
        "compilation",
        "compilation.residency",
        "deployed",
        "deployment",
        "firmware",
        "frontend",
        "inspection",
        "quantization",
        "remedies",
        "runtime",
        "stages",
        "tflite",
        "unrolling",
    },
    "calls": {
        "before_work",
        "compilation",
        "compilation.residency",
        "deployed",
        "deployment",
        "frontend",
        "parts",
        "stages",
        "unrolling",
    },
    "report": {
        "compilation",
        "compilation.residency",
        "compression",
        "compression.units",
        "deployed",
        "parts",
        "quantization",
        "remedies",
        "runtime",
        "tflite",
    },
    "report.terminal": {"compilation", "quantization", "report", "runtime"},
    "page.charts": {"compilation", "quantization", "report", "runtime", "tflite"},
    "page.sections": {
        "compilation",
        "compression",
        "page.charts",
        "quantization",
        "report",
        "runtime",
        "tflite",
    },
    "page": {"compilation", "page.sections", "report", "runtime"},
    "cli": {
        "calls",
        "compilation",
        "compilation.residency",
        "compression",
        "deployed",
        "deployment",
        "firmware",
        "frontend",
        "guide",
        "inspection",
        "loading",
        "npu",
        "page",
        "parts",
        "report",
        "report.terminal",
        "runtime",
        "stages",
        "tflite",
        "unrolling",
    },
    "limited": {"cli"},
}
ORDER = list(ROOMS)


def modules() -> dict[str, Path]:
    """Dotted name below `unspool` -> source."""
    sources = {}
    for path in sorted(SOURCES.rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return sources


MODULES = modules()


def room(module: str) -> str:
    folder = MODULES[module].parent.relative_to(SOURCES)
    return ".".join(folder.parts) or module


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            base = node.module or ""
            if base.split(".")[0] == "unspool":
                base = base.removeprefix("unspool").lstrip(".")
                for alias in node.names:
                    whole = f"{base}.{alias.name}".lstrip(".")
                    yield whole if whole in MODULES else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("unspool."), f"{path}: import {alias.name}"


def test_the_table_names_the_rooms_that_there_are() -> None:
    there = {room(module) for module in MODULES} - {"", "__main__"}
    assert there == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_from_those_below_it(name: str) -> None:
    allowed = ROOMS[name] | EVERYWHERE.intersection(ORDER[: ORDER.index(name)])
    assert allowed <= set(ORDER[: ORDER.index(name)]), "the table itself points uphill"
    arrows = {
        (module, other)
        for module, path in MODULES.items()
        if room(module) == name and module
        for other in imported(path)
        if other and room(other) != name
    }
    assert not sorted(f"{a} -> {b}" for a, b in arrows if room(b) not in allowed)
    unused = allowed - EVERYWHERE - {room(other) for _, other in arrows}
    assert not unused, "arrows of the table that no import needs"


def test_no_module_imports_itself_through_others() -> None:
    below: dict[str, set[str]] = {m: set(imported(p)) & set(MODULES) for m, p in MODULES.items()}
    below[""] = set()  # the face of the package hands names on when they are asked for
    while below:
        free = {module for module, others in below.items() if not others}
        assert free, f"a circle among {sorted(below)}"
        below = {m: others - free for m, others in below.items() if m not in free}


def test_the_simulator_stands_alone() -> None:
    assert ROOMS["npu"] == set()
    others = {other for m, p in MODULES.items() if room(m) == "npu" for other in imported(p)}
    assert {room(other) for other in others if other} <= {"npu", "errors"}


def test_the_way_in_names_each_module_once() -> None:
    for name, home in unspool._HOME.items():
        assert home in MODULES, f"{name}: there is no module {home}"


COMMANDS = {
    "compilation.vela",
    "report.advice",
    "report.budget_advice",
    "report.commands",
    "report.weight_advice",
}
"""Modules that write command lines: Vela's, and those of the advice."""


def texts(path: Path) -> Iterator[str]:
    """String constants of a source that are no docstrings."""
    tree = ast.parse(path.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_flag_below_the_commands() -> None:
    """A Python user has arguments: messages name those, and `cli` puts its flags."""
    for module, path in MODULES.items():
        if room(module) == "cli" or module in COMMANDS or module.startswith("page.charts"):
            continue
        flags = [text for text in texts(path) if re.search(r"(?<![-\w(])--[a-z]", text)]
        assert not flags, f"{module}: {flags}"


def test_every_argument_that_messages_name_is_an_option() -> None:
    from unspool.cli import app
    from unspool.cli.flags import NAMED, flag

    commands = typer.main.get_group(app).commands.values()
    options = {option for command in commands for p in command.params for option in p.opts}
    assert {flag(name) for name in NAMED} <= options
    named = {
        name
        for module, path in MODULES.items()
        if room(module) not in ("cli", "firmware")
        for text in texts(path)
        for name in re.findall(r"`([a-z_]+)`", text)
    }
    assert named <= set(NAMED)


VAGUE = {"found", "told", "_found", "_told"}
"""Names that say what was done, not what there is now: they stood for 200 different things."""


def test_a_name_says_what_it_stands_for() -> None:
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = {
                *(getattr(node, part, None) for part in ("name", "arg")),
                node.id if isinstance(node, ast.Name) else None,
            }
            assert not names & VAGUE, f"{path.name}:{getattr(node, 'lineno', 0)}: {names & VAGUE}"
