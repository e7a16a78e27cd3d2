"""Causal convolutions as PyTorch writes them: channels in front of time, the last outputs cut off.

What is expected is what onnxruntime computes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx_forms.form import w
from onnx_models import node

import unspool
from unspool import Options, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx
from unspool.frontend.time_first import time_first
from unspool.support._tensorflow import keras

STEPS, CHANNELS = 24, 4


def _network(
    pads: tuple[int, int] = (4, 4),
    cut: tuple[int, int, int, int] = (0, -4, 2, 1),
    stride: int = 1,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
) -> Any:
    """A convolution, the piece of it, and a second one behind a ReLU."""
    start, stop, axis, step = cut
    kinds = {"strides": [stride], "dilations": [3 - stride], "pads": list(pads), "name": "first"}
    nodes = [node("Conv", "x k b", "c", **kinds)]
    if opset < 10:
        nodes.append(node("Slice", "c", "s", starts=[start], ends=[stop], axes=[axis]))
    else:
        nodes.append(node("Slice", "c start stop axis step", "s"))
    nodes += [node("Relu", "s", "r"), node("Conv", "r k2", "y", name="second")]
    constants = {"k": w(5, CHANNELS, 3), "b": w(5), "k2": w(3, 5, 1)}
    named = {"start": start, "stop": stop, "axis": axis, "step": step}
    constants |= {name: np.array([number]) for name, number in named.items()}
    inputs: dict[str, list[int | str]] = {"x": [1, CHANNELS, STEPS]}
    return onnx_models.made(nodes, inputs, outputs, constants, opset)


FORMS: dict[str, tuple[Any, tuple[int, int] | None]] = {
    "all that is padded": (_network(), (4, 0)),
    "some of it": (_network(cut=(0, -3, 2, 1)), (4, 1)),
    "by a negative axis": (_network(cut=(0, -4, -1, 1)), (4, 0)),
    "attributes": (_network(opset=9), (4, 0)),
    "more than is padded": (_network(cut=(0, -5, 2, 1)), None),
    "in front": (_network(cut=(4, 99, 2, 1)), None),
    "at both ends": (_network(cut=(2, -2, 2, 1)), None),
    "channels": (_network(cut=(0, 5, 1, 1)), None),
    "every second": (_network(cut=(0, -4, 2, 2)), None),
    "strides": (_network(stride=2), None),
    "read by others": (_network(outputs=("y", "c")), None),
}
"""A network, and the zeros that are left around its sequences; None where it stays as it is."""


@pytest.mark.parametrize("name", FORMS)
def test_what_is_cut_off_is_not_padded(name: str, tmp_path: Path) -> None:
    network, zeros = FORMS[name]
    model = load_onnx(onnx_models.saved(network, tmp_path))
    padding = next(layer.padding for layer in model.layers if hasattr(layer, "padding"))
    if zeros:
        assert padding == zeros
        assert not any(type(layer).__name__ == "GetItem" for layer in model.layers)
    onnx_models.check(network, tmp_path)


def _data(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (count, CHANNELS, STEPS)).astype(np.float32)


def _expected(network: Any, data: np.ndarray) -> np.ndarray:
    """(samples, 3, steps)"""
    return np.stack([onnx_models.run(network, {"x": sample[None]})["y"][0] for sample in data])


TOLD = r"(input 'x': .* \(24, 4\) in place of \(4, 24\)|output 'y': .* \(24, 3\) in place of)"


@pytest.mark.one_in(2)
@pytest.mark.parametrize("way", ["a stream", "calls"])
def test_it_is_fed_step_by_step(way: str, tmp_path: Path) -> None:
    network, data = _network(), _data(40)
    model = load_onnx(onnx_models.saved(network, tmp_path))
    labels = _expected(network, data)
    given: dict[str, Any] = {"test": (data, {"y": labels}), "options": Options(remedy_seconds=0)}
    with pytest.warns(UnspoolWarning, match=TOLD):
        if way == "calls":
            done = unspool.deploy(model, data, steps_per_call=3, **given)
        else:
            done = unspool.deploy_stream(model, data, time_steps=3, **given)
    assert len(done.warnings) == 2, "the input and the output"
    assert done.compiled.cpu_operators == ()
    assert done.simulation is not None and done.simulation.equal == 40
    steps_first = data.swapaxes(1, 2)
    (output,) = unspool.Session(done.float_tflite).predict(steps_first)
    np.testing.assert_allclose(output, labels.swapaxes(1, 2), atol=1e-5)
    errors = [each.rmse for each in done.measured.regressions]
    assert errors and max(errors) < 0.05 * np.ptp(labels)


def _images() -> Any:
    """A convolution over (time, frequency) of one channel, zeros in front of time, and a GRU."""
    nodes = [
        node("Pad", "x zeros none", "p"),
        node("Conv", "p k", "c", pads=[0, 1, 0, 1]),
        node("Relu", "c", "r"),
        node("Transpose", "r", "t", perm=[2, 0, 1, 3]),
        node("Reshape", "t rows", "s"),
        node("GRU", "s W R", "h", hidden_size=3),
        node("Squeeze", "h one", "y"),
    ]
    constants = {"k": w(4, 1, 5, 3), "W": w(1, 9, 4 * CHANNELS), "R": w(1, 9, 3), "none": 0.0}
    constants |= {"zeros": np.array([0, 0, 4, 0, 0, 0, 0, 0]), "one": np.array([1])}
    constants |= {"rows": np.array([STEPS, 1, 4 * CHANNELS])}
    inputs: dict[str, list[int | str]] = {"x": [1, 1, STEPS, CHANNELS]}
    return onnx_models.made(nodes, inputs, ["y"], constants)


def test_an_axis_of_one_channel_stands_in_front_of_time(tmp_path: Path) -> None:
    network = _images()
    data = np.random.default_rng(0).normal(0, 1, (40, 1, STEPS, CHANNELS)).astype(np.float32)
    model = load_onnx(onnx_models.saved(network, tmp_path))
    with pytest.warns(UnspoolWarning, match=r"input 'x': .* in place of \(1, 24, 4\)"):
        done = unspool.deploy_stream(model, data, time_steps=2, options=Options(remedy_seconds=0))
    assert done.simulation is not None and done.simulation.equal == 40
    (output,) = unspool.Session(done.float_tflite).predict(data.reshape(40, STEPS, CHANNELS, -1))
    expected = [onnx_models.run(network, {"x": sample[None]})["y"][:, 0] for sample in data]
    np.testing.assert_allclose(output.reshape(40, STEPS, 3), expected, atol=1e-5)


def test_a_frame_keeps_the_order_of_its_axes() -> None:
    """An image for each time step, its channels moved behind its rows."""
    x = keras.Input((None, 3, 8))
    y = keras.layers.TimeDistributed(keras.layers.Flatten())(keras.layers.Permute((1, 3, 2))(x))
    model = keras.Model(x, keras.layers.GRU(3)(y))
    assert time_first(model).model is model


def test_what_reads_an_input_in_its_own_order_keeps_it() -> None:
    x = keras.Input((CHANNELS, STEPS))
    turned = keras.layers.Permute((2, 1))(x)
    both = [keras.layers.GRU(3)(turned), keras.layers.Flatten()(x)]
    model = keras.Model(x, keras.layers.Concatenate()(both))
    assert time_first(model).model is model


def test_an_input_that_is_an_output_too_keeps_its_order() -> None:
    x = keras.Input((CHANNELS, STEPS))
    turned = keras.layers.Permute((2, 1))(x)
    model = keras.Model(x, [keras.layers.GRU(3)(turned), x])
    assert time_first(model).model is model
