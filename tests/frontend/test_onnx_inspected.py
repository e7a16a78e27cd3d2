"""Every node of a file, and what became of it: `origins`, and the table that `inspect` prints.

What is expected is written by hand, from the files' graphs.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnx
import onnx_models
import pytest
import slow
import torch_archive
from commands import unspool
from onnx_forms.form import Form, w
from onnx_forms.shapes import ints
from onnx_models import made, node
from test_onnx_constants import FOLDED
from test_onnx_quantized import LARGE

import unspool as library
from unspool import Origin, origins

NAMES = [name for name in torch_archive.names() if not name.endswith(".npz") and name[:4] != "fed."]
QUICK = ("carried.dynamo.onnx", "lstm_both_hidden.script.onnx", "rnn_tanh.dynamo.onnx", "step.pt2")

pytestmark = pytest.mark.filterwarnings("ignore::unspool.UnspoolWarning")

MOVES = "moves values, computes nothing"
ROLLED = "its steps, rolled up"
FIRST = "its first state, which starts at zero"
FINAL = "a final state, left out: a stream keeps it (`states`)"
ROUNDED = "its rounding is left out: the calibration data chooses a range"
UNREAD = "no output depends on it"
BEFORE = "in front of what is fed (`from_tensor`)"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return torch_archive.unpacked(tmp_path_factory.mktemp("torch"))


def _rows(node_origins: tuple[Origin, ...]) -> list[tuple[str, str, str, str]]:
    return [(each.node, each.op, " ".join(each.layers), each.note) for each in node_origins]


def _of(model: Any, folder: Path, **options: Any) -> list[tuple[str, str, str, str]]:
    return _rows(origins(library.load(onnx_models.saved(model, folder), **options)))


OF_TORCH = {
    "gru_last.dynamo.onnx": [
        ("node_Transpose_6", "Transpose", "", MOVES),
        ("node_gru__1", "GRU", "rnn", ""),
        ("node_Transpose_45", "Transpose", "", MOVES),
        ("node_Reshape_58", "Reshape", "", MOVES),
        ("node_gru__0", "Transpose", "", MOVES),
        ("node_select", "Gather", "", MOVES),
        ("node_linear", "Gemm", "head", ""),
    ],
    "stateful.dynamo.onnx": [
        ("node_MatMul_1", "MatMul", "inner", "part of it"),
        ("node_linear", "Add", "inner", ""),
        ("node_relu", "Relu", "node_relu", ""),
        ("node_Transpose_2", "Transpose", "", MOVES),
        ("node_Slice_6", "Slice", "rnn", FIRST),
        ("node_GRU_41", "GRU", "rnn", ""),
        ("node_Transpose_42", "Transpose", "", MOVES),
        ("node_Reshape_55", "Reshape", "", MOVES),
        ("node_Slice_56", "Slice", "rnn_1", FIRST),
        ("node_GRU_89", "GRU", "rnn_1", ""),
        ("node_Transpose_90", "Transpose", "", MOVES),
        ("node_Reshape_100", "Reshape", "", MOVES),
        ("node_gru__1", "Concat", "", FINAL),
        ("node_gru__0", "Transpose", "", MOVES),
        ("node_MatMul_102", "MatMul", "head", "part of it"),
        ("node_linear_1", "Add", "head", ""),
        ("node_sigmoid", "Sigmoid", "node_sigmoid", ""),
    ],
    "stateful.pt2": [
        ("linear", "aten.linear", "inner", ""),
        ("relu", "aten.relu", "relu", ""),
        ("gru", "aten.gru.input", "rnn rnn_1", ""),
        ("linear_1", "aten.linear", "head", ""),
        ("sigmoid", "aten.sigmoid", "sigmoid", ""),
    ],
    "carried.pt2": [
        ("unbind", "aten.unbind.int", "cell", ROLLED),
        *((f"lstm_cell{n}", "aten.lstm_cell", "cell", ROLLED)
          for n in ("", *(f"_{n}" for n in range(1, 16)))),
        ("linear", "aten.linear", "head", ""),
    ],
}  # fmt: skip
"""File -> its nodes: name, operator, layers, note."""


@pytest.mark.parametrize("name", OF_TORCH)
def test_each_node_of_pytorchs_files_has_its_layers(files: Path, name: str) -> None:
    assert _rows(origins(library.load(files / name))) == OF_TORCH[name]


def _in_file(path: Path) -> list[str]:
    """The names of a file's nodes, read with onnx alone, or from the JSON in a .pt2."""
    if path.suffix == ".onnx":
        return [node.name or node.output[0] for node in onnx.load(str(path)).graph.node]
    with ZipFile(path) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith("models/model.json"))
        graph = json.loads(archive.read(member))["graph_module"]["graph"]
    return [node["name"] for node in graph["nodes"]]


