"""Operators with windows, kernels or an axis to reduce; see `operators`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from models import options
from operators import Maker, Quantization


def _kernel(
    m: Maker, shape: tuple[int, ...], channels: int, axis: int = 0
) -> tuple[int, list[float]]:
    """(tensor, scales) of random weights with a scale per channel."""
    scales = [m.scale(0.002, 0.05, 10) for _ in range(channels)]
    values = m.rng.integers(-127, 128, shape)
    return m.graph.tensor(shape, scales, 0, data=values, axis=axis), scales


def _convolution(depthwise: bool, stride: int, dilation: int, pads: bool) -> Callable[..., None]:
    def make(m: Maker) -> None:
        height, width, deep = (28, 28, 16) if m.big else (9, 11, int(m.rng.choice([1, 3, 17])))
        rows, columns = (int(n) for n in m.rng.integers(1, 4, 2))
        a, out = m.quantization(), deep if depthwise else int(m.rng.choice([1, 8, 24]))
        form = (1, rows, columns, out) if depthwise else (out, rows, columns, deep)
        kernel, scales = _kernel(m, form, out, 3 if depthwise else 0)
        x, same = m.input((1, height, width, deep), a), bool(m.rng.integers(2)) and not pads
        if pads:  # Vela takes such an operator into the convolution: uneven padding
            around = [[0, 0], [int(rows > 1), 0], [0, int(columns > 1)], [0, 0]]
            height, width = height + sum(around[1]), width + sum(around[2])
            padded = m.graph.tensor((1, height, width, deep), *a, m.dtype)
            x = m.graph.op("PAD", [x, m.numbers(around)], padded, options("PadOptions"))
        size = [
            -(-n // stride) if same else (n - (k - 1) * dilation - 1) // stride + 1
            for n, k in ((height, rows), (width, columns))
        ]
        taps = rows * columns * (1 if depthwise else deep)
        chosen = options(
            "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
            padding=0 if same else 1,
            strideH=stride,
            strideW=stride,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            fusedActivationFunction=int(m.rng.choice([0, 1, 3])),
            **({"depthMultiplier": 1} if depthwise else {}),
        )
        result = m.output((1, *size, out), m.weighted(a[0], float(np.median(scales)), taps))
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        m.graph.op(name, [x, kernel, m.biases(a[0], scales)], result, chosen)

    return make


def _transpose_conv(same: bool) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        height, width, deep = (14, 14, 16) if m.big else (4, 5, 3)
        a, kernel_size, out = m.quantization(), int(m.rng.integers(2, 5)), 8
        more = 0 if same else max(kernel_size - 2, 0)
        size = (1, 2 * height + more, 2 * width + more, out)
        kernel, scales = _kernel(m, (out, kernel_size, kernel_size, deep), out)
        given = [m.numbers(list(size)), kernel, m.input((1, height, width, deep), a)]
        chosen = options("TransposeConvOptions", padding=0 if same else 1, strideH=2, strideW=2)
        result = m.output(size, m.weighted(a[0], scales[0], kernel_size**2 * deep))
        m.graph.op("TRANSPOSE_CONV", [*given, m.biases(a[0], scales)], result, chosen)
        m.graph.codes[-1].version = 3  # with a bias

    return make


def _fully_connected(channels: bool, bias: bool, keep: bool) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        inputs, units, rows = (512, 128, 1) if m.big else (37, 20, 3 if keep else 1)
        a, shape = m.quantization(), (1, rows, inputs) if keep else (rows, inputs)
        values = m.rng.integers(-127, 128, (units, inputs))
        scales = [m.scale(0.002, 0.05, 10) for _ in range(units if channels else 1)]
        kernel = m.graph.tensor((units, inputs), scales, 0, data=values)
        wide = m.dtype == "int16"
        given = [m.input(shape, a), kernel, -1]
        if bias:
            given[2] = m.graph.tensor(
                (units,),
                [a[0] * scale for scale in scales],
                0,
                "int64" if wide else "int32",
                m.rng.integers(-5000, 5000, units),
            )
        result = m.output((*shape[:-1], units), m.weighted(a[0], scales[0], inputs))
        chosen = options("FullyConnectedOptions", keepNumDims=keep)
        m.graph.op("FULLY_CONNECTED", given, result, chosen)

    return make


def _pool(name: str, same: bool) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        (_, height, width, deep), a = m.shape(), m.quantization()
        rows, columns = min(3, height), min(2, width)
        size = [
            -(-n // 2) if same else (n - k) // 2 + 1 for n, k in ((height, rows), (width, columns))
        ]
        chosen = options(
            "Pool2DOptions",
            padding=0 if same else 1,
            strideH=2,
            strideW=2,
            filterHeight=rows,
            filterWidth=columns,
        )
        x = m.input((1, height, width, deep), a)
        m.graph.op(name, [x], m.output((1, *size, deep), a), chosen)

    return make


def _resize(name: str, factor: int, **how: bool) -> Callable[[Maker], None]:
    def make(m: Maker) -> None:
        height, width = (14, 14) if m.big else (3, 5)
        corners, a = how.get("alignCorners", False), m.quantization()
        size = [(n - corners) * factor + corners for n in (height, width)]
        x, out = m.input((1, height, width, 7), a), m.output((1, *size, 7), a)
        kind = "ResizeBilinear" if "BILINEAR" in name else "ResizeNearestNeighbor"
        m.graph.op(name, [x, m.numbers(size)], out, options(f"{kind}Options", **how))

    return make


def reduction(name: str, axes: tuple[int, ...], keep: bool) -> Callable[[Maker], None]:
    """MEAN, SUM, REDUCE_MAX or REDUCE_MIN; the sum so that TFLM rounds once."""

    def make(m: Maker) -> None:
        shape, a = (1, 20, 12, 16) if m.big else (1, 5, 7, 9), m.quantization()
        out: Quantization = a
        if name != "REDUCE_MAX":
            out = a[0] * float(m.rng.uniform(0.5, 0.9) if name == "MEAN" else 1.9), m.zero()
        left = [1 if i in axes else n for i, n in enumerate(shape)]
        if not keep:
            left = [n for i, n in enumerate(shape) if i not in axes]
        given = [m.input(shape, a), m.numbers(list(axes))]
        chosen = options("ReducerOptions", keepDims=keep)
        m.graph.op(name, given, m.output(tuple(left), out), chosen)

    return make


def _arg_max(m: Maker) -> None:
    shape, a = (1, 28, 100) if m.big else (1, 11), m.quantization()
    target = m.graph.output(shape[:-1], 0.0, 0, "int32")
    given = [m.input(shape, a), m.numbers(len(shape) - 1)]
    m.graph.op("ARG_MAX", given, target, options("ArgMaxOptions", outputType=2))


def _batch_matmul(m: Maker) -> None:
    a, b, rows = m.quantization(), m.quantization(), 28 if m.big else 3
    given = [m.input((2, rows, 10), a), m.input((2, 10, 5), b)]
    out = m.output((2, rows, 5), (a[0] * b[0] * 300, m.zero()))
    m.graph.op("BATCH_MATMUL", given, out, options("BatchMatMulOptions", adjX=False, adjY=False))


LAYERS: dict[str, Callable[[Maker], None]] = {
    "CONV_2D": _convolution(False, 1, 1, False),
    "CONV_2D, stride": _convolution(False, 2, 1, False),
    "CONV_2D, dilated": _convolution(False, 1, 2, False),
    "CONV_2D after PAD": _convolution(False, 1, 1, True),
    "DEPTHWISE_CONV_2D": _convolution(True, 1, 1, False),
    "DEPTHWISE_CONV_2D, stride": _convolution(True, 3, 1, False),
    "DEPTHWISE_CONV_2D, dilated": _convolution(True, 1, 2, False),
    "TRANSPOSE_CONV, same": _transpose_conv(True),
    "TRANSPOSE_CONV, valid": _transpose_conv(False),
    "FULLY_CONNECTED": _fully_connected(False, True, False),
    "FULLY_CONNECTED, channels": _fully_connected(True, True, False),
    "FULLY_CONNECTED, no bias": _fully_connected(False, False, False),
    "FULLY_CONNECTED, rows": _fully_connected(False, True, True),
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D", False),
    "AVERAGE_POOL_2D, padded": _pool("AVERAGE_POOL_2D", True),
    "MAX_POOL_2D": _pool("MAX_POOL_2D", False),
    "MAX_POOL_2D, padded": _pool("MAX_POOL_2D", True),
    "RESIZE_BILINEAR": _resize("RESIZE_BILINEAR", 4),
    "RESIZE_BILINEAR, corners": _resize("RESIZE_BILINEAR", 2, alignCorners=True),
    "RESIZE_BILINEAR, half pixel": _resize("RESIZE_BILINEAR", 2, halfPixelCenters=True),
    "RESIZE_NEAREST_NEIGHBOR": _resize("RESIZE_NEAREST_NEIGHBOR", 2),
    "RESIZE_NEAREST_NEIGHBOR, corners": _resize("RESIZE_NEAREST_NEIGHBOR", 4, alignCorners=True),
    "MEAN": reduction("MEAN", (1, 2), False),
    "SUM": reduction("SUM", (1,), True),
    "REDUCE_MAX": reduction("REDUCE_MAX", (3,), True),
    "ARG_MAX": _arg_max,
    "BATCH_MATMUL": _batch_matmul,
}
