"""Constants of ONNX graphs: what is computed when a file is read, and what is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_forms.form import w
from onnx_models import made, node

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx
from unspool.frontend.onnx.reading import Piece


def _flattened() -> Any:
    """Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as PyTorch writes `x.view(len(x), -1)`."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n axes", "m"),
        node("Concat", "m rest", "shape", axis=0),
        node("Reshape", "x shape", "flat"),
        node("MatMul", "flat w", "y"),
    ]
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "w": w(15, 2)}
    return made(nodes, {"x": ["batch", 3, 5]}, ["y"], constants)


def _halves() -> Any:
    """A Slice to half of an axis, by Shape, Size and Div."""
    nodes = [
        node("Shape", "x", "s", start=2),
        node("Size", "s", "one"),
        node("Div", "s two", "half"),
        node("Add", "half one", "stop"),
        node("Slice", "x zero stop axes", "y"),
    ]
    constants = {"two": np.array([2]), "zero": np.array([0]), "axes": np.array([2])}
    return made(nodes, {"x": [1, 3, 6]}, ["y"], constants)


def _filled() -> Any:
    """Weights of ConstantOfShape, Range, Expand, Cast and Transpose."""
    nodes = [
        node("ConstantOfShape", "size", "ones", value=numpy_helper.from_array(np.ones(1, "f"))),
        node("Range", "zero five step", "r"),
        node("Cast", "r", "f", to=TensorProto.FLOAT),
        node("Expand", "f size", "e"),
        node("Add", "ones e", "sum"),
        node("Transpose", "sum", "t"),
        node("MatMul", "x t", "y"),
    ]
    numbers = {"size": np.array([4, 5]), "zero": np.array(0), "five": np.array(5)}
    return made(nodes, {"x": [1, 3, 5]}, ["y"], {**numbers, "step": np.array(1)})


def _branch(name: str, *nodes: Any, output: str) -> Any:
    end = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), name, [], [end])


def _choice(condition: Any, first: str = "a", second: str = "b") -> Any:
    """An If between x twice and x squared, as PyTorch writes `x.squeeze(1)`."""
    one = node(
        "If",
        "c",
        "y",
        name="the_if",
        then_branch=_branch("then", node("Add", "x x", first), output=first),
        else_branch=_branch("else", node("Mul", "x x", second), output=second),
    )
    return made([*condition, one], {"x": [1, 3, 5]}, ["y"], {"three": np.array(3)})


_THIRD = [
    node("Shape", "x", "s"),
    node("Constant", "", "one", value_int=1),
    node("Gather", "s one", "n"),
    node("Equal", "n three", "c"),
]
_FOURTH = [*_THIRD[:3], node("Less", "n three", "c")]

FOLDED: dict[str, Callable[[], Any]] = {
    "flattened": _flattened,
    "halves": _halves,
    "filled": _filled,
    "then": lambda: _choice(_THIRD),
    "else": lambda: _choice(_FOURTH),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_needs_no_sample_is_computed(name: str, tmp_path: Path) -> None:
    onnx_models.check(FOLDED[name](), tmp_path)


def _growing(op: str, *sizes: Any) -> Any:
    """An operator of constants, multiplied first so that nothing is told of them before."""
    constants = {f"c{n}": np.asarray(size) for n, size in enumerate(sizes)}
    names = " ".join(constants)
    nodes = [
        node("Mul", "half two", "c0"),
        node(op, names, "big", name="big"),
        node("Cast", "big", "f", to=1),
        node("Add", "x f", "y"),
    ]
    first = constants.pop("c0")
    constants |= {"half": first // 2, "two": np.array(2)}
    return made(nodes, {"x": [1, 3, 5]}, ["y"], constants)


HUGE = 10**12
GROWING = {
    "ConstantOfShape": (_growing("ConstantOfShape", [HUGE]), "1,000,000,000,000"),
    "of two sizes": (_growing("ConstantOfShape", [10**6, 10**6]), "1,000,000,000,000"),
    "Range": (_growing("Range", 0, HUGE, 1), "1,000,000,000,000"),
    "Expand": (_growing("Expand", [2], [HUGE]), "1,000,000,000,000"),
    "Tile": (_growing("Tile", [2], [HUGE]), "1,000,000,000,000"),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_constant_too_large_is_refused_before_it_is_made(name: str, tmp_path: Path) -> None:
    model, entries = GROWING[name]
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(model, tmp_path))
    assert str(caught.value) == (
        f"node 'big': would compute a constant of {entries} entries; expected at most 67,108,864"
    )


def test_an_input_too_large_is_refused(tmp_path: Path) -> None:
    model = made([node("Relu", "x", "y")], {"x": [1, 10**6, 10**6]}, ["y"])
    with pytest.raises(UnspoolError, match=r"^input 'x': .* has 1,000,000,000,000 entries; exp"):
        load_onnx(onnx_models.saved(model, tmp_path))


def test_a_branch_with_the_name_of_another_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnspoolError, match=r"^node 'the_if': 'n' in the branch of the If is the"):
        load_onnx(onnx_models.saved(_choice(_THIRD, first="n"), tmp_path))


def _decided() -> Any:
    """An If that a rate decides, fed as an input of one number."""
    return made(
        [
            node("Equal", "rate usual", "c"),
            node(
                "If",
                "c",
                "y",
                name="the_if",
                then_branch=_branch("then", node("Add", "x x", "a"), output="a"),
                else_branch=_branch("else", node("Mul", "x x", "b"), output="b"),
            ),
        ],
        {"x": [1, 3, 5], "rate": []},
        ["y"],
        {"usual": np.array(16_000)},
        dtypes={"rate": "int64"},
    )


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_an_input_that_is_set_decides_an_if(rate: int, tmp_path: Path) -> None:
    model = _decided()
    loaded = load_onnx(onnx_models.saved(model, tmp_path), Piece(given={"rate": rate}))
    assert [tensor.name for tensor in loaded.inputs] == ["x"]
    x = np.random.default_rng(0).normal(0, 1, (1, 3, 5)).astype(np.float32)
    expected = onnx_models.run(model, {"x": x, "rate": np.array(rate)})["y"]
    np.testing.assert_allclose(loaded({"x": x})["y"], expected, rtol=1e-6)


NOT_SET: dict[str, tuple[dict[str, float], str]] = {
    "nothing": (
        {},
        r"^node 'the_if': If chooses .*; set the input that decides",
    ),
    "another": ({"sr": 8_000}, r"^'sr' is set to 8000; expected one of the inputs 'x', 'rate'$"),
    "many": (
        {"x": 1},
        r"^'x' is set to 1, but has the shape \(1, 3, 5\); expected an input of one",
    ),
}


@pytest.mark.parametrize("name", NOT_SET)
def test_what_cannot_be_set_is_told(name: str, tmp_path: Path) -> None:
    given, line = NOT_SET[name]
    with pytest.raises(UnspoolError, match=line):
        load_onnx(onnx_models.saved(_decided(), tmp_path), Piece(given=given))
