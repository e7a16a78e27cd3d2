"""What of an ONNX graph is constant once shapes are fixed, computed by ONNX's own evaluator."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.choices import chosen
from unspool.frontend.onnx.first_states import MOVES
from unspool.frontend.onnx.graph import MOST, MOST_IN_ALL, Node, check_entries
from unspool.frontend.onnx.quantized import ROUNDING
from unspool.frontend.onnx.sorting import alone
from unspool.support.text import brief

_GROWING = (
    *("BlackmanWindow", "CenterCropPad", "Col2Im", "ConstantOfShape", "ConvTranspose", "DFT"),
    *("Einsum", "Expand", "HammingWindow", "HannWindow", "MaxUnpool", "MelWeightMatrix", "OneHot"),
    *("Pad", "Range", "Resize", "STFT", "SequenceMap", "Tile", "Upsample"),
)
"""Operators that make more of less: none is computed before its size is known."""

_SLOW = ("AveragePool", "ConvTranspose", "LpPool", "MaxPool")
"""Operators that ONNX's evaluator computes entry by entry: no file has one of many constants."""

_MOST_SLOW = 2**12

_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial")


def decided(model: Any) -> None:
    """Put branches in the place of Ifs that neither a sample nor a shape decides.

    Args:
        model: ONNX's, its inputs of any shapes; changed.

    Raises:
        UnspoolError: as `folded`.
    """
    import onnx

    if any(node.op_type == "If" for node in model.graph.node):
        before = {tensor.name for tensor in model.graph.initializer}
        nodes, constants = folded(model, by_shapes=False)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(value, name)
            for name, value in constants.items()
            if name not in before
        )


def folded(model: Any, by_shapes: bool = True) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Compute what needs no sample, until nothing more is found.

    Args:
        model: ONNX's, its inputs of fixed shapes.
        by_shapes: also what depends on these.

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
    names = {*constants, *(name for node in nodes for name in node.output)}
    changed, total = True, 0
    while changed:
        known = shapes(model, nodes, constants) if by_shapes else {}
        remainder: list[Any] = []
        changed = False
        for node in nodes:
            if node.op_type == "If" and node.input[0] in constants:
                branch, more = chosen(node, constants[node.input[0]], names)
                names.update(more, *(one.output for one in branch))
                constants.update(more)
                remainder.extend(branch)
                changed = True
                continue
            node = alone(node, constants, known)
            values = _computed(node, constants, known, model)
            if values is None:
                remainder.append(node)
                continue
            constants.update(zip(node.output, values, strict=False))
            total += sum(value.size for value in values)
            check_entries("constants computed so far", [total], MOST_IN_ALL)
            changed = True
        nodes = remainder
    return nodes, constants


def moved(nodes: Iterable[Node], constants: dict[str, np.ndarray], model: Any) -> tuple[Node, ...]:
    """The nodes that are left when those that move constants about are computed.

    Args:
        nodes: in their order.
        constants: name -> value; those that are made are added.
        model: ONNX's, for the version of its operators.
    """
    import onnx

    remainder = []
    for node in nodes:
        if node.op not in MOVES or any(name and name not in constants for name in node.inputs):
            remainder.append(node)
            continue
        versions = (
            [onnx.helper.make_opsetid("", 13)] if len(node.inputs) > 1 else model.opset_import
        )
        bare = onnx.ModelProto(opset_import=versions)
        written = onnx.helper.make_node(node.op, node.inputs, node.outputs, **node.attributes)
        values = _evaluated(written, constants, bare)
        constants.update(zip(node.outputs, values, strict=False))
    return tuple(remainder)


def _computed(
    node: Any,
    constants: Mapping[str, np.ndarray],
    known: Mapping[str, tuple[int, ...]],
    model: Any,
) -> list[np.ndarray] | None:
    """A node's outputs, or None where they depend on a sample."""
    if node.op_type in ("Shape", "Size") and node.input[0] in known:
        ends = {a.name: a.i for a in node.attribute}
        shape = known[node.input[0]][ends.get("start", 0) : ends.get("end")]
        return [np.array(shape if node.op_type == "Shape" else prod(shape), np.int64)]
    if node.op_type in _RANDOM or any(name and name not in constants for name in node.input):
        return None
    return _evaluated(node, constants, model)


def _evaluated(node: Any, constants: Mapping[str, np.ndarray], model: Any) -> list[np.ndarray]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    inputs = {name: constants[name] for name in node.input if name}
    bare = onnx.ModelProto(opset_import=model.opset_import, ir_version=8)
    bare.graph.name = "constant"
    _check_size(node, shapes(bare, [node], inputs), [value.size for value in inputs.values()])
    try:
        outputs = ReferenceEvaluator(_alone(node, inputs, model)).run(None, inputs)
    except Exception as error:
        raise UnspoolError(
            f"node {node.name or node.output[0]!r}: its {node.op_type} of constants cannot be "
            f"computed: {brief(error)}"
        ) from None
    return [np.asarray(value) for value in outputs]


def _alone(node: Any, inputs: Iterable[str], model: Any) -> Any:
    """A model of one node."""
    import onnx

    untyped = onnx.TypeProto()
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [onnx.helper.make_value_info(name, untyped) for name in inputs],
        [onnx.helper.make_value_info(name, untyped) for name in node.output if name],
    )
    versions = model.opset_import
    # the evaluator knows them from version 19 on, where they mean what they did before
    if node.op_type in ROUNDING and max((v.version for v in versions), default=0) < 19:
        versions = [onnx.helper.make_opsetid("", 19)]
    return onnx.helper.make_model(graph, opset_imports=versions, ir_version=8)


def _check_size(node: Any, known: Mapping[str, tuple[int, ...]], read: Sequence[int]) -> None:
    """Check that what a node would compute is no larger than a network's constants are.

    Args:
        node: ONNX's.
        known: name -> shape, where it follows.
        read: entries of each of its inputs: of products and sums, what is made is no more.
    """
    where = f"node {node.name or node.output[0]!r}"
    for name in node.output:
        if prod(known.get(name, ())) > MOST:
            raise UnspoolError(
                f"{where}: would compute a constant of {prod(known[name]):,} entries; expected at "
                f"most {MOST:,}"
            )
    if node.op_type in _SLOW and sum(read) > _MOST_SLOW:
        raise UnspoolError(
            f"{where}: its {node.op_type} of {sum(read):,} constants takes too long; export it as "
            "a constant"
        )
    if node.output[0] not in known and (node.op_type in _GROWING or prod(read) > MOST):
        raise UnspoolError(
            f"{where}: its {node.op_type} of constants may be of any size; export it as a constant"
        )


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
    try:  # without data_prop, which takes as long as a constant in the file says it is large
        probe = onnx.shape_inference.infer_shapes(probe)
    except Exception:  # what cannot be inferred is not folded
        return {}
    known_shapes = {name: value.shape for name, value in constants.items()}
    for value in (*probe.graph.value_info, *probe.graph.input):
        kind = value.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim]
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
            known_shapes.setdefault(value.name, tuple(sizes))
    return known_shapes
