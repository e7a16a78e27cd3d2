"""Calls of ATen's operators, one at a time: what onnxruntime makes of the nodes that are written.

What is expected is what PyTorch 2.13 gave.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from unspool.errors import UnspoolError
from unspool.frontend.torch.loading import TRANSLATIONS
from unspool.frontend.torch.program import Call, Ref
from unspool.frontend.torch.rounding import REFUSED
from unspool.frontend.torch.translation import Translation

X = np.array([[[1, -2, 3], [0.5, 4, -1]]])
SELF, ROW = {"self": Ref("x")}, np.array([1, 2, -1], np.float32)
CALLS: dict[str, tuple[str, dict[str, Any], tuple[int, ...], list[float]]] = {
    "square": ("square", SELF, (1, 2, 3), [1, 4, 9, 0.25, 16, 1]),
    "norm": (
        *("linalg_vector_norm", {**SELF, "dim": [-1], "keepdim": True}, (1, 2, 1)),
        [3.74166, 4.15331],
    ),
    "norm of magnitudes": (
        *("linalg_vector_norm", {**SELF, "ord": 1, "dim": [1]}, (1, 3)),
        [1.5, 6, 4],
    ),
    "rms_norm": (
        *(
            "rms_norm",
            {"input": Ref("x"), "normalized_shape": [3], "weight": Ref("w"), "eps": 1e-5},
        ),
        *((1, 2, 3), [0.46291, -1.85164, -1.38873, 0.20851, 3.33623, 0.41703]),
    ),
    "rms_norm without weights": (
        *("rms_norm", {"input": Ref("x"), "normalized_shape": [3], "weight": None}, (1, 2, 3)),
        [0.46291, -0.92582, 1.38873, 0.20851, 1.66812, -0.41703],
    ),
    "var": ("var.dim", {**SELF, "dim": [1]}, (1, 3), [0.125, 18, 8]),
    "std": (
        *("std.correction", {**SELF, "dim": [-1], "correction": 0, "keepdim": True}, (1, 2, 1)),
        [2.0548, 2.09497],
    ),
    "addcmul": (
        *("addcmul", {**SELF, "tensor1": Ref("x"), "tensor2": Ref("x"), "value": 0.5}, (1, 2, 3)),
        [1.5, 0, 7.5, 0.625, 12, -0.5],
    ),
    "lerp": (
        *("lerp.Scalar", {**SELF, "end": Ref("squares"), "weight": 0.25}, (1, 2, 3)),
        [1, -0.5, 4.5, 0.4375, 7, -0.5],
    ),
    "swapaxes": (
        *("swapaxes", {**SELF, "axis0": 1, "axis1": 2}, (1, 3, 2)),
        [1, 0.5, -2, 4, 3, -1],
    ),
    "mT": ("mT", SELF, (1, 3, 2), [1, 0.5, -2, 4, 3, -1]),
    "movedim": (
        *("movedim.int", {**SELF, "source": 0, "destination": -1}, (2, 3, 1)),
        [1, -2, 3, 0.5, 4, -1],
    ),
    "unflatten": (
        *("unflatten.int", {**SELF, "dim": 2, "sizes": [3, 1]}, (1, 2, 3, 1)),
        [1, -2, 3, 0.5, 4, -1],
    ),
    "tile": (
        *("tile", {**SELF, "dims": [2]}, (1, 2, 6)),
        [1, -2, 3, 1, -2, 3, 0.5, 4, -1, 0.5, 4, -1],
    ),
    "narrow": (
        *("narrow", {**SELF, "dim": 2, "start": 1, "length": 2}, (1, 2, 2)),
        [-2, 3, 4, -1],
    ),
    "flip": ("flip", {**SELF, "dims": [1, 2]}, (1, 2, 3), [-1, 4, 0.5, 3, -2, 1]),
    "rsub": ("rsub.Scalar", {**SELF, "other": 3, "alpha": 2}, (1, 2, 3), [1, 7, -3, 2, -5, 5]),
    "max": ("max.dim", {**SELF, "dim": 1}, (1, 3), [1, 4, 3]),
    "glu": ("glu", {"self": Ref("x"), "dim": 1}, (1, 1, 3), [0.622459, -1.964028, 0.806824]),
    "einsum": (
        *("einsum", {"tensors": [Ref("x"), Ref("w")], "equation": "btc, c -> bt"}, (1, 2)),
        [-6, 9.5],
    ),
    "fake_quantize": (
        "fake_quantize_per_tensor_affine",
        {**SELF, "scale": 0.6, "zero_point": 2, "quant_min": -128, "quant_max": 127},
        *((1, 2, 3), [1.2, -1.8, 3, 0.6, 4.2, -1.2]),
    ),
    "fake_quantize to 12 numbers": (
        "fake_quantize_per_tensor_affine",
        {**SELF, "scale": 0.6, "zero_point": 2, "quant_min": -4, "quant_max": 7},
        *((1, 2, 3), [1.2, -1.8, 3, 0.6, 3, -1.2]),
    ),
    "fake_quantize of channels": (
        "fake_quantize_per_channel_affine",
        {
            **{**SELF, "scale": Ref("steps"), "zero_point": Ref("zeros"), "axis": 2},
            **{"quant_min": -128, "quant_max": 127},
        },
        *((1, 2, 3), [1, -2, 3, 0.5, 4, -0.75]),
    ),
}
"""Operator, arguments, and the shape and the values of what comes out."""


@pytest.mark.parametrize("name", CALLS)
def test_a_call_computes_what_pytorch_does(name: str) -> None:
    target, arguments, shape, expected = CALLS[name]
    constants = {"w": ROW, "squares": (X * X).astype(np.float32)}
    constants |= {"steps": np.array([0.5, 1, 0.75], "f"), "zeros": np.array([0, 3, -2], np.int32)}
    to = Translation(constants, {"x": X.shape})
    TRANSLATIONS[target](Call(target, arguments, ("y", "places"), ""), to)
    output = _computed(to, X)
    assert output.shape == shape
    np.testing.assert_allclose(output.ravel(), expected, rtol=1e-4)


def test_a_slope_of_a_channel_is_that_of_the_axis_behind_the_batch() -> None:
    """Three channels of three steps: the axes cannot be told apart by their sizes."""
    slopes = np.array([0.1, 0.2, 0.4], np.float32)
    to = Translation({"w": slopes}, {"x": (1, 3, 3)})
    TRANSLATIONS["prelu"](Call("prelu", {"self": Ref("x"), "weight": Ref("w")}, ("y",), ""), to)
    output = _computed(to, -np.ones((1, 3, 3)))
    np.testing.assert_array_equal(output, -slopes[None, :, None].repeat(3, 2))


NARROW = {"quant_min": -127, "quant_max": 127}


def test_what_is_rounded_may_be_taken_back_later() -> None:
    """As PyTorch 2.13 does both with these numbers: 4 is beyond the last of them."""
    to = Translation({}, {"x": X.shape})
    scale = {"scale": 0.025, "zero_point": 0, **NARROW}
    for name, source, out in (("quantize", "x", "q"), ("dequantize", "q", "y")):
        target = f"quantized_decomposed.{name}_per_tensor"
        TRANSLATIONS[target](Call(target, {"input": Ref(source), **scale}, (out,), ""), to)
    np.testing.assert_allclose(_computed(to, X).ravel(), [1, -2, 3, 0.5, 3.175, -1], rtol=1e-6)


def test_weights_are_rounded_beforehand() -> None:
    weights = {"w": np.array([[0.3, -1.2], [0.5, 0.24]], "f"), "s": np.array([0.01, 0.1], "f")}
    to = Translation({**weights, "z": np.array([0, 1], np.int64)}, {})
    scale = {"scales": Ref("s"), "zero_points": Ref("z"), "axis": 0, **NARROW}
    for name, source, out in (("quantize", "w", "q"), ("dequantize", "q", "y")):
        target = f"quantized_decomposed.{name}_per_channel"
        TRANSLATIONS[target](Call(target, {"input": Ref(source), **scale}, (out,), ""), to)
    assert to.nodes == []
    np.testing.assert_array_equal(to.constants["q"], [[30, -120], [6, 3]])
    np.testing.assert_allclose(to.constants["y"], [[0.3, -1.2], [0.5, 0.2]], rtol=1e-6)


def test_weights_may_be_directions_and_lengths() -> None:
    """A row of (3, 4) is 5 long, one of (0, 2) is 2 long."""
    to = Translation({"v": np.array([[3, 4], [0, 2]], "f"), "g": np.array([[10], [1]], "f")}, {})
    arguments = {"v": Ref("v"), "g": Ref("g"), "dim": 0}
    TRANSLATIONS["_weight_norm"](Call("_weight_norm", arguments, ("y",), ""), to)
    np.testing.assert_allclose(to.constants["y"], [[6, 8], [0, 1]], rtol=1e-6)


def test_ranges_that_each_sample_has_for_itself_are_refused() -> None:
    given = {"input": Ref("x"), "scale": Ref("s"), "zero_point": Ref("z"), **NARROW}
    call = Call("choose_qparams", given, ("y",), "")
    for name in ("choose_qparams.tensor", "quantize_per_tensor.tensor"):
        with pytest.raises(UnspoolError, match="quantize with fixed"):
            (TRANSLATIONS | REFUSED)[f"quantized_decomposed.{name}"](call, Translation({}, {}))


def test_whole_numbers_are_of_so_many_bits() -> None:
    call = Call(
        "", {"self": Ref("x"), "scale": 1.0, "quant_min": 0, "quant_max": 2**40}, ("y",), ""
    )
    with pytest.raises(UnspoolError, match="to whole numbers from 0 to 1099511627776; expected 8"):
        TRANSLATIONS["fake_quantize_per_tensor_affine"](call, Translation({}, {"x": (1,)}))


def _computed(to: Translation, x: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of nodes that were written, for an input `x`."""
    nodes = [onnx.helper.make_node(n.op, n.inputs, n.outputs, **n.attributes) for n in to.nodes]
    kinds = [("x", x.shape), ("y", None)]
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in kinds]
    weights = [onnx.numpy_helper.from_array(value, name) for name, value in to.constants.items()]
    graph = onnx.helper.make_graph(nodes, "alone", ends[:1], ends[1:], weights)
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"x": x.astype(np.float32)})[0])


