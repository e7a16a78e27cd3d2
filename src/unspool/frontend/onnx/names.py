"""Names of layers from names of ONNX's nodes: the modules that the user wrote, where they show."""

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import RECURRENT, Node

_SCOPES = "pkg.torch.onnx.name_scopes"
"""Where PyTorch's newer exporter writes the modules that a node came from."""


def named(nodes: Sequence[Any]) -> tuple[Node, ...]:
    """ONNX's nodes as ours, each with a name of its own that Keras takes.

    What only moves values about becomes no layer, in most cases, and is named last.
    """
    wanted = [_name(node) for node in nodes]
    names = distinct(wanted, [node.op_type for node in nodes])
    return tuple(
        Node(
            node.op_type,
            name,
            tuple(node.input),
            tuple(node.output),
            {entry.name: _attribute(node, entry) for entry in node.attribute},
        )
        for node, name in zip(nodes, names, strict=True)
    )


def renamed(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Nodes of which some have no name, or one that another has, each with a name of its own."""
    wanted = distinct([node.name or node.op for node in nodes], [node.op for node in nodes])
    return tuple(replace(node, name=name) for node, name in zip(nodes, wanted, strict=True))


def distinct(wanted: Sequence[str], ops: Sequence[str]) -> list[str]:
    """Names that are wanted, each once: others get a number behind.

    Args:
        wanted: names, as the user may have written them.
        ops: what each names; operators with weights go before all others.
    """
    used_names: set[str] = set()
    names = {}
    for place in sorted(range(len(wanted)), key=lambda place: ops[place] not in _WEIGHTED):
        names[place] = free(plain(wanted[place]), used_names)
        used_names.add(names[place])
    return [names[place] for place in range(len(wanted))]


_WEIGHTED = (*RECURRENT, "Gemm", "MatMul", "Conv", "ConvTranspose")


def free(wanted: str, used_names: set[str]) -> str:
    """The name that is wanted, or it with the first number behind that makes it another."""
    return next(
        name
        for name in itertools.chain([wanted], (f"{wanted}_{n}" for n in itertools.count(1)))
        if name not in used_names
    )


def _name(node: Any) -> str:
    """ "/rnn/GRU_1" -> "rnn", and the module's own name where the file says it."""
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(_SCOPES)
    modules = _modules(scopes) if scopes else []
    if modules:
        return modules[-1]
    parts = [part for part in (node.name or node.output[0]).split("/") if part]
    tail = re.fullmatch(rf"{node.op_type}(_\d+)?", parts[-1]) if len(parts) > 1 else None
    if tail is not None:
        parts = [parts[-2]]  # of a stack, the first free number tells the layers apart
    return "_".join(parts)


def _modules(scopes: str) -> list[str]:
    try:
        return [scope for scope in json.loads(scopes.replace("'", '"'))[:-1] if scope]
    except (ValueError, TypeError):
        return []


def plain(name: str) -> str:
    """A name of letters, digits and underscores that stands for any other."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_").lower() or "node"


def _attribute(node: Any, entry: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(entry)
    if value is None:
        raise UnspoolError(
            f"node {node.name or node.output[0]!r}: its attribute {entry.name!r} is of no type; "
            "the file is damaged, export it again"
        )
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, onnx.GraphProto):
        raise UnspoolError(
            f"node {node.name or node.output[0]!r}: {node.op_type} chooses between graphs by a "
            "value that is not constant; set the input that decides (`fixed_inputs`), or export "
            "the model without it"
        )
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode(errors="replace") for item in value]
    return value
