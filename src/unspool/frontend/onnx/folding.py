"""What of an ONNX graph is constant once shapes are fixed, computed by ONNX's own evaluator."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from unspool.errors import UnspoolError

_MOST = 2**26
"""Entries of a constant: no network for an NPU has one of more."""

_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial")


def folded(model: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Compute what needs no sample, until nothing more is found.

    Args:
        model: ONNX's, its inputs of fixed shapes.

    Returns:
        the nodes that are left, and the constants by name.

    Raises:
        UnspoolError: a constant would be too large, or cannot be computed.
    """
    import onnx

    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    nodes = list(model.graph.node)
    while True:
        known = shapes(model, nodes, constants)
        left = []
        for node in nodes:
            values = _computed(node, constants, known, model)
            if values is None:
                left.append(node)
            else:
                constants.update(zip(node.output, values, strict=False))
        if len(left) == len(nodes):
            return left, constants
        nodes = left


def _computed(
    node: Any,
    constants: Mapping[str, np.ndarray],
    known: Mapping[str, tuple[int, ...]],
    model: Any,
) -> list[np.ndarray] | None:
    """A node's outputs, or None where they depend on a sample."""
    if node.op_type == "Shape" and node.input[0] in known:
        ends = {a.name: a.i for a in node.attribute}
        shape = known[node.input[0]][ends.get("start", 0) : ends.get("end")]
        return [np.array(shape, np.int64)]
    if node.op_type in _RANDOM or any(name and name not in constants for name in node.input):
        return None
    for name in node.output:
        if prod(known.get(name, ())) > _MOST:
            raise UnspoolError(
                f"node {node.name or name!r}: would compute a constant of "
                f"{prod(known[name]):,} entries; expected at most {_MOST:,}"
            )
    return _evaluated(node, constants, model)


def _evaluated(node: Any, constants: Mapping[str, np.ndarray], model: Any) -> list[np.ndarray]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    given = list(dict.fromkeys(name for name in node.input if name))
    untyped = onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [onnx.helper.make_value_info(name, untyped) for name in given],
        [onnx.helper.make_value_info(name, untyped) for name in node.output if name],
    )
    alone = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)
    try:
        outputs = ReferenceEvaluator(alone).run(None, {name: constants[name] for name in given})
    except Exception as error:
        raise UnspoolError(
            f"node {node.name or node.output[0]!r}: its {node.op_type} of constants cannot be "
            f"computed: {' '.join(str(error).split())[:200]}"
        ) from None
    return [np.asarray(value) for value in outputs]


def shapes(
    model: Any, nodes: list[Any], constants: Mapping[str, np.ndarray]
) -> dict[str, tuple[int, ...]]:
    """Name -> shape, of the values whose shape follows from the inputs'."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.node[:], probe.graph.initializer[:], probe.graph.value_info[:]
    probe.graph.node.extend(nodes)
    inputs = {value.name for value in probe.graph.input}
    for name, value in constants.items():
        if value.size <= 64 and value.dtype.kind in "if":  # what may be a shape
            probe.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        elif name not in inputs and value.dtype.kind in "fiub":
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            probe.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, value.shape))
    try:
        probe = onnx.shape_inference.infer_shapes(probe, data_prop=True)
    except Exception:  # what cannot be inferred is not folded
        return {}
    found = {name: value.shape for name, value in constants.items()}
    for value in (*probe.graph.value_info, *probe.graph.input):
        kind = value.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim]
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
            found.setdefault(value.name, tuple(sizes))
    return found
