"""Inputs of an ONNX graph that are always one number, such as a rate: constants from then on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unspool.errors import UnspoolError


def give(model: Any, numbers: Mapping[str, float]) -> None:
    """Make inputs constant.

    Args:
        model: ONNX's; changed.
        numbers: input name -> the number, in each of its entries.

    Raises:
        UnspoolError: there is no such input, or it has a size that is open, or many entries.
    """
    import onnx

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: value for value in model.graph.input if value.name not in weights}
    for name, number in numbers.items():
        if name not in inputs:
            raise UnspoolError(
                f"{name!r} is set to {number:g}; expected one of the inputs "
                f"{', '.join(map(repr, inputs))}"
            )
        kind = inputs[name].type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        if any(size != 1 for size in shape):
            raise UnspoolError(
                f"{name!r} is set to {number:g}, but has the shape ({', '.join(map(str, shape))}); "
                "expected an input of one number"
            )
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        value = np.full(shape, number, dtype)
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        model.graph.input.remove(inputs[name])
