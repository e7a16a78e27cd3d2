"""Rewriting a stream: commands and their words, what is kept, where it is read."""

from __future__ import annotations

import collections
import dataclasses
import math
import random
import struct

import models
import mutations
import numpy as np
import pytest
import residents

from unspool.compilation.residency import rewrite as module
from unspool.compilation.residency.commands import command, encode, parse
from unspool.compilation.residency.packing import payload
from unspool.compilation.residency.rewrite import rewrite
from unspool.compilation.residency.tables import (
    Span,
    WeightTable,
    align,
    choose,
    reads,
    repeated,
    spans,
)
from unspool.errors import UnspoolError
from unspool.npu import Program, disassemble, load, run
from unspool.npu.decoder import decode

STOP = 0xFFFF0000


def test_encoding_inverts_parsing() -> None:
    for file in mutations.seeds():
        program = load(file)
        assert encode(parse(program.stream)) == program.stream


def test_parsing_and_decoding_see_the_same() -> None:
    for file in mutations.seeds():
        stream, position = load(file).stream, 0
        writes = {write.position: write for op in decode(stream) for write in op.writes}
        for item in parse(stream):
            if write := writes.pop(position, None):
                assert command(write.name, write.value) == item
            position += len(item.words)
        assert not writes


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DMA_START", 0, (0x10,)),
        ("WEIGHT_REGION", 2, (2 << 16 | 0x128,)),
        ("WEIGHT_BASE", 0x12345678, (0x4020, 0x12345678)),
        ("WEIGHT1_BASE", 0xAB12345678, (0xAB << 16 | 0x4090, 0x12345678)),  # 40 bits, U65
    ],
)
def test_words_of_a_command(name: str, value: int, words: tuple[int, ...]) -> None:
    assert command(name, value).words == words


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WEIGHT_REGION", 1 << 16, "expected a value of 16 bits"),
        ("WEIGHT_BASE", 1 << 48, "expected a value of 48 bits"),
        ("WEIGHT_BASE", -1, "expected a value of 48 bits"),
    ],
)
def test_values_that_do_not_fit(name: str, value: int, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        command(name, value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([0x2], "stream of 1 words has no STOP"),
        ([0x3FF, STOP], "unknown command 0x000003ff at word 0"),
        ([0x2, 0x8002, STOP], "unknown command 0x00008002 at word 1"),
        ([0x4020], "unknown command 0x00004020 at word 0"),
    ],
)
def test_damaged_streams(words: list[int], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        parse(struct.pack(f"<{len(words)}I", *words))


@pytest.mark.parametrize("words", [3, 0xFFFF, 0x10000, 0x234567])
def test_payload(words: int) -> None:
    """The length in words: the low 16 bits in the upper half, the high 8 bits above the code."""
    old = b"COP1" + bytes(24) + struct.pack("<I", 1 << 16 | 2) + b"long"
    new = payload(old, 32, bytes(4 * words))
    assert new[:28] == old[:28]
    assert len(new) == 32 + 4 * words
    assert new[28:32] == bytes((2, words >> 16, words & 0xFF, words >> 8 & 0xFF))


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], []),
        ([(64, 32)], [(64, 1024, 32)]),
        ([(64, 30)], [(64, 1024, 32)]),  # rounded up to 16
        ([(72, 8)], [(64, 1024, 16)]),  # and down
        ([(64, 32), (96, 16)], [(64, 1024, 48)]),  # adjacent
        ([(96, 16), (64, 32)], [(64, 1024, 48)]),
        ([(0, 16), (80, 16)], [(0, 1024, 96)]),  # 64 bytes apart: one DMA
        ([(0, 16), (96, 16)], [(0, 1024, 16), (96, 1040, 16)]),  # 80 bytes apart: two
        ([(0, 64), (16, 16)], [(0, 1024, 64)]),  # one inside the other
    ],
)
def test_spans(ranges: list[tuple[int, int]], expected: list[tuple[int, int, int]]) -> None:
    tables = [WeightTable((part,), 2) for part in ranges]
    assert spans(tables, 1024) == tuple(Span(*span) for span in expected)


A, B, C = (
    WeightTable(((0, 1600),), 3),
    WeightTable(((4000, 160),), 9),
    WeightTable(((8000, 800), (9600, 800)), 3),
)


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        (math.inf, (B, A, C)),
        (160, (B,)),  # 9 uses: 8 * 160 bytes saved for 160
        (159, ()),
        (1600, (B,)),  # A has its 1600, but B saves more per byte
        (1760, (B, A)),
        (3359, (B, A)),
        (3360, (B, A, C)),
    ],
)
def test_choice(budget: float, kept: tuple[WeightTable, ...]) -> None:
    assert choose([A, B, C], budget) == kept


def _kept(program: Program, budget: float = math.inf) -> tuple[Program, tuple[Span, ...]]:
    """A program with its repeated tables copied behind its scratch memory."""
    copies = spans(choose(repeated(decode(program.stream)), budget), align(program.scratch_size))
    end = copies[-1].target + copies[-1].size
    stream = rewrite(program.stream, copies, 1)
    return dataclasses.replace(program, stream=stream, scratch_size=end), copies


