"""What damaged ONNX files hold that ends ONNX's own library, or keeps it busy for ever."""

import re
from collections.abc import Iterator
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx.choices import graphs_in

_EQUATION = re.compile(r"[A-Za-z.,\-> ]*")


def called(node: Any) -> str:
    """What a node of ONNX's is called in messages: by its name, or that of its first output."""
    return f"node {node.name or next(iter(node.output), '')!r}"


def check(graph: Any) -> None:
    """Check a graph of ONNX's, and those in it, before the library infers its shapes.

    Raises:
        UnspoolError: the file is damaged; the message names the node or the weights.
    """
    for tensor in tensors(graph):
        if min(tensor.dims, default=0) < 0:
            raise UnspoolError(
                f"weights {tensor.name!r} have the shape {tuple(tensor.dims)}; the file is damaged"
            )
    _check_names(graph)
    for node in nodes(graph):
        attributes = {entry.name: entry for entry in node.attribute}
        where = called(node)
        if node.op_type == "Split" and "num_outputs" in attributes:
            count = attributes["num_outputs"].i
            if count != len(node.output):
                raise UnspoolError(
                    f"{where}: its Split says that it has {count} outputs, and has "
                    f"{len(node.output)}; the file is damaged"
                )
        if node.op_type == "Einsum" and "equation" in attributes:
            equation = attributes["equation"].s.decode(errors="replace")
            if not _EQUATION.fullmatch(equation):
                raise UnspoolError(
                    f"{where}: {equation!r} is no equation of an Einsum; the file is damaged"
                )


def check_counts(graph: Any, opset: int) -> None:
    """Check that nodes have as many inputs and outputs as ONNX's operators have.

    The library looks for those that it expects, and ends the process where they are not there.

    Args:
        graph: of operators that are ONNX's own.
        opset: the version of these.

    Raises:
        UnspoolError: the file is damaged; the message names the node.
    """
    import onnx

    for node in nodes(graph):
        if not onnx.defs.has(node.op_type):
            continue
        try:
            schema = onnx.defs.get_schema(node.op_type, opset, "")
        except onnx.defs.SchemaError:  # of a later version
            continue
        for kind, count, least, most in (
            ("inputs", len(node.input), schema.min_input, schema.max_input),
            ("outputs", len(node.output), schema.min_output, schema.max_output),
        ):
            if not least <= count <= most:
                expected = f"{least}" if least == most else f"{least} to {most}"
                raise UnspoolError(
                    f"{called(node)}: its {node.op_type} has {count} {kind}, expected {expected}; "
                    "the file is damaged"
                )


def _check_names(graph: Any) -> None:
    """Check that each value of a graph has one place that it comes from."""
    known = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in known:
                raise UnspoolError(
                    f"node {node.name or name!r}: gives {name!r}, which comes from elsewhere, too; "
                    "the file is damaged"
                )
            known.add(name)
        for inner in graphs_in(node):
            _check_names(inner)


def tensors(graph: Any) -> Iterator[Any]:
    """The tensors of a graph: weights, and those in attributes, of graphs in it, too."""
    yield from graph.initializer
    for node in graph.node:
        for entry in node.attribute:
            yield from (entry.t, *entry.tensors)
        for inner in graphs_in(node):
            yield from tensors(inner)


def nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, and of graphs in them."""
    for node in graph.node:
        yield node
        for inner in graphs_in(node):
            yield from nodes(inner)
