"""Resident weights: same bytes from the simulator, less from flash, and nothing else changed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import residents
from ai_edge_litert import schema_py_generated as schema

from unspool.compilation import targets, vela_config
from unspool.compilation.compiled import Compiled
from unspool.compilation.memories import Memory, Use
from unspool.compilation.residency import keeping
from unspool.compilation.residency.cycles import Estimate
from unspool.compilation.residency.keeping import ResidentPart, keep_resident
from unspool.compilation.residency.tables import reads
from unspool.errors import UnspoolError
from unspool.npu import Program, load, run
from unspool.npu.decoder import decode
from unspool.tflite import ends, flatbuffer

AGAIN = residents.STEPS - 1  # times that a GRU from a zero state reads its recurrent kernel
CASES = [
    *(("gru", f"ethos-u55-{macs}", "Shared_Sram") for macs in (32, 64, 128, 256)),
    ("gru", "ethos-u65-256", "Shared_Sram"),
    ("gru", "ethos-u65-512", "Shared_Sram"),
    ("lstm", "ethos-u55-128", "Shared_Sram"),
    ("lstm", "ethos-u65-512", "Dedicated_Sram"),
    ("bidirectional", "ethos-u55-256", "Shared_Sram"),
    ("bidirectional", "ethos-u65-256", "Dedicated_Sram"),
    ("gru with state", "ethos-u55-64", "Shared_Sram"),
    ("stacked", "ethos-u55-128", "Shared_Sram"),
    ("stacked", "ethos-u65-512", "Dedicated_Sram_384KB"),
]


@pytest.mark.parametrize(("network", "accelerator", "mode"), CASES)
def test_same_bytes(network: str, accelerator: str, mode: str) -> None:
    compiled = residents.compiled(network, accelerator, mode)
    result = keep_resident(compiled)
    assert result.reason == ""
    before, after = load(compiled.tflite), load(result.tflite)
    inputs = residents.samples(before, 40)
    for expected, output in zip(run(before, inputs), run(after, inputs), strict=True):
        np.testing.assert_array_equal(output, expected)
        assert len(np.unique(expected)) > 8, "the network's outputs are nearly constant"
    # What still comes from flash is read once; what was kept is read as often as before.
    left: list[tuple[int, int]] = []
    kept: list[tuple[int, int]] = []
    for operation in decode(after.stream):
        for family in ("WEIGHT", "SCALE"):
            for part in reads(operation, family):
                region = operation.registers[f"{family}_REGION"]
                (kept if region == (2 if "Dedicated" in mode else 1) else left).append(part)
    assert len(left) == len(set(left))
    assert sum(item.uses for item in result.kept) == len(
        [part for part in kept if part[0] >= _start(before)]
    )


def _start(program: Program) -> int:
    return program.scratch_size if program.fast_size is None else program.fast_size


def test_figures() -> None:
    """Of the GRU: 10 bytes of scales for each of 3 * 16 channels, and the compressed weights."""
    compiled = residents.compiled("gru")
    result = keep_resident(compiled)
    scales, weights = result.kept
    assert scales == ResidentPart(scales.offset, 10 * 3 * residents.UNITS, AGAIN)
    assert weights.offset == scales.offset + scales.bytes and weights.uses == AGAIN
    both = scales.bytes + weights.bytes
    assert result.dma_bytes == both
    assert result.saved_bytes == (AGAIN - 1) * both
    assert result.kept_kib == both / 1024
    old, new = load(compiled.tflite).scratch_size, load(result.tflite).scratch_size
    assert new == -(-old // 16) * 16 + both
    assert result.sram_kib == compiled.sram_kib + (new - old) / 1024
    assert (result.cycles, result.reason) == (None, "")
    assert "the quantized file was not given" in result.cycles_how


@pytest.mark.parametrize("kib", [math.inf, 0.5])
def test_cycles(kib: float) -> None:
    """By hand: 4 operators at their new cost, and a copy at 1 byte per cycle (0.125 * 8)."""
    compiled, quantized = residents.compiled("gru"), residents.quantized("gru")
    in_sram = residents.compiled("gru", mode="Sram_Only")
    result = keep_resident(compiled, quantized, kib)
    dense = [
        (here, there)
        for here, there in zip(compiled.operators, in_sram.operators, strict=True)
        if here.kind == "FullyConnected"
    ]
    recurrent = dense[1:-1]  # between the projection and the classifier
    assert len(recurrent) == AGAIN
    from_flash = 0  # an operator that keeps its scales only still waits for its weights
    if kib < math.inf:
        assert [kept.bytes for kept in result.kept] == [480]
        from_flash = recurrent[0][0].flash_cycles - 480
        assert from_flash > recurrent[0][1].cycles
    expected = compiled.cycles + result.dma_bytes + 64
    for here, there in recurrent:
        expected += max(there.cycles, from_flash) - here.cycles
    assert result.cycles == expected < compiled.cycles
    assert f"{AGAIN} operators at their cost in Sram_Only" in result.cycles_how
    assert f"{result.dma_bytes + 64:,} cycles to copy from OffChipFlash" in result.cycles_how


@pytest.mark.parametrize(
    ("kib", "uses"),
    [
        (480 / 1024, [AGAIN]),  # the scales of one of the two kernels
        (960 / 1024, [AGAIN] * 2),
        (2.5, [AGAIN] * 3),
        (64, [AGAIN] * 4),
    ],
)
def test_budgets(kib: float, uses: list[int]) -> None:
    compiled = residents.compiled("bidirectional")
    result = keep_resident(compiled, sram_kib=kib)
    assert result.kept_kib <= kib
    assert [kept.uses for kept in result.kept] == uses
    before, after = load(compiled.tflite), load(result.tflite)
    inputs = residents.samples(before, 16)
    np.testing.assert_array_equal(run(after, inputs)[0], run(before, inputs)[0])


def _contents(model: flatbuffer.Model, index: int) -> bytes:
    data = model.buffers[index].data
    return b"" if data is None else bytes(bytearray(data))


@pytest.mark.parametrize(
    ("network", "accelerator", "mode", "grown"),
    [
        ("gru", "ethos-u55-128", "Shared_Sram", b"scratch"),
        ("lstm", "ethos-u65-512", "Dedicated_Sram", b"scratch_fast"),
    ],
)
def test_the_rest_of_the_file(network: str, accelerator: str, mode: str, grown: bytes) -> None:
    compiled = residents.compiled(network, accelerator, mode)
    result = keep_resident(compiled)
    old, new = flatbuffer.read(compiled.tflite), flatbuffer.read(result.tflite)
    metadata = [
        [(entry.name, _contents(model, entry.buffer)) for entry in model.metadata]
        for model in (old, new)
    ]
    assert metadata[0] == metadata[1]
    assert b"OfflineMemoryAllocation" in dict(metadata[1])
    assert (new.description, new.version) == (old.description, old.version)
    assert ends.inputs_and_outputs(new) == ends.inputs_and_outputs(old)
    changed = set()
    for before, after in zip(old.subgraphs[0].tensors, new.subgraphs[0].tensors, strict=True):
        same = list(before.shape) == list(after.shape)
        if not same or _contents(old, before.buffer) != _contents(new, after.buffer):
            changed.add(before.name)
        assert (before.name, before.type, before.buffer) == (after.name, after.type, after.buffer)
    assert changed == {b"ethos_u_command_stream", grown}
    before, after = load(compiled.tflite), load(result.tflite)
    assert after.stream_position == before.stream_position
    assert after == dataclasses.replace(
        before, stream=after.stream, scratch_size=after.scratch_size, fast_size=after.fast_size
    )


def test_buffers_are_aligned() -> None:
    """The driver refuses a stream or weights that do not start at a multiple of 16 bytes."""
    for network in ("gru", "lstm", "stacked"):
        data = keep_resident(residents.compiled(network)).tflite
        model = schema.Model.GetRootAs(data)
        starts = [model.Buffers(i) for i in range(model.BuffersLength())]
        vectors = [b._tab.Vector(b._tab.Offset(4)) for b in starts if b.DataLength()]
        assert len(vectors) >= 3
        assert [start % 16 for start in vectors] == [0] * len(vectors)


def test_the_result_is_the_same_every_time() -> None:
    compiled = residents.compiled("lstm")
    assert keep_resident(compiled) == keep_resident(compiled)


def _again() -> Compiled:
    """A network whose weights are resident already."""
    compiled = residents.compiled("gru")
    return dataclasses.replace(compiled, tflite=keep_resident(compiled).tflite)


UNCHANGED: dict[str, tuple[Callable[[], Compiled], str]] = {
    "Sram_Only": (
        lambda: residents.compiled("gru", mode="Sram_Only"),
        "Sram_Only has the weights in SRAM already",
    ),
    "once": (
        lambda: residents.compiled("once"),
        "no weights are read from OffChipFlash more than once",
    ),
    "again": (_again, "no weights are read from OffChipFlash more than once"),
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_nothing_to_do(case: str) -> None:
    make, reason = UNCHANGED[case]
    compiled = make()
    result = keep_resident(compiled)
    assert result.reason == reason
    assert result.tflite == compiled.tflite
    assert (result.kept, result.kept_kib, result.dma_bytes) == ((), 0, 0)
    assert (result.cycles, result.sram_kib) == (compiled.cycles, compiled.sram_kib)


def test_copies_that_vela_makes_are_left_alone() -> None:
    """The kernel of 128 units goes through the SRAM in four parts, in each of two steps."""
    compiled = residents.compiled("wide", "ethos-u65-256", "Dedicated_Sram_384KB")
    result = keep_resident(compiled)
    assert result.tflite == compiled.tflite
    assert result.reason.startswith("Vela copies the weights that repeat from Dram to SRAM itself")
    assert f"({2 * 4} DMAs, " in result.reason


def test_it_must_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, quantized = residents.compiled("gru"), residents.quantized("gru")
    wanted = Estimate(compiled.cycles, "as before")
    monkeypatch.setattr(keeping, "_estimate", lambda *rest: wanted)
    result = keep_resident(compiled, quantized)
    assert result.tflite == compiled.tflite
    assert result.reason.startswith("it would not be faster: about ")


def _limited(folder: Path, size: int) -> Compiled:
    """The GRU for a memory mode that grants `size` bytes."""
    text = vela_config.arm_config().read_text()
    mode = "[Memory_Mode.Dedicated_Sram_384KB]\ninherit=Memory_Mode.Dedicated_Sram\n"
    assert mode in text
    path = folder / f"limited-{size}.ini"  # a file is read once
    path.write_text(
        text.replace(f"{mode}arena_cache_size=393216", f"{mode}arena_cache_size={size}")
    )
    compiled = residents.compiled("lstm", "ethos-u65-512", "Dedicated_Sram")
    target = targets.target("ethos-u65-512", "Ethos_U65_High_End", "Dedicated_Sram_384KB", path)
    return dataclasses.replace(compiled, target=target)


def test_the_limit_of_the_memory_mode(tmp_path: Path) -> None:
    fast = load(residents.compiled("lstm", "ethos-u65-512", "Dedicated_Sram").tflite).fast_size
    assert fast is not None
    scales = 10 * 4 * residents.UNITS
    result = keep_resident(_limited(tmp_path, -(-fast // 16) * 16 + scales))
    assert result.kept_kib * 1024 <= scales and len(result.kept) == 2  # one part per core
    result = keep_resident(_limited(tmp_path, fast))
    assert "Dedicated_Sram_384KB leaves no SRAM for a table of" in result.reason


@pytest.mark.parametrize(
    ("kib", "message"),
    [
        (0, "budget of 0 for resident weights: expected a positive number, KiB"),
        (-3, "budget of -3 for"),
        (math.nan, "budget of nan for"),
        ("12", "budget of '12' for"),
        (True, "budget of True for"),
        (0.25, r"budget of 0.25 KiB .*: the smallest table that repeats takes 0.46875 KiB"),
    ],
)
def test_bad_budgets(kib: object, message: str) -> None:
    with pytest.raises(UnspoolError, match=message) as caught:
        keep_resident(residents.compiled("gru"), sram_kib=kib)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def _cpu_operator() -> bytes:
    model = flatbuffer.read(residents.compiled("gru").tflite)
    models.add_cpu_operator(model)
    return flatbuffer.write(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tflite": residents.quantized("gru")}, "it was not compiled by Vela"),
        ({"tflite": b"PK\3\4"}, "not a TFL3 FlatBuffer"),
        ({"tflite": _cpu_operator()}, r"1 operator stays on the CPU \(SOFTMAX\)"),
        (
            {"target": targets.target("ethos-u85-256")},
            "cannot check the streams of ethos-u85-256; expected an Ethos-U55 or Ethos-U65",
        ),
        (
            {"target": targets.target("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram")},
            "no tensor for the SRAM apart from the arena",
        ),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    compiled = dataclasses.replace(residents.compiled("gru"), **change)
    with pytest.raises(UnspoolError, match=message):
        keep_resident(compiled)


@pytest.mark.parametrize(
    ("target", "use", "expected"),
    [
        (("ethos-u55-128",), "const", Memory("axi1", "OffChipFlash", 8 * 0.125, 64, None)),
        (("ethos-u55-128",), "arena", Memory("axi0", "Sram", 8 * 1.0, 32, None)),
        (
            ("ethos-u65-256", "Ethos_U65_Embedded", "Shared_Sram"),
            "const",
            Memory("axi1", "OffChipFlash", 16 * 0.0625, 64, None),
        ),
        (
            ("ethos-u65-512", "Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
            "cache",
            Memory("axi0", "Sram", 16 * 1.0, 32, 384 * 1024),
        ),
    ],
)
def test_memories(target: tuple[str] | tuple[str, str, str], use: Use, expected: Memory) -> None:
    assert targets.target(*target).memory(use) == expected


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("OffChipFlash_clock_scale=0.125", "OffChipFlash_clock_scale=fast"),
        ("OffChipFlash_clock_scale=0.125", "OffChipFlash_clock_scale=0"),
        ("OffChipFlash_clock_scale=0.125", "OffChipFlash_clock_scale=nan"),
    ],
)
def test_a_configuration_without_sense(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "wrong.ini"
    path.write_text(vela_config.arm_config().read_text().replace(line, wrong))
    with pytest.raises(UnspoolError, match=f"has clock scale '{wrong.partition('=')[2]}', "):
        targets.target(config=path).memory("const")
