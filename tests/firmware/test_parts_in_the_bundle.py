"""A bundle of a network in parts: `<name>_run` in C, with TFLM and the simulator behind it."""

import ctypes as c
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import in_qemu
import numpy as np
import pytest
import tflm_npu
from in_c import address, build

import unspool
from unspool import DeploymentInParts, Options
from unspool.firmware import write
from unspool.parts.saving import bundle_in_parts
from unspool.runtime.linked import taken
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer
from unspool.tflite.signature import Signature

L = keras.layers
STEPS, NAME = 40, "kws"
Invoke = c.CFUNCTYPE(c.c_int, c.c_void_p)


class PartOf(c.Structure):
    """`kws_part` of kws_run.h."""

    _fields_ = [
        ("inputs", c.POINTER(c.c_void_p)),
        ("outputs", c.POINTER(c.c_void_p)),
        ("invoke", Invoke),
        ("context", c.c_void_p),
    ]


@pytest.fixture(scope="module")
def data() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, 1, shape).astype(np.float32) for shape in ((20, STEPS, 7), (20, 3))]


@pytest.fixture(scope="module")
def done(data: list[np.ndarray]) -> DeploymentInParts:
    """Both directions twice, what is handed on in another scale, outputs in time and without."""
    keras.utils.set_random_seed(3)
    x, still = keras.Input((STEPS, 7), name="x"), keras.Input((3,), name="still")
    both = L.Bidirectional(L.GRU(5, return_sequences=True))(x)
    forward, backward = L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode=None)(both)
    summed = L.Dense(3, name="y")(L.Add()([forward, backward]))
    last = L.Concatenate()([L.GRU(6, go_backwards=True)(both), still])
    model = keras.Model([x, still], [summed, L.Dense(2, name="z")(last), backward])
    return unspool.deploy_in_parts(model, data, steps_per_call=8, options=Options(remedy_seconds=0))


@pytest.fixture(scope="module")
def made(done: DeploymentInParts) -> dict[str, str]:
    return bundle_in_parts(done, NAME)


