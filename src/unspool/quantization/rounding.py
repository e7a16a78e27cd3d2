"""Weights rounded by what their layers compute, instead of each to the nearest level.

One input after the other, the one that matters most first: its weights are rounded, and the errors
that this makes in the layer's outputs are taken back, as far as the calibration data allow, by the
weights that are not rounded yet (Frantar et al. 2022, "GPTQ"; Hassibi & Stork 1992). Scales, size
and cycles stay.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.quantization.kernels import Statistics
from unspool.quantization.moments import Moments
from unspool.quantization.multipliers import Floats
from unspool.tflite import flatbuffer

_DAMPING = 1e-3  # of the inputs' mean square: what the data do not show is not relied on


def round_kernels(model: flatbuffer.Model, statistics: Statistics, moments: Moments) -> None:
    """Give the kernels of a float model values that quantization stores as they are.

    Kernels whose weights share few values, such as clustered ones, are left as they are: they would
    no longer share them, and take more flash.

    Args:
        model: is changed.
        statistics: the ranges of its kernels.
        moments: those of the kernels to round.
    """
    graph = model.subgraphs[0]
    for index, tensor in enumerate(graph.tensors):
        name = tensor.name.decode()
        if name not in moments or name not in statistics:
            continue
        kernel = flatbuffer.constant(model, index).astype(np.float64)
        if not _shares_values(kernel):
            scale = statistics[name]["max"] / 127
            _put(model, tensor, rounded(kernel, scale, moments[name]))


def rounded(kernel: Floats, scale: Floats, moments: Floats) -> Floats:
    """A kernel's weights, each at a level of its scale; weights that are 0 stay 0.

    Args:
        kernel: (outputs, ...).
        scale: of one level, for all weights or for each output, (outputs, 1, ...).
        moments: of the inputs, (inputs, inputs).
    """
    weights = kernel.reshape(len(kernel), -1)
    scales = np.broadcast_to(scale, (len(kernel), *[1] * (kernel.ndim - 1))).reshape(-1)
    sizes = np.diag(moments)
    damped = moments + np.eye(len(moments)) * max(_DAMPING * float(sizes.mean()), 1e-30)
    order = np.argsort(-sizes, kind="stable")
    # Row i: how much of an error in input i each later input takes back.
    shares = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    columns, zero = weights[:, order], weights[:, order] == 0
    rounded_columns = np.empty_like(columns)
    for i in range(columns.shape[1]):
        levels = np.clip(np.rint(columns[:, i] / scales), -127, 127)
        rounded_columns[:, i] = np.where(zero[:, i], 0, levels * scales)
        error = (columns[:, i] - rounded_columns[:, i]) / shares[i, i]
        columns[:, i + 1 :] -= np.outer(error, shares[i, i + 1 :])
    result = np.empty_like(rounded_columns)
    result[:, order] = rounded_columns
    return result.reshape(kernel.shape)


def _shares_values(kernel: Floats) -> bool:
    """Whether more than half of the weights, but for zeros, have the value of another one."""
    some = kernel[kernel != 0]
    return bool(2 * len(np.unique(some)) <= some.size)


def _put(model: flatbuffer.Model, tensor: Any, values: Floats) -> None:
    """Give a tensor a buffer of its own."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