@pytest.mark.parametrize("name", slow.unless(QUICK, NAMES))
def test_every_node_is_there_once_in_the_files_order(files: Path, name: str) -> None:
    model = library.load(files / name)
    node_origins = [each for each in origins(model) if each.op != "output"]
    assert [each.node for each in node_origins] == _in_file(files / name)
    layers = {layer for each in origins(model) for layer in each.layers}
    inputs = {tensor.name for tensor in model.inputs}
    assert layers == {operation.name for operation in model.operations} - inputs


def test_steps_that_a_file_writes_out_are_all_of_the_layer(files: Path) -> None:
    """16 steps of an LSTM, a dozen nodes each, and a Gemm behind them."""
    node_origins = origins(library.load(files / "carried.dynamo.onnx"))
    steps = [each for each in node_origins if each.layers == ("cell",)]
    assert Counter(each.op for each in steps)["Sigmoid"] == 3 * 16
    assert {each.note for each in steps} == {ROLLED}
    (last,) = (each for each in node_origins if each.layers == ("head",))
    assert last.op == "Gemm"


def test_constants_are_no_layers(tmp_path: Path) -> None:
    *constant, moved, product = _of(FOLDED["flattened"](), tmp_path)
    assert constant == [
        ("shape_of_s", "Shape", "", "constant"),
        ("gather_of_n", "Gather", "", "constant"),
        ("unsqueeze_of_m", "Unsqueeze", "", "constant"),
        ("concat_of_shape", "Concat", "", "constant"),
    ]
    assert moved == ("reshape_of_flat", "Reshape", "", MOVES)
    assert product[:2] == ("matmul_of_y", "MatMul") and product[2].endswith(" matmul_of_y")


@pytest.mark.parametrize(
    ("name", "op", "kind"), [("then", "Add", "add"), ("else", "Mul", "multiply")]
)
def test_the_branch_that_an_if_takes_stands_in_front_of_it(
    name: str, op: str, kind: str, tmp_path: Path
) -> None:
    *constant, inner, choice = _of(FOLDED[name](), tmp_path)
    assert {note for *_, note in constant} == {"constant"}
    assert inner[1] == op and re.fullmatch(rf"{kind}(_\d+)?", inner[2])
    assert choice == ("the_if", "If", "", f"its {name}_branch is taken")


def test_what_rounds_is_a_range_or_left_out(tmp_path: Path) -> None:
    """A ReLU that the second scale stands for, which starts at zero, is a layer again."""
    nodes = [
        node("QuantizeLinear", "x each zeros", "p", axis=1),
        node("DequantizeLinear", "p each zeros", "s", axis=1),
        node("Tanh", "s", "n"),
        node("QuantizeLinear", "n scale zero", "q"),
        node("DequantizeLinear", "q scale zero", "r"),
        node("DequantizeLinear", "w fine", "k"),
        node("Gemm", "r k", "g"),
        node("QuantizeLinear", "g scale least", "h", name="cut"),
        node("DequantizeLinear", "h scale least", "y"),
    ]
    whole = (40 * w(5, 4)).astype(np.int8)
    scales = {"each": np.full(5, 0.1, np.float32), "zeros": np.zeros(5, np.int8), **LARGE}
    constants = {"w": whole, "least": np.int8(-128), **scales}
    assert _of(made(nodes, {"x": [1, 5]}, ["y"], constants), tmp_path) == [
        ("quantizelinear_of_p", "QuantizeLinear", "", ROUNDED),
        ("dequantizelinear_of_s", "DequantizeLinear", "", ROUNDED),
        ("tanh_of_n", "Tanh", "tanh_of_n", ""),
        ("quantizelinear_of_q", "QuantizeLinear", "n_range", ""),
        ("dequantizelinear_of_r", "DequantizeLinear", "n_range", ""),
        ("dequantizelinear_of_k", "DequantizeLinear", "", "constant"),
        ("gemm_of_g", "Gemm", "gemm_of_g", ""),
        ("cut", "QuantizeLinear", "cut", ""),
        ("dequantizelinear_of_y", "DequantizeLinear", "h_range", ""),
    ]


def test_what_no_output_depends_on_is_told(tmp_path: Path) -> None:
    """A node that nothing reads, and one of which a Slice takes nothing."""
    nodes = [
        node("Tanh", "x", "t"),
        node("Sigmoid", "t", "alone"),
        node("Exp", "t", "e"),
        node("Concat", "t e", "both", axis=2),
        node("Slice", "both zero five axes", "y"),
    ]
    form = Form(nodes, constants={"zero": ints(0), "five": ints(5), "axes": ints(2)})
    assert _of(form.model(), tmp_path) == [
        ("tanh_of_t", "Tanh", "tanh_of_t", ""),
        ("sigmoid_of_alone", "Sigmoid", "", UNREAD),
        ("exp_of_e", "Exp", "", UNREAD),
        ("concat_of_both", "Concat", "", MOVES),
        ("slice_of_y", "Slice", "", MOVES),
    ]


