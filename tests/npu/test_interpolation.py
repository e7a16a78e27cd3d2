"""Lookup tables of 16-bit values, and the int16 softmax that is made of two of them."""

from __future__ import annotations

import dataclasses
import math

import models
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Graph, options

from unspool.errors import UnspoolError
from unspool.npu import Program, load, run
from unspool.npu.arithmetic import Rounding
from unspool.npu.decoder import decode
from unspool.npu.descriptors import Element, Output
from unspool.npu.lookup import look_up, table_bytes

WIDE = Element(2, True)


def _output(element: Element, clip: int = 0) -> Output:
    return Output(element, 0, None, Rounding.TFL, -32768, 32767, clip, 0, None)


def _pack(points: np.ndarray) -> bytes:
    """513 points as Vela packs them: base below, slope above."""
    slopes = np.diff(points)
    return ((points[:-1] & 0xFFFF) | (slopes & 0xFFFF) << 16).astype("<u4").tobytes()


@settings(max_examples=30)
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 14))
def test_interpolation(seed: int, spread: int) -> None:
    """As `LUTLookup` of TensorFlow Lite defines it, for all 65,536 values."""
    rng = np.random.default_rng(seed)
    points = rng.integers(-spread, spread + 1, 513)
    values = np.arange(-32768, 32768)
    index, offset = 256 + (values >> 7), values & 0x7F
    slope = points[index + 1] - points[index]
    expected = points[index] + ((slope * offset + 64) >> 7)
    output = look_up(values, -32768, 32767, _pack(points), _output(WIDE))
    assert output.dtype == np.int16
    np.testing.assert_array_equal(output, expected)


def test_sizes_and_refusals() -> None:
    assert [table_bytes(_output(Element(n, True))) for n in (1, 2, 4)] == [256, 2048, 1024]
    values = np.arange(-128, 128)
    with pytest.raises(UnspoolError, match=r"from values of \[-128, 127\] to <i2"):
        look_up(values, -128, 127, bytes(2048), _output(WIDE, 3))
    steep = np.full(512, 0x7FFF7FFF, "<u4").tobytes()  # from 32767 upwards
    assert look_up(np.array([128]), -32768, 32767, steep, _output(WIDE)).tolist() == [32767]
    with pytest.raises(UnspoolError, match="interpolates to more than 16 bits"):
        look_up(np.array([129]), -32768, 32767, steep, _output(WIDE))
    with pytest.raises(UnspoolError, match="a lookup table from values"):
        look_up(values, 0, 65535, bytes(2048), _output(Element(2, False)))


def _softmax(classes: int, scale: float, rows: int) -> bytes:
    graph = Graph()
    x = graph.input((rows, classes), scale, 0, "int16")
    out = graph.output((rows, classes), 1 / 32768, 0, "int16")
    graph.op("SOFTMAX", [x], out, options("SoftmaxOptions", beta=1.0))
    return graph.build()


def _reciprocals(dtype: type) -> np.ndarray:
    """1 / (1 + x) for x in [0, 1], 513 points: `LUTPopulateInt16` of TensorFlow Lite."""
    one, two = dtype(1), dtype(2)
    last = one / dtype(65535) * dtype(65535)
    step, inverse = last / dtype(512), dtype(65536) / (two / dtype(65535) * dtype(65535))

    def curve(x: object) -> object:
        return one / (one + x)

    points = []
    for i in range(512):
        at = dtype(i) * step
        sample = _rounded(curve(at) * inverse)
        chord = _rounded((curve(dtype(i + 1) * step) * inverse + dtype(sample)) / two)
        error = chord - _rounded(curve(at + step / two) * inverse)
        points.append(sample - _rounded(dtype(error) / two))
    return np.minimum([*points, _rounded(curve(last) * inverse)], 32767)


def _rounded(value: object) -> int:
    real = float(value)  # type: ignore[arg-type]
    return int(math.copysign(math.floor(abs(real) + 0.5), real))


def _with_reciprocals(program: Program, points: np.ndarray) -> Program:
    """The program with another table in the place of its last one."""
    places = [op.registers["DMA0_SRC"] for op in decode(program.stream) if op.kind == "DMA_START"]
    data, at = program.read_only, places[-1]
    assert data[at : at + 2048] == _pack(_reciprocals(float)), "not where it was expected"
    return dataclasses.replace(program, read_only=data[:at] + _pack(points) + data[at + 2048 :])


def test_the_tables_of_reciprocals() -> None:
    """TFLM computes its table in float32, Vela's was computed in float64: two points differ."""
    difference = _reciprocals(np.float32) - _reciprocals(float)
    assert np.flatnonzero(difference).tolist() == [160, 294]
    assert difference[[160, 294]].tolist() == [-1, 1]


@pytest.mark.parametrize("classes", [1, 2, 3, 5, 10, 17, 33, 64, 100])
def test_softmax(classes: int) -> None:
    """Vela's bytes are TFLM's once those two points are: nothing else in the stream differs."""
    rng = np.random.default_rng(classes)
    for target in ("ethos-u55-32", "ethos-u65-512"):
        scale, rows = float(np.float32(math.exp(rng.uniform(-12, -5.6)))), int(rng.integers(1, 3))
        model = _softmax(classes, scale, rows)
        shape = (400, classes) if rows == 1 else (400, rows, classes)
        spread = rng.uniform(0, 1, (400,) + (1,) * (len(shape) - 1))
        x = (rng.integers(-32768, 32768, shape) * spread).astype(np.int16)
        (expected,) = models.tflm(model, [x])
        program = load(models.vela(model, target))
        (same,) = run(_with_reciprocals(program, _reciprocals(np.float32)), [x])
        np.testing.assert_array_equal(same, expected)
        (output,) = run(program, [x])
        assert np.abs(output.astype(int) - expected).max() <= 1
        assert (output != expected).mean() < 0.005
