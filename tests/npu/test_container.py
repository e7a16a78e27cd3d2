"""The container: what a Vela file holds, and which files are refused."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable

import flatbuffers
import foreign
import models
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import Graph, options

from unspool.errors import UnspoolError
from unspool.npu import load, run


def _small() -> bytes:
    graph = Graph()
    inputs = [graph.input((1, 2, 3, 8), 0.02, 3), graph.input((1, 2, 3, 8), 0.05, -7)]
    graph.op("ADD", inputs, graph.output((1, 2, 3, 8), 0.06, 1), options("AddOptions"))
    return graph.build()


@pytest.mark.parametrize(
    ("target", "macs", "shram_kib", "cores"),
    [
        ("ethos-u55-32", 32, 16, 1),
        ("ethos-u55-64", 64, 16, 1),
        ("ethos-u55-128", 128, 24, 1),
        ("ethos-u55-256", 256, 48, 1),
        ("ethos-u65-256", 256, 48, 1),
        ("ethos-u65-512", 512, 96, 2),
    ],
)
def test_config(target: str, macs: int, shram_kib: int, cores: int) -> None:
    config = load(models.vela(_small(), target)).config
    assert config.name == target
    assert (config.macs, config.shram_kib, config.cores) == (macs, shram_kib, cores)


def test_inputs_and_outputs() -> None:
    program = load(models.vela(_small()))
    first, second = program.inputs
    assert (first.name, first.shape, first.dtype) == ("t0", (1, 2, 3, 8), "int8")
    assert first.scale == pytest.approx(0.02) and first.zero_point == 3
    assert second.scale == pytest.approx(0.05) and second.zero_point == -7
    assert [t.name for t in program.outputs] == ["t2"]
    assert all(0 <= t.offset <= program.scratch_size - 2 * 3 * 8 for t in program.inputs)
    assert program.fast_size is None


def test_dedicated_sram_has_a_region_of_its_own() -> None:
    program = load(models.vela(_small(), "ethos-u65-256", "Dedicated_Sram"))
    assert program.fast_size is not None


def _edit(data: bytes, change: Callable[[schema.ModelT], object]) -> bytes:
    """Unpack a model, let `change` edit it, pack it again."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _payload(model: schema.ModelT, **words: int) -> None:
    """Overwrite words w0, w1 ... of the command stream tensor."""
    graph = model.subgraphs[0]
    buffer = model.buffers[graph.tensors[graph.operators[0].inputs[0]].buffer]
    raw = bytearray(bytes(buffer.data))
    for name, value in words.items():
        struct.pack_into("<I", raw, 4 * int(name[1:]), value)
    buffer.data = np.frombuffer(bytes(raw), np.uint8)


def _cut_payload(model: schema.ModelT) -> None:
    graph = model.subgraphs[0]
    buffer = model.buffers[graph.tensors[graph.operators[0].inputs[0]].buffer]
    buffer.data = buffer.data[:-8]


def _second_operator(model: schema.ModelT) -> None:
    model.subgraphs[0].operators.append(model.subgraphs[0].operators[0])


def _scratch(model: schema.ModelT, size: int) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].inputs[2]].shape = [size]


def _no_metadata(model: schema.ModelT) -> None:
    model.metadata = []


def _huge_output(model: schema.ModelT) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].shape = [1, 1 << 30, 1 << 30, 1 << 30]


REFUSED = {
    "CPU operator": (models.add_cpu_operator, r"1 operator stays on the CPU \(SOFTMAX\)"),
    "second operator": (_second_operator, "2 ethos-u operators, expected 1"),
    "no fourcc": (lambda m: _payload(m, w0=0), "expected b'COP1'"),
    "Ethos-U85": (lambda m: _payload(m, w2=0x20003008), "the stream is for ethos-u85"),
    "odd config": (lambda m: _payload(m, w2=0x1009), "ethos-u55 with 512 MACs and 16 KiB"),
    "driver action": (lambda m: _payload(m, w1=7), "unknown driver action 7 in word 1"),
    "truncated": (_cut_payload, "the payload is truncated"),
    "small scratch": (lambda m: _scratch(m, 16), "outside the scratch tensor of 16 bytes"),
    "huge scratch": (lambda m: _scratch(m, (1 << 31) - 1), "scratch tensor has 2147483647 bytes"),
    "negative scratch": (lambda m: _scratch(m, -5), "scratch tensor has -5 bytes"),
    "no offsets": (_no_metadata, "no OfflineMemoryAllocation metadata"),
    "huge output": (_huge_output, "outside the scratch tensor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    change, message = REFUSED[name]
    with pytest.raises(UnspoolError, match=message):
        load(_edit(models.vela(_small()), change))


def test_a_variable_tensor_stays_in_its_place() -> None:
    """Each value of a state has a tensor; one that lies elsewhere would be lost."""
    data = models.vela(foreign.files()["stream_int8"])
    state, cell = load(data).variables
    assert (state.shape, state.dtype, cell.shape, cell.dtype) == ((1, 8), "int8", (1, 8), "int16")

    def move(model: schema.ModelT) -> None:
        graph = model.subgraphs[0]
        kept = [i for i in graph.operators[0].outputs if graph.tensors[i].isVariable]
        named = {entry.name.rstrip(b"\0"): entry.buffer for entry in model.metadata}
        plan = model.buffers[named[b"OfflineMemoryAllocation"]]
        offsets = np.array(plan.data, np.uint8).view(np.int32)
        offsets[3 + kept[-1]] += 64
        plan.data = offsets.view(np.uint8)

    with pytest.raises(UnspoolError, match=r"variable tensor 'tfl.* is written at byte \d+, exp"):
        load(_edit(data, move))


def test_not_compiled() -> None:
    with pytest.raises(UnspoolError, match="not compiled by Vela"):
        load(_small())


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4", b"\0" * 64, b"\xff\xff\xff\x7fTFL3" + b"\xff" * 64]
)
def test_not_a_model(data: bytes) -> None:
    with pytest.raises(UnspoolError, match=r"not a TFL3 FlatBuffer|the file is damaged"):
        load(data)


def test_repacking_changes_nothing() -> None:
    """The refusals above come from the edits, not from packing the file again."""
    data = models.vela(_small())
    assert load(_edit(data, lambda model: None)) == load(data)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([np.zeros((4, 2, 3, 8), np.int8)], "1 inputs given, expected 2"),
        ([np.zeros((4, 2, 3, 8), np.int8), np.zeros((3, 2, 3, 8), np.int8)], "input 't1' is int8"),
        ([np.zeros((4, 2, 3, 8), np.uint8)] * 2, r"uint8 \(4, 2, 3, 8\), expected int8"),
        ([np.zeros((4, 3, 2, 8), np.int8)] * 2, r"\(4, 3, 2, 8\), expected int8 \(4, 2, 3, 8\)"),
    ],
)
def test_inputs_that_do_not_fit(inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        run(load(models.vela(_small())), inputs)


def test_no_samples() -> None:
    (result,) = run(load(models.vela(_small())), [np.zeros((0, 2, 3, 8), np.int8)] * 2)
    assert result.shape == (0, 2, 3, 8)


def test_too_much_work() -> None:
    program = load(models.vela(_small()))
    with pytest.raises(UnspoolError, match="more work than a sample may cost"):
        run(program, [np.zeros((1, 2, 3, 8), np.int8)] * 2, max_work=1)


def test_a_program_is_a_value() -> None:
    program = load(models.vela(_small()))
    assert hash(program) == hash(dataclasses.replace(program))