def test_what_nothing_but_the_shape_of_is_read_is_told(tmp_path: Path) -> None:
    nodes = [
        node("Exp", "x", "e"),
        node("Shape", "e", "s"),
        node("Reshape", "x s", "r"),
        node("Tanh", "r", "y"),
    ]
    assert _of(made(nodes, {"x": [1, 3, 5]}, ["y"]), tmp_path) == [
        ("exp_of_e", "Exp", "", UNREAD),
        ("shape_of_s", "Shape", "", "constant"),
        ("reshape_of_r", "Reshape", "", MOVES),
        ("tanh_of_y", "Tanh", "tanh_of_y", ""),
    ]


def test_a_piece_of_a_file_lists_what_lies_outside_of_it(tmp_path: Path) -> None:
    nodes = [node(op, *ends) for op, *ends in (
        ("Tanh", "x", "a"), ("Sigmoid", "a", "b"), ("Relu", "b", "c"), ("Neg", "c", "y"),
    )]  # fmt: skip
    model = made(nodes, {"x": [1, 3, 5]}, ["y"])
    assert _of(model, tmp_path, from_tensor="b", to_tensor="c") == [
        ("tanh_of_a", "Tanh", "", BEFORE),
        ("sigmoid_of_b", "Sigmoid", "", BEFORE),
        ("relu_of_c", "Relu", "relu_of_c", ""),
        ("neg_of_y", "Neg", "", UNREAD),
    ]


def test_an_outputs_own_order_of_axes_is_a_row_behind_the_nodes(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "y")]
    model = made(nodes, {"x": [1, 3, 9]}, ["y"], {"w": w(2, 3, 3)})
    conv, output = origins(library.load(onnx_models.saved(model, tmp_path)))
    assert conv.layers[-1] == "conv_of_y"
    assert (output.node, output.op) == ("y", "output") and output.note
    assert [re.sub(r"_\d+", "", layer) for layer in output.layers] == ["permute"]


def test_other_models_have_no_nodes() -> None:
    from unspool.support._tensorflow import keras

    assert origins(keras.Sequential([keras.Input((3, 2)), keras.layers.GRU(2)])) == ()


def _printed(text: str) -> list[list[str]]:
    """The cells of a printed table, its head first: columns are two blanks apart or more."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return cells[next(n for n, row in enumerate(cells) if row[0] == "Node") :]


def test_the_command_prints_the_nodes(files: Path) -> None:
    run = unspool("inspect", files / "stateful.pt2")
    assert run.returncode == 0, run.stderr
    head, *rows = _printed(run.stdout)
    assert head == ["Node", "Operator", "What it becomes", "Runs on", "Detail"]
    assert rows == [
        ["linear", "aten.linear", "inner (Dense): keep", "NPU"],
        ["relu", "aten.relu", "relu (Activation): keep", "NPU"],
        ["gru", "aten.gru.input", "rnn (GRU): unroll, rnn_1 (GRU): unroll", "NPU"],
        ["linear_1", "aten.linear", "head (Dense): keep", "NPU"],
        ["sigmoid", "aten.sigmoid", "sigmoid (Activation): keep", "NPU"],
    ]


def test_the_command_says_what_does_not_run_on_the_npu(tmp_path: Path) -> None:
    """A lookup of ids, an operator that TFLM has no form of, and a name that is no mark-up."""
    nodes = [
        node("Gather", "table ids", "e"),
        node("Einsum", "e w", "f", equation="bti,ih->bth", name="[red]\x1b[2J"),
        node("Identity", "f", "g"),
        node("Erf", "g", "y"),
    ]
    table = {"table": w(9, 3), "w": w(3, 4)}
    model = made(nodes, {"ids": [1, 5]}, ["y"], table, dtypes={"ids": "int64"})
    run = unspool("inspect", onnx_models.saved(model, tmp_path))
    assert run.returncode == 0, run.stderr
    lookup, named, same, error = _cells(run.stdout)
    assert lookup[:2] == ["gather_of_e", "Gather"] and lookup[3] == "CPU"
    assert named[0] == r"[red]\x1b[2J" and named[3] == "NPU"
    assert same[2:] == ["-", "nothing", MOVES]
    assert error[2].endswith("(Erf): refuse") and error[3] == "refused"
    assert error[4].startswith("TensorFlow's converter does not take it: no LiteRT form for Erf")


def _cells(text: str) -> Iterator[list[str]]:
    """The rows of a printed table without those that a long cell goes on in."""
    for row in _printed(text)[1:]:
        if len(row) >= 4:
            yield row