def stored(
    done: DeploymentInParts, sample: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """One sequence as the device has it: what goes in, and what TFLM gives for it."""
    chain = done.chain
    values = chain.values("tflm", [array[:1] for array in sample])
    tensors: dict[str, ends.Tensor] = {}
    for part in chain.parts:
        signature = Signature(part.quantized_tflite)
        for port, tensor in zip(part.part.inputs, signature.inputs, strict=True):
            tensors.setdefault(port.value, tensor)
        for port, tensor in zip(part.part.outputs, signature.outputs, strict=True):
            tensors.setdefault(port.value, tensor)
    return tuple(  # type: ignore[return-value]
        [tensors[name].quantize(values[name])[0] for name in names if name in tensors]
        for names in (chain.cut.ends.fed, chain.cut.ends.outputs)
    )


def test_a_sequence_gives_pythons_bytes(
    done: DeploymentInParts, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    gives_pythons_bytes(done, build(made, tmp_path), *stored(done, data))


def gives_pythons_bytes(
    done: DeploymentInParts,
    library: Any,
    taken: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
) -> None:
    kept: list[Any] = []
    parts = (PartOf * len(done.chain.parts))()
    calls = [0] * len(done.chain.parts)
    for number, part in enumerate(done.chain.parts):
        binary, network = part.binary.compiled, tflm_npu.network(part.quantized_tflite)
        board = tflm_npu.Device(binary.tflite, binary.arena.size, network)

        def invoke(_: Any, board: Any = board, number: int = number) -> int:
            calls[number] += 1
            board.invoke()
            return 0

        places = [(c.c_void_p * len(each))(*each) for each in (board.inputs, board.outputs)]
        parts[number] = PartOf(*places, Invoke(invoke), None)
        kept += [board, places, parts[number].invoke]
    for _ in range(2):  # the second sequence begins as the first
        given = [np.empty_like(values) for values in expected]
        assert library.kws_run(parts, *map(address, (*taken, *given))) == 0
        for got, wanted in zip(given, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert calls == [2 * part.compiled.calls for part in done.compiled.parts]


@pytest.mark.slow
def test_a_sequence_that_ends_early(tmp_path: Path) -> None:
    """Its mask goes through the loops from both ends; C makes it of a number of steps."""
    keras.utils.set_random_seed(3)
    x = keras.Input((STEPS, 7), name="x")
    both = L.Bidirectional(L.GRU(5, return_sequences=True))(L.Masking(-9.0)(x))
    model = keras.Model(x, L.Dense(2, name="y")(L.Bidirectional(L.LSTM(4))(both)))
    steps = 27
    data = np.random.default_rng(0).normal(0, 1, (20, STEPS, 7)).astype(np.float32)
    data[:, steps:] = -9
    quick = Options(remedy_seconds=0)
    done = unspool.deploy_in_parts(model, data, steps_per_call=8, options=quick)
    library = build(bundle_in_parts(done, NAME), tmp_path)
    taken, expected = stored(done, [data])
    gives_pythons_bytes(done, library, taken, expected)
    fill, quantize = library.kws_part_1_fill_mask, library.kws_part_1_quantize_x
    for call in range(STEPS // 8):
        values, mask = np.empty((8, 7), np.int8), np.empty(8, np.int8)
        fill(c.c_int32(steps - 8 * call), address(mask))
        quantize(address(data[0, 8 * call :][:8].copy()), address(values))
        np.testing.assert_array_equal(values, taken[0][8 * call :][:8])
        np.testing.assert_array_equal(mask, taken[1][8 * call :][:8])


def test_states_that_are_handed_on_begin_each_sequence(tmp_path: Path) -> None:
    """The decoder's in another scale; what it begins with is read in each of its calls, too."""
    keras.utils.set_random_seed(3)
    x, before = keras.Input((STEPS, 7), name="x"), keras.Input((STEPS, 3), name="before")
    _, *states = L.Bidirectional(L.LSTM(5, return_state=True))(x)
    wide = [L.Dense(5, name=f"wide_{n}")(state) for n, state in enumerate(states)]
    decoder = L.Bidirectional(L.LSTM(5, return_sequences=True), merge_mode="sum")
    last = L.GRU(5)(before, initial_state=wide[0])
    y = L.Dense(2, name="y")(decoder(before, initial_state=wide))
    model = keras.Model([x, before], [y, L.Concatenate(name="z")([last, wide[0]])])
    rng = np.random.default_rng(0)
    data = [rng.normal(0, 1, (20, STEPS, size)).astype(np.float32) for size in (7, 3)]
    quick = Options(remedy_seconds=0)
    done = unspool.deploy_in_parts(model, data, steps_per_call=8, options=quick)
    assert [part.steps_per_call for part in done.compiled.parts] == [8, 8, None]
    gives_pythons_bytes(done, build(bundle_in_parts(done, NAME), tmp_path), *stored(done, data))


def test_a_mask_that_no_part_reads_is_no_argument(tmp_path: Path) -> None:
    """It says of an output which steps are padded, and nothing else."""
    keras.utils.set_random_seed(3)
    x = keras.Input((STEPS, 7), name="x")
    each = L.Dense(3, name="each")(L.Masking()(x))
    model = keras.Model(x, [each, L.Bidirectional(L.GRU(4), name="whole")(L.Dense(5)(x))])
    data = np.random.default_rng(0).normal(0, 1, (20, STEPS, 7)).astype(np.float32)
    data[:, -3:] = 0
    quick = Options(remedy_seconds=0)
    done = unspool.deploy_in_parts(model, data, steps_per_call=8, options=quick)
    made = bundle_in_parts(done, NAME)
    assert "mask" not in made["kws_run.h"]
    gives_pythons_bytes(done, build(made, tmp_path), *stored(done, [data]))


def test_what_is_handed_on_shares_bytes(done: DeploymentInParts) -> None:
    places = done.compiled.handed_on.values()
    assert done.compiled.handed_on_kib * 1024 <= sum(place.size + 3 for place in places)
    assert done.compiled.sram_kib == done.compiled.arena.size / 1024 + done.compiled.handed_on_kib


def test_a_call_that_fails_ends_the_sequence(
    done: DeploymentInParts, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    taken, expected = stored(done, data)
    library = build(made, tmp_path)
    statuses, kept = iter((0, 0, 7)), []
    parts = (PartOf * len(done.chain.parts))()
    for number, part in enumerate(done.chain.parts):
        model = flatbuffer.read(part.binary.compiled.tflite)
        rooms = [
            [np.zeros(t.shape, t.dtype) for t in each] for each in ends.inputs_and_outputs(model)
        ]
        places = [(c.c_void_p * len(each))(*(a.ctypes.data for a in each)) for each in rooms]
        parts[number] = PartOf(*places, Invoke(lambda _: next(statuses)), None)
        kept += [rooms, places, parts[number].invoke]
    given = [np.empty_like(values) for values in expected]
    assert library.kws_run(parts, *map(address, (*taken, *given))) == 7
    assert list(statuses) == []


def test_it_runs_on_a_cortex_m55(
    done: DeploymentInParts, made: dict[str, str], data: list[np.ndarray], tmp_path: Path
) -> None:
    """As real target code, in QEMU, which has no NPU: recorded calls stand in for it."""
    taken_, expected = stored(done, data)
    values = done.chain.values("tflm", [array[:1] for array in data])
    numbers = range(1, len(done.chain.parts) + 1)
    calls = [
        in_qemu.recorded_of(
            part.quantized_tflite,
            part.binary.compiled.tflite,
            taken(part.part.inputs, values),
        )
        for part in done.chain.parts
    ]
    write(made, tmp_path)
    headers = [made[f"kws_part_{number}_io.h"] for number in numbers]
    write({"main.c": in_qemu.program_of_parts(headers, calls, taken_, expected)}, tmp_path)
    sources = ["main.c", "kws_run.c", *(f"kws_part_{number}_io.c" for number in numbers)]
    in_qemu.compile_(sources, at=tmp_path)
    ended = in_qemu.run("it.elf", at=tmp_path)
    line = f"{done.compiled.calls} calls, all bytes equal\n".encode()
    assert (ended.returncode, ended.stdout) == (0, line), ended.stderr


def test_the_readme_runs_it(made: dict[str, str], done: DeploymentInParts) -> None:
    readme = made["README.md"]
    count = len(done.chain.parts)
    assert f"a network of {count} binaries" in readme
    assert "if (kws_run(parts, x_in, still_in, y_out, z_out, " in readme
    assert "static int8_t x_in[KWS_PART_1_INPUT_X_COUNT * KWS_PART_1_CALLS];\n" in readme
    assert f"| flash | {done.compiled.flash_kib:.1f} KiB |" in readme
