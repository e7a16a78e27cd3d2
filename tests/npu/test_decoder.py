"""The decoder and the disassembler, against Vela's own listing and its register names."""

from __future__ import annotations

import re
import struct

import models
import pytest
from ethosu.vela.ethos_u55_regs import ethos_u55_regs as vela_registers
from mutations import seeds

from unspool.errors import UnspoolError
from unspool.npu import disassemble, load
from unspool.npu.decoder import decode
from unspool.npu.registers import ELEMENTWISE_MODES, LONG, OPERATIONS, POOLING_MODES, SHORT

STOP = 0xFFFF0000
_LINE = re.compile(r"^0x(\w{6}): (\w{8})? +(\w{4}) (\w{4}) - NPU_(\w+)", re.MULTILINE)


def test_names_are_those_of_vela() -> None:
    short = {member.value: member.name for member in vela_registers.cmd0}
    long = {member.value: member.name for member in vela_registers.cmd1}
    assert {code: f"NPU_SET_{name}" for code, name in SHORT.items()} | {
        code: f"NPU_OP_{name}" for code, name in OPERATIONS.items()
    } == short
    assert {code: f"NPU_SET_{name}" for code, name in LONG.items()} == long
    assert tuple(m.name for m in vela_registers.pooling_mode) == POOLING_MODES
    assert tuple(m.name for m in vela_registers.elementwise_mode) == ELEMENTWISE_MODES


@pytest.mark.parametrize("target", ["ethos-u55-128", "ethos-u65-512"])
def test_writes_equal_velas_listing(target: str) -> None:
    """Every register write: its offset, name and value."""
    graph = _network()
    compiled = models.compile_model(graph, target, "Shared_Sram")
    listed, operations = [], []
    for offset, payload, parameter, _, name in _LINE.findall(compiled.listing):
        if name.startswith("SET_"):
            value = int(parameter, 16)
            if payload:
                value = int(payload, 16) | value << 32
            listed.append((int(offset, 16), name.removeprefix("SET_"), value))
        elif name.removeprefix("OP_") not in ("STOP", "DMA_WAIT", "KERNEL_WAIT"):
            operations.append((int(offset, 16), name.removeprefix("OP_")))
    decoded = decode(load(compiled.model).stream)
    assert len(listed) > 100
    writes = [(4 * w.position, w.name, w.value) for op in decoded for w in op.writes]
    assert writes == listed
    assert [(4 * op.position, op.kind) for op in decoded] == operations


def _network() -> bytes:
    graph = models.Graph()
    x = graph.input((1, 6), 0.02, -3)
    models.softmax(graph, x)
    return graph.build()


def _stream(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def test_registers_are_sticky() -> None:
    pool, depth, base = 0x5, 0x104, 0x4000
    stream = _stream(
        7 << 16 | depth, base | 1 << 16, 0x20, pool, 0x1 << 16 | pool, 9 << 16 | depth, pool, STOP
    )
    first, second, third = decode(stream)
    assert [op.mode for op in (first, second, third)] == ["MAX", "AVERAGE", "MAX"]
    assert [op.registers["IFM_DEPTH_M1"] for op in (first, second, third)] == [7, 7, 9]
    assert first.registers["IFM_BASE0"] == 0x1_0000_0020
    assert [w.name for w in first.writes] == ["IFM_DEPTH_M1", "IFM_BASE0"]
    assert second.writes == ()
    assert [op.position for op in (first, second, third)] == [3, 4, 6]


def test_signed_registers() -> None:
    (operation,) = decode(_stream(0xFF80_0109, 0xFFFF_4004, 0xFFFF_FFF0, 0x2, STOP))
    assert operation.registers["IFM_ZERO_POINT"] == 0xFF80
    assert operation.registers.signed16("IFM_ZERO_POINT") == -128
    assert operation.registers.address("IFM_STRIDE_X") == -16


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "stream of 0 words has no STOP"),
        ([0x2], "stream of 1 words has no STOP"),
        ([0x2, 0x3FF, STOP], "unknown command code 0x3ff .word 0x000003ff. at word 1"),
        ([0x8002, STOP], "unknown command code 0x002"),
        ([0x4000], "the stream ends inside IFM_BASE0 at word 0"),
        ([0x0003_0005, STOP], "unknown POOL mode 3 at word 0"),
        ([0x000A_0006, STOP], "unknown ELEMENTWISE mode 10 at word 0"),
    ],
)
def test_bad_streams(words: list[int], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        decode(_stream(*words))


def test_a_register_that_was_never_written() -> None:
    (operation,) = decode(_stream(0x2, STOP))
    with pytest.raises(UnspoolError, match="IFM_REGION is used, but the stream has not written"):
        _ = operation.registers["IFM_REGION"]


def test_disassembly_names_the_operators() -> None:
    compiled = models.compile_model(_network(), "ethos-u55-128", "Shared_Sram")
    text = disassemble(load(compiled.model), compiled.debug)
    blocks = text.split("\n\n")
    assert "ethos-u55-128, 24 KiB SHRAM" in blocks[0]
    assert len(blocks) == 1 + len(decode(load(compiled.model).stream))
    assert "POOL MAX  MaxPool of Softmax" in blocks[1]
    assert "IFM region 1" in blocks[1] and "IFM_PRECISION" in blocks[1]
    assert "not simulated" not in text


def test_disassembly_without_debug_data() -> None:
    for file in seeds():
        text = disassemble(load(file))
        assert "not simulated" not in text
        assert text.count("\n\n") == len(decode(load(file).stream))


def test_debug_data_of_another_kind() -> None:
    with pytest.raises(UnspoolError, match="not a Vela debug database"):
        disassemble(load(seeds()[0]), b"<html></html>")
