"""Token ids that pass other nodes on their way into a table: whole numbers all the way."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx_forms.form import w
from onnx_models import made, node

import unspool
from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx

LONG, WHOLE = 7, 6
"""ONNX's numbers of int64 and int32."""

CONSTANTS = {
    **{"t": w(7, 3), "W": w(1, 12, 3), "R": w(1, 12, 4), "flat": np.array([1, 6])},
    **{"first": np.array([0]), "last": np.array([2]), "stop": np.array([4]), "one": np.array(1)},
    **{"axis": np.array([1]), "half": np.float32(0.5)},
}
WAYS: dict[str, tuple[list[Any], tuple[int, ...], str]] = {
    "reshaped": ([node("Reshape", "x flat", "i")], (1, 2, 3), "int64"),
    "squeezed": ([node("Squeeze", "x last", "i")], (1, 6, 1), "int64"),
    "a part": ([node("Slice", "x first stop axis", "i")], (1, 6), "int32"),
    "added to": ([node("Add", "x one", "i")], (1, 6), "int64"),
    "of other numbers": (
        [node("Cast", "x", "c", to=WHOLE), node("Reshape", "c flat", "i")],
        *((1, 2, 3), "int64"),
    ),
    "transposed": (
        [node("Transpose", "x", "c", perm=[0, 2, 1]), node("Reshape", "c flat", "i")],
        *((1, 2, 3), "int64"),
    ),
    "fed as floats": (
        [node("Reshape", "x flat", "c"), node("Cast", "c", "i", to=LONG)],
        *((1, 2, 3), "float32"),
    ),
}
"""How ids come to a table -> nodes, the shape and the type of what is fed."""


def _network(nodes: list[Any], shape: tuple[int, ...], dtype: str) -> Any:
    tail = [
        node("Gather", "t i", "e"),
        node("Transpose", "e", "s", perm=[1, 0, 2]),
        node("GRU", "s W R", "_ h", hidden_size=4),
        node("Squeeze", "h first", "y"),
    ]
    return made([*nodes, *tail], {"x": list(shape)}, ["y"], CONSTANTS, dtypes={"x": dtype})


@pytest.mark.one_in(2)
@pytest.mark.parametrize("way", WAYS)
def test_they_come_as_they_are(way: str, tmp_path: Path) -> None:
    nodes, shape, dtype = WAYS[way]
    model = _network(nodes, shape, dtype)
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    assert "refuse" not in {verdict.action for verdict in unspool.inspect(loaded)}
    ids = np.random.default_rng(0).integers(0, 6, (30, *shape[1:]))
    float_tflite = unspool.convert(unspool.unroll(loaded, allow_cpu=True))
    output = unspool.Session(float_tflite).predict(ids)[0]
    expected = [onnx_models.run(model, {"x": one[None].astype(dtype)})["y"][0] for one in ids]
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    int8 = unspool.quantize(float_tflite, unspool.calibrate(float_tflite, [ids]).ranges)
    rounded = unspool.Session(int8).predict(ids)[0]
    assert np.abs(rounded - output).mean() < 0.02 * np.ptp(output)


def test_those_that_are_computed_are_refused(tmp_path: Path) -> None:
    """In int8, 3 may be stored as 2.99, and cast to 2."""
    nodes = [node("Mul", "x half", "c"), node("Cast", "c", "i", to=LONG)]
    loaded = load_onnx(onnx_models.saved(_network(nodes, (1, 6), "float32"), tmp_path))
    with pytest.raises(UnspoolError, match=r"\(Embedding\): looks up real numbers that are comp"):
        unspool.unroll(loaded, allow_cpu=True)
