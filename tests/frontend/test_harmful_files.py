"""Files that ask for more time or memory than a machine has, or for messages of many lines."""

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import ml_dtypes
import numpy as np
import onnx_models
import pytest
from fuzz.seeds import exported
from onnx import TensorProto, helper
from onnx_models import made, node

import unspool
from unspool.errors import UnspoolError
from unspool.frontend.onnx import folding
from unspool.frontend.onnx.graph import MOST
from unspool.frontend.torch.constants import computed
from unspool.frontend.torch.loading import TRANSLATIONS
from unspool.frontend.torch.program import Call, Ref
from unspool.frontend.torch.translation import Translation

HUGE = 2**40


def _refused(path: Path) -> str:
    with pytest.raises(UnspoolError) as caught:
        unspool.load(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1 and len(line) < 1000
    return line


def _doubled() -> Any:
    """Joined with itself sixty times, which no memory holds."""
    nodes = [node("Concat", f"v{n} v{n}", f"v{n + 1}", axis=1) for n in range(60)]
    return made([node("Relu", "x", "v0"), *nodes], {"x": [1, 5]}, ["v60"])


def _behind(*nodes: Any, **constants: Any) -> Any:
    """Nodes that compute "c" of constants, added to an input."""
    return made([*nodes, node("Add", "x c", "y")], {"x": [1, 5]}, ["y"], constants)


def _of_many(op: str, **attributes: Any) -> Any:
    filled = node("ConstantOfShape", "sizes", "f")
    return _behind(filled, node(op, "f", "c", **attributes), sizes=np.array([1, 1, 512, 512]))


def _outer() -> Any:
    """A sum of a column and a row, of a type whose shapes are not inferred."""
    zeros = np.zeros(2**14, ml_dtypes.bfloat16)
    return _behind(node("Add", "a b", "c"), a=zeros[:, None], b=zeros[None])


def _of_open_name(name: str) -> Any:
    return made([node("Relu", "x", "y")], {"x": [1, name, "other"]}, ["y"])


def _of_one(*nodes: Any, outputs: str = "y", **constants: Any) -> Any:
    return made(list(nodes), {"x": [1, 6]}, outputs.split(), constants, opset=18)


ONNX: dict[str, tuple[Callable[[], Any], str]] = {
    "doubled": (_doubled, "a tensor that is too large"),
    "slow": (lambda: _of_many("MaxPool", kernel_shape=[3, 3]), "MaxPool of 262,144 constants"),
    "outer": (_outer, "its Add of constants may be of any size"),
    "a value of two nodes": (
        lambda: _of_one(node("Relu", "x", "y"), node("Neg", "x", "y")),
        "gives 'y', which comes from elsewhere, too",
    ),
    "a value made of itself": (
        lambda: _of_one(
            node("Tile", "t n", "t"), node("Add", "x t", "y"), t=np.ones(6), n=np.ones(1)
        ),
        "gives 't', which comes from elsewhere, too",
    ),
    "more pieces than it says": (  # which ends the process in ONNX's shape inference
        lambda: _of_one(node("Split", "x", "a b c d", axis=1, num_outputs=3), outputs="a b c d"),
        "its Split says that it has 3 outputs, and has 4",
    ),
    "no equation": (  # of which ONNX's shape inference finds no end
        lambda: _of_one(node("Einsum", "x x", "y", equation="bi\0tg,h->t")),
        "is no equation of an Einsum",
    ),
    "lines in a name": (lambda: _of_open_name("a\nb\r\u2028"), r"(1, a\nb\r\u2028, other)"),
    "a long name": (lambda: _of_open_name("x" * 5000), "xx … xx"),
}


@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    model, reason = ONNX[name]
    assert reason in _refused(onnx_models.saved(model(), tmp_path))


def test_constants_that_are_too_many_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "MOST_IN_ALL", 1000)
    filled = [node("ConstantOfShape", "sizes", f"f{n}") for n in range(3)]
    model = _behind(*filled, node("Add", "f0 f0", "c"), sizes=np.array([400]))
    line = _refused(onnx_models.saved(model, tmp_path))
    assert "constants computed so far: (1200,) has 1,200 entries; expected at most 1,000" in line


@pytest.mark.parametrize("length", ["", "-1"])
def test_data_of_another_file_that_is_read_again_and_again(length: str, tmp_path: Path) -> None:
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    with (tmp_path / "weights.bin").open("wb") as sparse:
        sparse.truncate(half)
    model = made([node("Add", "x a", "y")], {"x": [1, 5]}, ["y"], {"a": np.zeros(5)})
    model.graph.initializer.extend([model.graph.initializer[0]] * 2)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
        tensor.external_data.add(key="length", value=length)
    assert "weights read from it have" in _refused(onnx_models.saved(model, tmp_path))