ELUS: list[tuple[tuple[float, ...], list[str], list[float]]] = [
    ((1.0,), ["Elu"], [-0.864665, -0.393469, 0, 0.5, 2]),
    ((0.5, 2.0), ["Elu", "Mul"], [-0.864665, -0.393469, 0, 1, 4]),
    ((2.0, 1.0, 0.5), ["Mul", "Elu", "Mul"], [-1.264241, -0.442398, 0, 0.5, 2]),
    ((0.5, 3.0, 2.0), ["Mul", "Elu", "Mul"], [-1.472527, -0.948181, 0, 1.5, 6]),
    (
        (1.6732632423543772, 1.0507009873554805),
        ["Selu"],
        [-1.520167, -0.691758, 0, 0.525351, 2.101402],
    ),
]
"""Alpha, scale and input_scale; the operators written; what PyTorch 2.13 gave."""


@pytest.mark.parametrize(("arguments", "ops", "expected"), ELUS)
def test_an_elu_has_scales(
    arguments: tuple[float, ...], ops: list[str], expected: list[float]
) -> None:
    to = Translation({}, {"x": (5,)})
    given = dict(zip(("alpha", "scale", "input_scale"), arguments, strict=False))
    TRANSLATIONS["elu"](Call("elu", {"self": Ref("x"), **given}, ("y",), ""), to)
    assert [node.op for node in to.nodes] == ops
    output = _computed(to, np.array([-2, -0.5, 0, 0.5, 2]))
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


