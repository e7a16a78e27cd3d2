"""Every activation of Keras, in layers and in cells: two levels off at most, or refused."""

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.inspection.inspecting import inspect
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll

pytestmark = pytest.mark.usefixtures("computing")
L = keras.layers

SHIPPED = {
    name
    for name, function in vars(keras.activations).items()
    if isinstance(function, FunctionType) and name not in ("get", "serialize", "deserialize")
}
NOT_BY_NAME = {"threshold"}
"""Keras's own layers cannot call it: it wants two arguments more."""

REFUSED = {"log_softmax", "sparsemax"}
IN_LAYERS = sorted(SHIPPED - NOT_BY_NAME - REFUSED)
NOT_IN_CELLS = {*REFUSED, "softmax", "glu"}
"""Functions of a whole row."""
IN_CELLS = sorted(SHIPPED - NOT_BY_NAME - NOT_IN_CELLS)

LAYERS = {
    "PReLU": L.PReLU(alpha_initializer=keras.initializers.Constant(0.3)),
    "LeakyReLU": L.LeakyReLU(0.1),
    "steep LeakyReLU": L.LeakyReLU(1.5),
    "ELU": L.ELU(0.7),
    "steep ELU": L.ELU(1.3),
    "ReLU 6": L.ReLU(6),
    "ReLU 2": L.ReLU(2),
    "ReLU with a slope": L.ReLU(negative_slope=0.2),
    "ReLU with a threshold": L.ReLU(threshold=0.7),
    "ReLU with all three": L.ReLU(2.5, 0.1, 0.5),
    "Softmax": L.Softmax(),
    "a layer as a function": L.Activation(L.LeakyReLU(0.1)),
}


UNROLLED = "a cell"


class Tried:
    """A model of one input and many outputs, quantized.

    Attributes:
        off: output -> what TFLM is off Keras's value, at most, in levels of the output.
        different: outputs of which the NPU gives other bytes than TFLM.
        on_cpu: what does not run on the NPU.
    """

    def __init__(self, outputs: Sequence[str], model: Any, data: np.ndarray, type_: str) -> None:
        float_tflite = convert(unroll(model))
        tflite = quantize(
            float_tflite, calibrate(float_tflite, data, activations=type_).ranges, type_
        )
        session = Session(tflite, "tflm")
        (given,) = session.inputs
        data = given.dequantize(given.quantize(data))  # its rounding is not the activations'
        got, wanted = session.predict(data), model.predict(data, verbose=0)
        compiled = vela.compile(tflite, target())
        simulated = predict(compiled.tflite, [data], "npu")
        self.off = {
            name: float(np.abs(a - b).max() / tensor.scale)
            for name, a, b, tensor in zip(outputs, got, wanted, session.outputs, strict=True)
        }
        self.different = [
            name
            for name, a, b in zip(outputs, got, simulated, strict=True)
            if not np.array_equal(a, b)
        ]
        self.on_cpu = compiled.cpu_operators


def layers(lowest: float, highest: float, type_: str) -> Tried:
    """All of them on one row, as heads, behind a Dense that changes nothing, and as layers."""
    x = keras.Input((1, 16))
    row = L.Reshape((16,))(x)
    heads = {name: L.Activation(name, name=f"alone_{name}")(row) for name in IN_LAYERS}
    heads |= {
        f"Dense, {name}": L.Dense(16, name, use_bias=False, kernel_initializer="identity")(row)
        for name in IN_LAYERS
    }
    heads |= {name: layer(row) for name, layer in LAYERS.items()}
    unrolled = L.SimpleRNN(1)(x)  # without which there is nothing to do
    values = np.linspace(lowest, highest, 256, dtype=np.float32).reshape(16, 1, 16)
    return Tried([*heads, UNROLLED], keras.Model(x, [*heads.values(), unrolled]), values, type_)


@pytest.mark.parametrize(("lowest", "highest"), [(-6.0, 5.0), (-1.0, 2.0)])
def test_layers_are_two_levels_off_at_most(lowest: float, highest: float) -> None:
    tried = layers(lowest, highest, "int8")
    assert tried.on_cpu == ()
    assert tried.different == []
    assert {name: off for name, off in tried.off.items() if off > 2 and name != UNROLLED} == {}


