"""A piece of an ONNX graph: from one tensor on, or up to one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx import ends
from unspool.frontend.onnx.choices import reads
from unspool.support.text import brief


def cut(
    model: Any, start: str | None, stop: str | None, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Leave of a graph what lies between two tensors.

    Args:
        model: ONNX's; changed.
        start: a tensor that is fed instead of computed; None begins with the inputs.
        stop: a tensor that is the only output; None ends with the outputs.
        shapes: input name -> shape, where the file leaves sizes open.

    Returns:
        the shapes of inputs that are left.

    Raises:
        UnspoolError: there is no such tensor, or its shape does not follow from the inputs'.
    """
    import onnx

    graph = model.graph
    computed = [name for node in graph.node for name in node.output]
    for name in filter(None, (start, stop)):
        if name not in computed:
            _check_branches(name, graph)
            raise UnspoolError(f"no node computes a tensor {name!r}; {_like(name, computed)}")
    if stop:
        del graph.output[:]
        graph.output.append(onnx.helper.make_empty_tensor_value_info(stop))
    if start:
        fed = onnx.helper.make_tensor_value_info(
            start, onnx.TensorProto.FLOAT, _shape(model, start, shapes)
        )
        graph.input.append(fed)
    nodes = _needed(graph.node, [value.name for value in graph.output], start)
    read = {name for node in nodes for name in reads(node)}
    all_inputs = list(graph.input)
    inputs = [value for value in all_inputs if value.name in read]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    if start and start not in read:
        raise UnspoolError(f"no output depends on the tensor {start!r}")
    gone = {value.name for value in all_inputs} - {value.name for value in inputs}
    return {name: shape for name, shape in shapes.items() if name not in gone}


def _check_branches(name: str, graph: Any) -> None:
    """Check that a tensor lies in no branch of an If that is not decided."""
    for node in graph.node:
        for entry in node.attribute:
            within = [value for one in entry.g.node for value in one.output]
            if name in within:
                raise UnspoolError(
                    f"tensor {name!r} is in the {entry.name} of the {node.op_type} "
                    f"{node.name or node.output[0]!r}, which is not decided; set the input that "
                    "decides (`fixed_inputs`)"
                )
            _check_branches(name, entry.g)


def _like(name: str, computed: Sequence[str]) -> str:
    """A few tensors whose names have something of one that is not there."""
    last = name.replace("_output_0", "").split("/")[-1].lower()
    alike = [other for other in computed if last and last in other.lower()][:3]
    return f"expected one such as {', '.join(map(repr, alike or computed[-3:]))}"


def _shape(model: Any, name: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of a tensor for the file's own sizes: what is in front of it is run on zeros."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    fed, _ = ends.fixed(probe, None, shapes)
    nodes = _needed(probe.graph.node, [name], None)
    read = {value for node in nodes for value in reads(node)}
    del probe.graph.node[:], probe.graph.output[:]
    probe.graph.node.extend(nodes)
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    zeros = {end.name: np.zeros(end.shape, end.dtype) for end in fed if end.name in read}
    try:
        (value,) = ReferenceEvaluator(probe).run(None, zeros)
    except Exception as error:
        raise UnspoolError(
            f"what is in front of tensor {name!r} cannot be computed: {brief(error)}"
        ) from None
    return tuple(value.shape)


def _needed(nodes: Sequence[Any], outputs: Sequence[str], start: str | None) -> list[Any]:
    """The nodes that outputs depend on, in their order, but for those in front of `start`."""
    wanted, ancestors = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output) and start not in node.output:
            wanted.update(reads(node))
            ancestors.append(node)
    return ancestors[::-1]