def test_nothing_to_copy_is_the_same_program() -> None:
    for file in mutations.seeds():
        program = load(file)
        again = dataclasses.replace(program, stream=rewrite(program.stream, (), 1))
        inputs = residents.samples(program, 4)
        for a, b in zip(run(program, inputs), run(again, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


# The bidirectional network has two kernels: 10 bytes of scales for each of 3 * 16 channels.
SCALES = 10 * 3 * residents.UNITS


@pytest.mark.parametrize(
    ("weights", "scales", "regions"),  # tables that fit; (weights, scales) of the operations
    [
        (2, 2, {(0, 0), (1, 1)}),
        (2, 1, {(0, 0), (1, 0), (1, 1)}),
        (2, 0, {(0, 0), (1, 0)}),
        (1, 1, {(0, 0), (1, 1)}),  # of the same kernel
        (0, 2, {(0, 0), (0, 1)}),
        (0, 1, {(0, 0), (0, 1)}),
    ],
)
def test_partly_kept(weights: int, scales: int, regions: set[tuple[int, int]]) -> None:
    """Operations with and without copies alternate, and share registers that Vela leaves out."""
    program = load(residents.compiled("bidirectional").tflite)
    large = max(table.size for table in repeated(decode(program.stream)))
    assert 2 * SCALES < large < 3 * SCALES
    budget = weights * large + scales * SCALES
    changed, copies = _kept(program, budget)
    assert sum(span.size for span in copies) == budget
    inputs = residents.samples(program, 32)
    np.testing.assert_array_equal(run(program, inputs)[0], run(changed, inputs)[0])
    assert regions == {
        (op.registers["WEIGHT_REGION"], op.registers["SCALE_REGION"])
        for op in decode(changed.stream)
        if op.kind == "CONV"
    }


def _cascade() -> bytes:
    """Convolutions that Vela computes a few rows at a time: it reads their weights each time."""
    graph, rng = models.Graph(), np.random.default_rng(0)
    x = graph.input((1, 24, 24, 3), 0.02, -3)
    for _ in range(3):
        x = models.convolution(graph, rng, x, 16)
    graph.outputs.append(models.pool(graph, "AVERAGE_POOL_2D", x, 3))
    return graph.build()


@pytest.mark.parametrize(
    ("model", "option"),
    [
        (residents.quantized("bidirectional"), "--debug-force-legacy-core"),
        (residents.quantized("gru with state"), "--debug-force-legacy-core"),
        (_cascade(), "--optimise=Size"),
    ],
)
def test_other_streams(model: bytes, option: str) -> None:
    """Vela's older core, and operators whose parts are interleaved."""
    compiled = models.compile_model(model, "ethos-u55-128", "Shared_Sram", (option,))
    program = load(compiled.model)
    changed, copies = _kept(program)
    assert copies
    inputs = residents.samples(program, 4)
    for expected, output in zip(run(program, inputs), run(changed, inputs), strict=True):
        np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("count", [500, pytest.param(1500, marks=pytest.mark.slow)])
def test_damaged_programs(count: int) -> None:
    """A result or an UnspoolError, whatever the stream says."""
    files = mutations.seeds()
    programs = [load(file) for file in files]
    outcomes = collections.Counter[str]()
    for number in range(count):
        program = mutations.mutate(random.Random(number), files, programs)
        if isinstance(program, bytes):
            continue
        try:
            copies = spans(repeated(decode(program.stream)), align(program.scratch_size))
            rewrite(program.stream, copies, 1)
            outcomes["result"] += 1
        except UnspoolError as error:
            assert "\n" not in str(error)
            outcomes["error"] += 1
    assert min(outcomes.values()) > 100 and len(outcomes) == 2


@pytest.mark.parametrize("network", ["gru", "bidirectional", "stacked"])
def test_the_waits(network: str) -> None:
    """A copy ends before its first reader, and before the next DMA of whatever kind."""
    program = load(residents.compiled(network).tflite)
    changed, copies = _kept(program)
    operations = {op.position: op for op in decode(changed.stream)}
    position, started, running = 0, 0, False
    for item in parse(changed.stream):
        operation = operations.get(position)
        position += len(item.words)
        if item.name == "DMA_WAIT":
            running = False
        if operation is None:
            continue
        if operation.kind == "DMA_START":
            assert not running
            started += 1
            running = started <= len(copies)
        elif reads(operation, "WEIGHT") and operation.registers["WEIGHT_REGION"] == 1:
            assert started >= len(copies) and not running
    assert started >= len(copies) == (2 if network == "bidirectional" else 1)


def test_the_disassembly_shows_the_copy() -> None:
    program = load(residents.compiled("gru").tflite)
    changed, (copy,) = _kept(program)
    text = disassemble(changed)
    line = f"{copy.size} bytes from region 0 +0x{copy.source:x} to region 1 +0x{copy.target:x}"
    assert line in text.split("\n\n")[1]
    assert text.count("weights region 1 ") == residents.STEPS - 1
    assert "weights region 1 " not in disassemble(program)


def _replaced(program: Program, name: str, number: int, value: int) -> Program:
    """The program with another value in the write number `number` of a register."""
    commands = list(parse(program.stream))
    places = [i for i, item in enumerate(commands) if item.name == name]
    commands[places[number]] = command(name, value)
    return dataclasses.replace(program, stream=encode(commands))


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [
        ("DMA0_SRC", 0, 0),
        ("DMA0_DST", 0, 0),
        ("DMA0_LEN", 0, 320),
        ("SCALE_BASE", -1, 0),
        ("WEIGHT_REGION", 1, 0),
        ("SCALE_REGION", 1, 0),
    ],
)
def test_a_wrong_place_is_found(name: str, number: int, value: int) -> None:
    """Of a rewritten stream, every register counts: both checks see a wrong one."""
    program = load(residents.compiled("gru").tflite)
    changed, copies = _kept(program)
    wrong = _replaced(changed, name, number, value)
    inputs = residents.samples(program, 8)
    try:
        same = np.array_equal(run(program, inputs)[0], run(wrong, inputs)[0])
    except UnspoolError:
        same = False
    assert not same
    with pytest.raises(UnspoolError, match=r"another program|other operations"):
        module._check(program.stream, wrong.stream, copies, 1)