@pytest.mark.slow
def test_layers_in_int16_are_a_third_of_an_int8_level_off() -> None:
    """Exponential grows faster; a jump is spread over the 64 inputs between two knots."""
    tried = layers(-6.0, 5.0, "int16")
    assert tried.on_cpu == ()
    assert set(tried.different) <= {"softmax", "Dense, softmax", "Softmax"}  # Vela's and TFLM's
    level = 257  # of int8, in those of int16
    most = {"exponential": 2 * level, "hard_shrink": 65535, "ReLU with": 65535, UNROLLED: 65535}
    bounds = {n: next((b for part, b in most.items() if part in n), level / 3) for n in tried.off}
    assert {name: off for name, off in tried.off.items() if off > bounds[name]} == {}


def in_cells(**given: tuple[str, ...]) -> Tried:
    """Two steps of each cell with each activation, as the arguments that are given."""
    keras.utils.set_random_seed(3)
    x = keras.Input((2, 4))
    made = {
        f"{cell.__name__}({which}={name})": cell(4, **{which: name})(x)
        for which, cells in given.items()
        for cell in map(L.__dict__.__getitem__, cells)
        for name in IN_CELLS
    }
    values = np.random.default_rng(0).normal(0, 0.7, (32, 2, 4)).astype(np.float32)
    return Tried(list(made), keras.Model(x, list(made.values())), values, "int8")


@pytest.mark.parametrize(
    "given",
    [
        {"activation": ("SimpleRNN",)},
        pytest.param({"activation": ("GRU", "LSTM")}, marks=pytest.mark.slow),
        pytest.param({"recurrent_activation": ("GRU", "LSTM")}, marks=pytest.mark.slow),
    ],
    ids=lambda given: f"{next(iter(given))} of {len(*given.values())}",
)
def test_cells_run_with_them(given: dict[str, tuple[str, ...]]) -> None:
    """With tanh, a cell is up to 5 levels off in two steps: its products are rounded too.

    Factors without bounds are coarser: with gates of silu it is up to 9. Where hard_shrink jumps,
    a value that is rounded across is off by the jump; what soft_shrink leaves of an LSTM's memory
    is a tenth of it, so that one level of the memory is 28 of the output's.
    """
    tried = in_cells(**given)
    assert tried.on_cpu == ()
    assert tried.different == []
    most = {"hard_shrink": 255, "LSTM(activation=soft_shrink": 32}
    bounds = {n: next((b for part, b in most.items() if part in n), 9) for n in tried.off}
    assert {name: off for name, off in tried.off.items() if off > bounds[name]} == {}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_layers_over_classes_are_refused(name: str) -> None:
    x = keras.Input((3, 2))
    for layer in (L.Dense(3, name, name="y"), L.Activation(name, name="y")):
        (_, verdict) = inspect(keras.Model(x, layer(L.GRU(3)(x))))
        assert (verdict.layer, verdict.action) == ("y", "refuse")
        assert verdict.detail == (
            f"activation is {name!r}, which the NPU has no operator for; use softmax, or a linear "
            "layer and do it to the output"
        )


@pytest.mark.parametrize("name", sorted(NOT_IN_CELLS))
@pytest.mark.parametrize("which", ["activation", "recurrent_activation"])
def test_cells_that_look_at_a_whole_row_are_refused(name: str, which: str) -> None:
    layer = L.LSTM(4, name="y", **{which: name})
    (verdict,) = inspect(keras.Sequential([keras.Input((3, 2)), layer]))
    assert (verdict.layer, verdict.action) == ("y", "refuse")
    assert verdict.detail == (
        f"{which} is {name!r}, which has no form in a cell; use one of celu, elu, exponential, "
        "gelu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid, "
        "mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softplus, softsign, sparse_plus, "
        "sparse_sigmoid, squareplus, tanh, tanh_shrink"
    )
