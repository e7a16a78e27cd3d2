"""Operators that Vela compiles wrongly: told of a file that Unspool did not make."""

import warnings
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import unspool
from unspool import UnspoolWarning
from unspool.compilation.miscompiled import miscompiled
from unspool.support._tensorflow import keras, tf
from unspool.tflite import flatbuffer, rewriting

FEATURES, STEPS = 5, 12


class Stacked(keras.layers.Layer):  # type: ignore[misc]
    """Columns put together, along one axis or another."""

    def __init__(self, axis: int, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}

    def call(self, x: Any) -> Any:
        return tf.stack([x[:, :, 1], x[:, :, 0], x[:, :, 3]], axis=self.axis)


class Summed(keras.layers.Layer):  # type: ignore[misc]
    """TensorFlow's own SUM, over two axes."""

    def call(self, x: Any) -> Any:
        return tf.reduce_sum(x, axis=(1, 2), keepdims=True)


class Mirrored(keras.layers.Layer):  # type: ignore[misc]
    """TensorFlow's own MIRROR_PAD, by another way than keras.ops.pad."""

    def call(self, x: Any) -> Any:
        return tf.pad(x, [[0, 0], [2, 1], [0, 0]], mode="REFLECT")


def _foreign(layer: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, np.ndarray]:
    """An int8 file with TensorFlow's own operators, and samples."""
    monkeypatch.setattr(rewriting, "rewrite", lambda model: None)
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, [keras.layers.Conv1D(3, 2)(layer(x)), keras.layers.GRU(2)(x)])
    data = np.random.default_rng(0).normal(size=(20, STEPS, FEATURES)).astype(np.float32)
    tflite = unspool.convert(unspool.unroll(model))
    return unspool.quantize(tflite, unspool.calibrate(tflite, data).ranges), data


def _messages(tflite: bytes, target: str) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        unspool.compile(tflite, unspool.target(target))
    return [str(warning.message) for warning in caught if warning.category is UnspoolWarning]


@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u65-256"])
def test_a_stack_of_columns_is_told_and_indeed_wrong(
    accelerator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tflite, data = _foreign(Stacked(-1), monkeypatch)
    (message,) = _messages(tflite, accelerator)
    assert message.startswith("operator PACK ") and "beyond its memory" in message
    target = unspool.target(accelerator, memory_mode="Sram_Only")  # others have room to spare
    with pytest.warns(UnspoolWarning):
        binary = unspool.compile(tflite, target).tflite
    with pytest.raises(unspool.UnspoolError, match="outside the"):
        unspool.Session(binary, "npu").predict(data)


def test_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    tflite, _ = _foreign(Stacked(1), monkeypatch)
    assert _messages(tflite, "ethos-u55-128") == []
    tflite, _ = _foreign(Stacked(-1), monkeypatch)
    assert _messages(tflite, "ethos-u85-256") == []


def test_a_mirror_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tflite, data = _foreign(Mirrored(), monkeypatch)
    (message,) = _messages(tflite, "ethos-u55-128")
    assert message.startswith("operator MIRROR_PAD ")
    with pytest.warns(UnspoolWarning):
        binary = unspool.compile(tflite, unspool.target()).tflite
    expected = unspool.Session(tflite, "tflm").predict(data)
    outputs = unspool.Session(binary, "npu").predict(data)
    assert any((a != b).any() for a, b in zip(expected, outputs, strict=True))


def test_a_sum_over_two_axes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "rewrite", lambda model: None)
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, [Summed()(x), keras.layers.GRU(2)(x)])
    tflite = unspool.convert(unspool.unroll(model))
    data = np.ones((9, STEPS, FEATURES), np.float32)
    quantized = unspool.quantize(tflite, unspool.calibrate(tflite, data).ranges)
    (message,) = _messages(quantized, "ethos-u55-128")
    assert message.startswith("operator SUM ") and "sums the first alone" in message


@pytest.mark.parametrize(("axis", "count"), [(-1, 1), (2, 1), (1, 0)])
def test_a_maximum_over_the_last_axis_is_told(
    axis: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours writes one: a sum is made another operator."""
    monkeypatch.setattr(rewriting, "rewrite", lambda model: None)
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, [Summed()(x), keras.layers.GRU(2)(x)])
    tflite = unspool.convert(unspool.unroll(model))
    data = np.ones((9, STEPS, FEATURES), np.float32)
    file = flatbuffer.read(unspool.quantize(tflite, unspool.calibrate(tflite, data).ranges))
    graph = file.subgraphs[0]
    kinds = [flatbuffer.operator_kind(file, op) for op in graph.operators]
    op = graph.operators[kinds.index("SUM")]
    axes = graph.tensors[op.inputs[1]]
    axes.shape, file.buffers[axes.buffer].data = [1], np.array([axis], np.int32).view(np.uint8)
    flatbuffer.become(file, op, "REDUCE_MAX", schema.ReducerOptionsT())
    messages = miscompiled(flatbuffer.write(file), unspool.target())
    assert len(messages) == count and all("goes over the last axis" in text for text in messages)
