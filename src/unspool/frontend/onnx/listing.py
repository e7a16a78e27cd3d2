"""The nodes of an .onnx file, each once, in its order."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from unspool.frontend.onnx.choices import branch_of
from unspool.frontend.onnx.graph import Listed


def listed(nodes: Iterable[Any], constants: Mapping[str, np.ndarray]) -> Iterator[Listed]:
    """The nodes of a graph; those of the branch that an If took stand in front of it.

    Args:
        nodes: ONNX's.
        constants: name -> value, of what was computed when the file was read.
    """
    for node in nodes:
        reads, note = list(node.input), ""
        if node.op_type == "If" and node.input[0] in constants:
            which, branch = branch_of(node, constants[node.input[0]])
            yield from listed(branch.node, constants)
            reads += [value.name for value in branch.output]
            note = f"its {which} is taken"
        gives = tuple(filter(None, node.output))
        name = node.name or next(iter(gives), "")
        yield Listed(name, node.op_type, tuple(filter(None, reads)), gives, note)
