"""Einsum of a value that is computed and a constant."""

import re

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.dense import multiplied
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Build, Scope
from unspool.frontend.onnx.values import Value


def _einsum(node: Node, scope: Scope) -> Value:
    operands = [scope.values[name] for name in node.inputs]
    constants = [n for n, value in enumerate(operands) if not isinstance(value, Value)]
    if len(operands) != 2 or len(constants) != 1:
        raise UnspoolError(
            f"multiplies {len(operands)} tensors, {len(constants)} of them constant; expected one "
            "that is computed and one that is constant"
        )
    equation = node.attributes["equation"].replace(" ", "")
    match = re.fullmatch(r"([a-zA-Z]*),([a-zA-Z]*)->([a-zA-Z]*)", equation)
    terms = match.groups() if match else ()
    if any(len(set(term)) < len(term) for term in terms) or not terms:
        raise UnspoolError(
            f"has the equation {equation!r}; expected one such as 'btgi,gih->btgh', each letter "
            "once in a term"
        )
    (at,) = constants
    value, kernel = operands[1 - at], np.asarray(operands[at])
    assert isinstance(value, Value)
    return multiplied(value, kernel, (terms[1 - at], terms[at], terms[2]), node.name)


FORMS: dict[str, Build] = {"Einsum": _einsum}
"""Operators that say which axes they multiply."""
