"""Files that are cut, changed or made to do harm: one line, and no other exception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from onnx import TensorProto, helper
from onnx_forms.form import behind_gru, w
from onnx_models import made, node

from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx


def _network() -> bytes:
    """A small file with a bit of everything."""
    nodes = [
        node("Squeeze", "g one", "s"),
        node("Transpose", "s", "c", perm=[1, 2, 0]),
        node("Conv", "c k", "v", pads=[1, 1]),
        node("BatchNormalization", "v m a a m", "n"),
        node("Shape", "n", "z"),
        node("Slice", "z zero one", "b"),
        node("Concat", "b rest", "shape", axis=0),
        node("Reshape", "n shape", "f"),
        node("Gemm", "f d", "y"),
    ]
    numbers = {"one": np.array([1]), "zero": np.array([0]), "rest": np.array([-1])}
    weights = {"k": w(2, 4, 3), "m": np.ones(2), "a": np.zeros(2), "d": w(10, 2)}
    return bytes(behind_gru(*nodes, **numbers, **weights).model().SerializeToString())


NETWORK = _network()


def _is_read_or_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    try:
        load_onnx(path)
    except UnspoolError as error:
        assert len(str(error).splitlines()) == 1


def _changed(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    content = bytearray(NETWORK)
    for place in rng.integers(0, len(content), rng.integers(1, 4)):
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content)


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_file_that_is_cut_short(count: int, tmp_path: Path) -> None:
    for length in np.linspace(0, len(NETWORK) - 1, count).astype(int):
        _is_read_or_refused(NETWORK[:length], tmp_path / "model.onnx")


@pytest.mark.filterwarnings("ignore::unspool.errors.UnspoolWarning")
@pytest.mark.parametrize("count", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_file_of_which_bits_are_changed(count: int, tmp_path: Path) -> None:
    for seed in range(count):
        _is_read_or_refused(_changed(seed), tmp_path / "model.onnx")


def test_an_attribute_without_a_type_is_told(tmp_path: Path) -> None:
    model = made(
        [node("Conv", "x w", "y", pads=[1, 1])], {"x": [1, 3, 8]}, ["y"], {"w": w(4, 3, 3)}
    )
    model.graph.node[0].attribute[0].type = 0
    with pytest.raises(UnspoolError, match="node 'conv_of_y': its attribute 'pads' is of no type"):
        load_onnx(onnx_models.saved(model, tmp_path))


def _elsewhere(place: str, in_node: bool = False) -> Any:
    """A Gemm whose weights are said to lie in another file."""
    model = made([node("Gemm", "x w", "y")], {"x": [1, 5]}, ["y"], {"w": w(5, 4)})
    tensor = model.graph.initializer[0]
    if in_node:
        constant = helper.make_node("Constant", [], ["w"], value=tensor)
        del model.graph.initializer[:]
        model.graph.node.insert(0, constant)
        tensor = model.graph.node[0].attribute[0].t
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": place, "offset": "0", "length": "80"}.items():
        tensor.external_data.add(key=key, value=value)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, weights beside it and above it, and links to both."""
    inside = tmp_path / "model"
    (inside / "sub").mkdir(parents=True)
    for place in (tmp_path, inside, inside / "sub"):
        (place / "weights.bin").write_bytes(w(5, 4).tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "weights.bin")
    (inside / "link").symlink_to(tmp_path)
    (inside / "short.bin").write_bytes(b"1234")
    return inside


