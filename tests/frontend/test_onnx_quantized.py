"""Models of onnxruntime's quantization: what rounds tensors becomes their range, and is told."""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx_models
import pytest
from onnx import TensorProto, helper
from onnx_forms.form import w
from onnx_models import made, node

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx

LARGE = {"scale": np.float32(0.02), "zero": np.int8(3), "fine": np.float32(1 / 254)}


def _rounded(name: str, output: str) -> list[Any]:
    return [
        node("QuantizeLinear", f"{name} scale zero", f"{name}_q"),
        node("DequantizeLinear", f"{name}_q scale zero", output),
    ]


def _network(*more: Any, outputs: list[str]) -> Any:
    """A GRU and a Gemm, what goes in and between them rounded; whole numbers for a weight."""
    nodes = [
        *_rounded("x", "x_r"),
        node("GRU", "x_r W R", "_ h", hidden_size=4),
        node("Squeeze", "h first", "s"),
        *_rounded("s", "s_r"),
        node("DequantizeLinear", "d fine", "d_f"),
        node("Gemm", "s_r d_f", "g"),
        *more,
    ]
    whole = np.random.default_rng(0).integers(-127, 128, (4, 2)).astype(np.int8)
    constants = {"W": w(1, 12, 3), "R": w(1, 12, 4), "first": np.array([0]), "d": whole}
    return made(nodes, {"x": [5, 1, 3]}, outputs, {**constants, **LARGE})


def test_pairs_are_ranges_and_told(tmp_path: Path) -> None:
    model = _network(*_rounded("g", "y"), outputs=["y"])
    with pytest.warns(UnspoolWarning, match="^the file rounds 3 tensors .* 3 of them get"):
        loaded = load_onnx(onnx_models.saved(model, tmp_path))
    kinds = [type(layer).__name__ for layer in loaded.layers]
    kinds = [kind for kind in kinds if kind not in ("InputLayer", "Reshape")]
    assert kinds == ["Ranged", "GRU", "Ranged", "Dense", "Ranged"]
    for feed in onnx_models.samples(model):
        exact = onnx_models.run(model, feed)["y"]
        output = onnx_models.answers(loaded, {"x": feed["x"].swapaxes(0, 1)})["y"]
        assert np.abs(output - exact).max() < 0.1  # onnxruntime rounds three times, by 0.01 at most


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("kind", ["INT8", "UINT8", "INT16", "UINT16", "INT4", "UINT4"])
def test_weights_keep_the_values_that_they_were_rounded_to(
    kind: str, axis: int | None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    ends = ml_dtypes.iinfo(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind)))
    whole = rng.integers(ends.min, ends.max + 1, (5, 4))
    sizes = [] if axis is None else [whole.shape[axis]]
    constants = {"s": rng.uniform(0.01, 0.1, sizes)}
    further = {"q": whole, "z": np.full(sizes, (ends.min + ends.max) // 2 + 1)}
    rounding = node("DequantizeLinear", "q s z", "w", **({} if axis is None else {"axis": axis}))
    model = made([rounding, node("MatMul", "x w", "y")], {"x": [1, 5]}, ["y"], constants, 21)
    model.graph.initializer.extend(
        helper.make_tensor(name, getattr(TensorProto, kind), value.shape, value.ravel())
        for name, value in further.items()
    )
    onnx_models.check(model, tmp_path, reference=onnx_models.run_as_it_is)


@pytest.mark.parametrize("op", ["QuantizeLinear", "Reshape"])
def test_whole_numbers_that_come_out_are_refused(op: str, tmp_path: Path) -> None:
    more = [node("QuantizeLinear", "g scale zero", "y" if op == "QuantizeLinear" else "q")]
    if op == "Reshape":
        more.append(node("Reshape", "q first", "y", name="last"))
    with pytest.raises(UnspoolError, match=rf"^node '.*': its {op} takes or gives whole numbers"):
        load_onnx(onnx_models.saved(_network(*more, outputs=["y"]), tmp_path))


@pytest.mark.parametrize(
    ("scale", "zero", "kind"),
    [(0.02, np.int8(-128), "relu"), (6 / 255, np.uint8(0), "relu6"), (0.02, None, "relu")],
)
def test_a_relu_that_a_scale_stands_for_is_written_out(
    scale: float, zero: Any, kind: str, tmp_path: Path
) -> None:
    """onnxruntime's quantizer drops a Relu or a Clip in front of a scale that starts at zero."""
    name = "_" if zero is None else "zero"
    nodes = [
        node("Gemm", "x w", "g"),
        node("QuantizeLinear", f"g scale {name}", "q"),
        node("DequantizeLinear", f"q scale {name}", "r"),
        node("Unsqueeze", "r axis", "u"),
        node("QuantizeLinear", f"u scale {name}", "v"),
        node("DequantizeLinear", f"v scale {name}", "y"),
    ]
    numbers = {"axis": np.array([1]), "scale": np.float32(scale)}
    constants = {"w": 4 * w(5, 4), **numbers, **({} if zero is None else {"zero": zero})}
    model = made(nodes, {"x": [1, 5]}, ["y"], constants)
    with pytest.warns(UnspoolWarning, match="^the file rounds 2 tensors"):
        loaded = load_onnx(onnx_models.saved(model, tmp_path))
    layers = [layer for layer in loaded.layers if type(layer).__name__ == "Activation"]
    assert [layer.activation.__name__ for layer in layers] == [kind]
    for feed in onnx_models.samples(model):
        exact = onnx_models.run(model, feed)["y"][0]
        output = onnx_models.answers(loaded, feed)["y"][0]
        ends = exact < 254 * scale  # what the scale cuts off above is lost
        assert (exact == 0).any() and ends.any()
        assert np.abs(output - exact)[ends].max() < scale
