"""Copy a traced operator into another graph, in the form in which it is computed while training."""

from collections.abc import Mapping, Sequence
from typing import Any

from unspool.compression.roundings import Rounding
from unspool.support._tensorflow import tf


def copied(op: Any, inputs: Sequence[Any], within: Mapping[str, Rounding]) -> list[Any]:
    """Compute what a traced operator does.

    Args:
        op: the operator.
        inputs: what it reads in the graph that is made.
        within: as `roundings.Rounded` has it.
    """
    if op.name in within:
        return [_in_two(op, inputs, within[op.name])]
    if op.type == "BatchMatMulV2" and _is_one_matrix(op):
        return [_product(inputs[0], inputs[1], op.outputs[0].shape)]
    copy = tf.compat.v1.get_default_graph().create_op(
        op.type,
        list(inputs),
        [tensor.dtype for tensor in op.outputs],
        attrs=dict(op.node_def.attr),
    )
    return list(copy.outputs)


def _in_two(op: Any, inputs: Sequence[Any], rounding: Rounding) -> Any:
    """What the int8 file has two operators for, a rounding between them."""
    if op.type == "SquaredDifference":
        return tf.square(rounding(inputs[0] - inputs[1]))
    axes = tf.get_static_value(op.inputs[1]).tolist()
    mean = rounding(tf.reduce_mean(inputs[0], axes, op.get_attr("keep_dims")))
    return mean * (inputs[0].shape.num_elements() / mean.shape.num_elements())


def _is_one_matrix(op: Any) -> bool:
    """Whether all rows are multiplied by one matrix, as it stands."""
    groups = op.inputs[1].shape[:-2].num_elements()
    return groups == 1 and not op.get_attr("adj_x") and not op.get_attr("adj_y")


def _product(x: Any, matrix: Any, shape: Any) -> Any:
    """A product as one of two axes.

    TensorFlow 2.21 writes outside of its memory where it multiplies many matrices by one.
    """
    rows = tf.reshape(x, (-1, x.shape[-1]))
    return tf.reshape(rows @ tf.reshape(matrix, matrix.shape[-2:]), shape)