def test_places_of_the_largest_are_refused() -> None:
    call = Call("max.dim", {"self": Ref("x"), "dim": 1}, ("y", "places"), "")
    with pytest.raises(UnspoolError, match=r"^gives the places of what it finds, too"):
        TRANSLATIONS["max.dim"](call, Translation({}, {"x": (1, 3)}, read=frozenset({"places"})))


@pytest.mark.parametrize("name", ["batch_norm", "group_norm", "instance_norm", "layer_norm"])
def test_a_normalization_may_have_no_weights(name: str) -> None:
    """As torch.nn's have with affine=False; two channels of two numbers, 1, 3, -1 and 5."""
    to = Translation({"m": np.zeros(2, "f"), "v": np.full(2, 4, "f")}, {"x": (1, 2, 2)})
    given: dict[str, Any] = {"input": Ref("x"), "weight": None, "bias": None, "eps": 0.0}
    given |= {"running_mean": Ref("m"), "running_var": Ref("v")}
    given |= {"normalized_shape": [2], "num_groups": 2}
    TRANSLATIONS[name](Call(name, given, ("y",), ""), to)
    output = _computed(to, np.array([[[1.0, 3.0], [-1.0, 5.0]]]))
    by_deviation = name != "batch_norm"  # 2 is the mean, and 1 or 3 the deviation
    expected = [[-1, 1], [-1, 1]] if by_deviation else [[0.5, 1.5], [-0.5, 2.5]]
    np.testing.assert_allclose(output[0], expected, rtol=1e-4)


def test_a_mean_with_a_divisor_of_its_own_is_refused() -> None:
    arguments = {"self": Ref("x"), "kernel_size": [2, 2], "divisor_override": 3}
    with pytest.raises(UnspoolError, match=r"^divides by divisor_override=3, which has no form"):
        TRANSLATIONS["avg_pool2d"](
            Call("avg_pool2d", arguments, ("y",), ""), Translation({}, {"x": (1, 2, 4, 4)})
        )