def _program(change: Callable[[str, bytes], bytes], path: Path, packed: int = ZIP_STORED) -> Path:
    """A whole program of which members are changed."""
    source = ZipFile(BytesIO(exported(".pt2")["gru_last.pt2"]))
    with ZipFile(path, "w", packed) as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return path


def test_a_program_that_unpacks_to_far_more_than_it_has(tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        return bytes(MOST + 1) if name.endswith("weight_0") else content

    line = _refused(_program(change, tmp_path / "model.pt2", ZIP_DEFLATED))
    assert "which says that it unpacks to 67," in line


def test_a_member_gives_no_more_than_the_directory_says(tmp_path: Path) -> None:
    """Weights that unpack to more: the sum over all of them is not the directory's either."""
    path = _program(lambda name, content: content, tmp_path / "model.pt2", ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2", content.find(b"weight_0", content.find(b"PK\1\2")) - 200)
    content[at + 24 : at + 28] = (4).to_bytes(4, "little")
    path.write_bytes(content)
    _refused(path)


@pytest.mark.parametrize("strides", [[0, 0], [1, 1]])
def test_weights_of_more_entries_than_they_have_bytes(strides: list[int], tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if not name.endswith("weights_config.json"):
            return content
        tree = json.loads(content)
        meta = next(iter(tree["config"].values()))["tensor_meta"]
        meta["sizes"] = [{"as_int": HUGE}, {"as_int": 2}]
        meta["strides"] = [{"as_int": step} for step in strides]
        return json.dumps(tree).encode()

    line = _refused(_program(change, tmp_path / "model.pt2"))
    assert f"({HUGE}, 2) has {2 * HUGE:,} entries; expected at most {MOST:,}" in line


@pytest.mark.parametrize("size", [HUGE, -2])
def test_tensors_of_sizes_that_nothing_has(size: int, tmp_path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if "/models/" not in name:
            return content
        tree = json.loads(content)
        for meta in tree["graph_module"]["graph"]["tensor_values"].values():
            meta["sizes"] = [{"as_int": size} for _ in meta["sizes"]]
        return json.dumps(tree).encode()

    line = _refused(_program(change, tmp_path / "model.pt2"))
    assert "entries; expected at most" in line or "is below zero" in line


CALLS: dict[str, dict[str, Any]] = {
    "zeros": {"size": [HUGE]},
    "split.Tensor": {"self": Ref("x"), "split_size": 1},
    "chunk": {"self": Ref("x"), "chunks": MOST},
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_that_would_make_too_much(name: str) -> None:
    to = Translation({}, {"x": (MOST,)})
    with pytest.raises(UnspoolError, match=r"entries; expected at most|which are not all"):
        TRANSLATIONS[name](Call(name, CALLS[name], ("y",), ""), to)


def test_constants_joined_and_looked_up_again_and_again() -> None:
    whole = np.broadcast_to(np.float32(0), (MOST,))
    with pytest.raises(UnspoolError, match=r"joins constants: .* entries; expected at most"):
        computed("Concat", [whole, whole], {"axis": 0})
    with pytest.raises(UnspoolError, match=r"looks up: .* entries; expected at most"):
        computed("Gather", [whole[None], np.zeros(2, np.int64)], {"axis": 0})


def test_weights_of_less_than_no_rows(tmp_path: Path) -> None:
    """A Slice of what they are multiplied into, for which ONNX's shape inference ends Python."""
    nodes = [node("MatMul", "x w", "m"), node("Slice", "m zero one zero", "y")]
    numbers = {"zero": np.array([0]), "one": np.array([1])}
    model = made(nodes, {"x": [3, 1, 5]}, ["y"], {"w": np.zeros((3, 5, 2)), **numbers})
    model.graph.initializer[0].dims[0] = -3
    line = _refused(onnx_models.saved(model, tmp_path))
    assert line.endswith("weights 'w' have the shape (-3, 5, 2); the file is damaged")


def test_graphs_in_graphs(tmp_path: Path) -> None:
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(25):
        nested = helper.make_node("If", ["x"], ["n"], then_branch=inner)
        inner = helper.make_graph([nested], "inner", [], [])
    model = made([node("Relu", "x", "y"), *inner.node], {"x": [1, 5]}, ["y"])
    assert "If chooses between graphs" in _refused(onnx_models.saved(model, tmp_path))
