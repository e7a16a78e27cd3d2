"""What sources import that is neither ours nor Python's, and when."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Try)


def _names(node: ast.AST) -> list[str]:
    """Modules that a node imports, by a statement or by `import_module` of a text."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
    return []


def foreign(node: ast.AST, later: bool = False) -> Iterator[tuple[str, bool]]:
    """Of each import its top module, and whether it waits: for a call, or behind `try`."""
    for name in _names(node):
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top != "unspool":
            yield top, later
    for child in ast.iter_child_nodes(node):
        yield from foreign(child, later or isinstance(node, _LATER))


def foreign_of(folder: Path) -> dict[tuple[str, bool], str]:
    """Each import of the sources below a folder -> one that has it."""
    return {
        each: str(path.relative_to(folder))
        for path in sorted(folder.rglob("*.py"))
        for each in foreign(ast.parse(path.read_text()))
    }
