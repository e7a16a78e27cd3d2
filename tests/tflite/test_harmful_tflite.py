"""Damaged .tflite files are refused in one line, whatever reads them, before memory is taken."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from unspool.errors import UnspoolError
from unspool.tflite import flatbuffer
from unspool.tflite.signature import Signature


def _set(path: str, value: Any) -> Callable[[Any], None]:
    """Sets what lies at a path, such as "subgraphs.0.tensors.2.buffer"."""

    def change(model: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            model = model[int(step)] if step.isdigit() else getattr(model, step)
        if last.isdigit():
            model[int(last)] = value
        else:
            setattr(model, last, value)

    return change


_GRAPH, _TENSOR, _OPERATOR = "subgraphs.0", "subgraphs.0.tensors.1", "subgraphs.0.operators.0"

DAMAGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "no graph": (_set("subgraphs", []), "has no graph"),
    "no buffers": (_set("buffers", []), "index 0 is out of bounds"),
    "an input of no tensor": (_set(f"{_GRAPH}.inputs.0", 9999), "tensor 9999, but there are"),
    "an output of no tensor": (_set(f"{_GRAPH}.outputs.0", -1), "tensor -1, but there are"),
    "an operator of no code": (_set(f"{_OPERATOR}.opcodeIndex", 77), "code 77, but there are"),
    "an operator reads no tensor": (_set(f"{_OPERATOR}.inputs.0", -2), "tensor -2, but there are"),
    "an operator writes no tensor": (_set(f"{_OPERATOR}.outputs.0", 999), "operator 0 of graph 0"),
    "an operator reads what it writes": (
        lambda model: (
            model.subgraphs[0].operators[0].inputs.extend(model.subgraphs[0].operators[0].outputs)
        ),
        "reads what it or a later one writes",
    ),
    "a tensor of no buffer": (_set(f"{_TENSOR}.buffer", 12345), "index 12345 is out of bounds"),
    "a type": (_set(f"{_TENSOR}.type", 99), "has the type 99"),
    "a shape below zero": (_set(f"{_TENSOR}.shape", [-3]), r"has the shape \(-3,\)"),
    "a shape of terabytes": (_set(f"{_TENSOR}.shape", [2**30, 2**30]), "has the shape"),
    "an input of far too many steps": (
        _set("subgraphs.0.tensors.0.shape", [1, 2**27 + 1, 5]),
        r"operator \d+ of graph 0 makes \(.*\) of \(1, 134217729, 5\): expected \d+ values",
    ),
    "a constant of another size": (
        _set(f"{_TENSOR}.shape", [1]),
        "16 bytes, expected 4",
    ),
    "a name": (_set(f"{_TENSOR}.name", b"\xff\xfe"), "not UTF-8"),
    "the name of a code": (_set("operatorCodes.0.customCode", b"\xff"), "not UTF-8"),
    "an endless scale": (_set(f"{_TENSOR}.quantization.scale", [np.inf]), "has a scale that is"),
    "scales without zeros": (_set(f"{_TENSOR}.quantization.zeroPoint", []), "other zero points"),
    "metadata of no buffer": (_set("metadata.0.buffer", 4242), "index 4242 is out of bounds"),
    "a signature of no graph": (_set("signatureDefs.0.subgraphIndex", 7), "graph 7, but there"),
    "a signature of no tensor": (
        _set("signatureDefs.0.inputs.0.tensorIndex", 8888),
        "a signature has tensor 8888",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_says_what_is_wrong(name: str, int8_tflite: bytes) -> None:
    change, message = DAMAGES[name]
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    assert model.buffers[model.subgraphs[0].tensors[1].buffer].data is not None
    change(model)
    with pytest.raises(UnspoolError, match=message):
        flatbuffer.look(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


@pytest.mark.parametrize("kept", [0, 4, 7, 20, 1000])
def test_a_file_that_ends_early(kept: int, int8_tflite: bytes) -> None:
    with pytest.raises(UnspoolError, match=r"not a \.tflite file|is corrupt"):
        flatbuffer.look(int8_tflite[:kept])


def test_lists_that_are_left_out_are_empty(int8_tflite: bytes) -> None:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    graph = model.subgraphs[0]
    graph.inputs = graph.outputs = graph.operators[0].inputs = graph.tensors[0].shape = None
    read = flatbuffer.look(bytes(flatbuffer_utils.convert_object_to_bytearray(model))).subgraphs[0]
    assert [read.inputs, read.outputs, read.operators[0].inputs] == [[], [], []]


def test_a_sequence_that_has_no_time_steps(int8_tflite: bytes) -> None:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [5]
    graph.tensors[graph.inputs[0]].shapeSignature = [-1]  # known when it runs
    read = Signature(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    with pytest.raises(UnspoolError, match=r"has the shape \(2, 7, 5\), expected \(samples, \)"):
        read.check(np.zeros((2, 7, 5), np.float32))


def test_a_name_that_a_signature_leaves_out_is_the_tensors(int8_tflite: bytes) -> None:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    model.signatureDefs[0].inputs[0].name = None
    read = Signature(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    graph = model.subgraphs[0]
    assert read.inputs[0].name == graph.tensors[graph.inputs[0]].name.decode()


def test_a_graph_that_is_listed_again_and_again(int8_tflite: bytes) -> None:
    """Of 100 kB, it would be 20,000 graphs of a hundred tensors each."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    builder = flatbuffers.Builder()
    lists = [_listed(builder, [model.subgraphs[0].Pack(builder)] * 20_000)]
    for parts in (model.buffers, model.operatorCodes):
        lists.append(_listed(builder, [part.Pack(builder) for part in parts]))
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, lists[0])
    schema.ModelAddBuffers(builder, lists[1])
    schema.ModelAddOperatorCodes(builder, lists[2])
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(UnspoolError, match="to the same again and again"):
        flatbuffer.look(bytes(builder.Output()))


def _listed(builder: Any, offsets: list[int]) -> Any:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def test_buffers_behind_the_flatbuffer_that_share_their_bytes(int8_tflite: bytes) -> None:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(int8_tflite))
    for buffer in model.buffers:
        buffer.data, buffer.offset, buffer.size = None, 2, len(int8_tflite) // 2
    with pytest.raises(UnspoolError, match="share their bytes"):
        flatbuffer.look(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