@pytest.mark.parametrize("place", ["weights.bin", "sub/weights.bin"])
@pytest.mark.parametrize("in_node", [False, True])
def test_weights_beside_the_file(place: str, in_node: bool, folder: Path) -> None:
    loaded = load_onnx(onnx_models.saved(_elsewhere(place, in_node), folder))
    output = loaded([np.ones((1, 5), np.float32)])["y"]
    np.testing.assert_allclose(output, w(5, 4).sum(0, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(
    "place",
    ["../weights.bin", "sub/../../weights.bin", "{above}/weights.bin", "link.bin",
     "link/weights.bin", "none.bin", "short.bin", "", ".", "a\0b", "sub"],
)  # fmt: skip
@pytest.mark.parametrize("in_node", [False, True])
def test_weights_elsewhere_are_refused(place: str, in_node: bool, folder: Path) -> None:
    model = _elsewhere(place.format(above=folder.parent), in_node)
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(model, folder))
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    if ".." in place or "above" in place or "link" in place:
        assert line.startswith("weights 'w' are said to lie in ")


def _graph(name: str) -> Any:
    end = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([node("Relu", "x", name)], "inner", [], [end])


def _one(op: str, reads: str = "x", opset: int = 17, **attributes: Any) -> Callable[[], Any]:
    def model() -> Any:
        alone = node(op, reads, "y", name="it", **attributes)
        inputs = {"x": [1, 3, 5], **({"c": [1]} if "c" in reads else {})}
        return made([alone], inputs, ["y"], opset=opset)

    return model


def _without(field: str) -> Callable[[], Any]:
    def model() -> Any:
        network = made([node("Relu", "x", "y")], {"x": [1, 3, 5]}, ["y"])
        if field == "shape":
            network.graph.input[0].type.tensor_type.ClearField("shape")
        else:
            del getattr(network.graph, field)[:]
        return network

    return model


_NO_FORM = (
    "has no form on the NPU; leave it out of the exported model, or let it be computed before or "
    "behind the network"
)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "loop": (
        _one("Loop", "_ c x", body=_graph("l")),
        "node 'it': a Loop hides the recurrent layer in it; export nn.GRU, nn.LSTM or nn.RNN, not "
        "code with a loop that was scripted",
    ),
    "scan": (
        _one("Scan", "x", body=_graph("l"), num_scan_inputs=1),
        "node 'it': a Scan hides the recurrent layer in it; export nn.GRU, nn.LSTM or nn.RNN, not "
        "code with a loop that was scripted",
    ),
    "if": (
        _one("If", "c", then_branch=_graph("t"), else_branch=_graph("e")),
        "node 'it': If chooses between graphs by a value that is not constant; set the input that "
        "decides (`fixed_inputs`), or export the model without it",
    ),
    "domain": (
        _one("FusedGRU", domain="com.acme"),
        "node 'it': FusedGRU of domain 'com.acme' is not ONNX's own; expected operators of ONNX "
        "alone",
    ),
    "operator": (
        _one("NonMaxSuppression", "x x"), f"node 'it': the operator NonMaxSuppression {_NO_FORM}"
    ),
    "inputs that it does not have": (
        _one("Where", "x x x x"),
        "node 'it': its Where has 4 inputs, expected 3; the file is damaged",
    ),
    "no such operator": (_one("Frobnicate"), f"node 'it': the operator Frobnicate {_NO_FORM}"),
    "old": (
        _one("Add", "x x", opset=6),
        "a file of version 6 of ONNX's operators; expected 7 or later; export it anew "
        "(opset_version)",
    ),
    "no outputs": (_without("output"), "the ONNX graph has no output"),
    "no shape": (
        _without("shape"), "input 'x': the file does not say its shape; export it anew"
    ),
    "no nodes": (
        _without("node"), "output 'y': nothing computes it; the file is damaged"
    ),
    "a mask": (
        lambda: made(
            [node("Dropout", "x", "d mask"), node("Cast", "mask", "y", to=1)],
            {"x": [1, 5]}, ["y"], opset=11,
        ),
        "node 'cast_of_y': its Cast reads 'mask', which is not computed here; read another output",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    make, line = REFUSED[name]
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(make(), tmp_path))
    assert str(caught.value) == line


@pytest.mark.parametrize("name", ["gru", "the_gru", "relu_of_y", "dense", "a/b"])
def test_an_input_may_have_the_name_of_a_node(name: str, tmp_path: Path) -> None:
    gemm = node("Gemm", f"{name} w", "g", name="the_gru")
    other = node("Gemm", "g v", "h", name="dense")
    model = made(
        [gemm, other, node("Relu", "h", "y")], {name: [1, 5]}, ["y"], {"w": w(5, 4), "v": w(4, 3)}
    )
    loaded = load_onnx(onnx_models.saved(model, tmp_path))
    feed = np.ones((1, 5), np.float32)
    np.testing.assert_allclose(loaded([feed])["y"], onnx_models.run(model, {name: feed})["y"], 1e-5)


def test_final_states_alone_stay_outputs(tmp_path: Path) -> None:
    weights = {"W": w(1, 12, 3), "R": w(1, 12, 4)}
    gru = node("GRU", "x W R _ _ h0", "_ h", hidden_size=4)
    model = made([gru], {"x": [5, 1, 3], "h0": [1, 1, 4]}, ["h"], weights)
    with pytest.warns(UnspoolWarning, match="first states are left out"):
        assert list(load_onnx(onnx_models.saved(model, tmp_path)).output) == ["h"]


def test_a_graph_of_many_nodes(tmp_path: Path) -> None:
    nodes = [node("Relu", f"v{n}", f"v{n + 1}") for n in range(1, 600)]
    model = made([node("Relu", "x", "v1"), *nodes], {"x": [1, 5]}, ["v600"])
    _is_read_or_refused(model.SerializeToString(), tmp_path / "model.onnx")
