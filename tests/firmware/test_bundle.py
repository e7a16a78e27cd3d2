"""The firmware bundle: its C against Python, byte for byte, and its C inside TFLM."""

import copy
import ctypes as c
import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import tflm_npu
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from in_c import STRICT, address, build, run

from unspool.compilation import arena, vela
from unspool.compilation.compiled import Compiled, Operator
from unspool.compilation.targets import target
from unspool.errors import UnspoolError
from unspool.firmware import bundle, resolver, write
from unspool.firmware.identifiers import distinct, identifier
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.support._tensorflow import keras
from unspool.tflite import ends, flatbuffer, marks, names
from unspool.tflite.ends import Tensor
from unspool.tflite.marks import Marks
from unspool.tflite.names import State
from unspool.unrolling.conversion import convert

UNITS, FEATURES = 8, 5
STATES = ("gru/h", "lstm/h", "lstm/c")
TARGETS = {
    "ethos-u55-128": "Shared_Sram",
    "ethos-u65-256": "Dedicated_Sram_384KB",
    "ethos-u85-256": "Dedicated_Sram_384KB",
}


ForTarget: TypeAlias = Callable[[str], Compiled]
Format: TypeAlias = tuple[int, float, int]
"""Type, scale and zero point."""

Layout: TypeAlias = tuple[int, int, int]
"""For each state's input, the output that it lies over."""


def one_step() -> Any:
    """One step of a GRU and an LSTM (biases and one gate each left out), states in and out."""
    layers = keras.layers
    keras.utils.set_random_seed(5)
    x, gru, h, cell = (
        keras.Input(shape, batch_size=1, name=name)
        for name, shape in [
            ("x", (1, FEATURES)),
            *((f"{state.replace('/', '_')}_in", (UNITS,)) for state in STATES),
        ]
    )

    def gate(activation: str, a: Any, b: Any) -> Any:
        added = layers.Add()([layers.Dense(UNITS)(a), layers.Dense(UNITS)(b)])
        return layers.Activation(activation)(added)

    flat = layers.Reshape((FEATURES,))(x)
    new = gate("tanh", flat, gru)
    update = layers.Multiply()([gate("sigmoid", flat, gru), layers.Subtract()([gru, new])])
    gru_out = layers.Add(name="gru_h_out")([new, update])
    i, f, o = (gate("sigmoid", gru_out, h) for _ in range(3))
    kept = layers.Multiply()([f, cell])
    cell_out = layers.Add(name="lstm_c_out")(
        [kept, layers.Multiply()([i, gate("tanh", gru_out, h)])]
    )
    h_out = layers.Multiply(name="lstm_h_out")([o, layers.Activation("tanh")(cell_out)])
    y = layers.Dense(4, activation="softmax", name="y")(h_out)
    return keras.Model(
        [x, gru, h, cell],
        {"y": y, "gru_h_out": gru_out, "lstm_h_out": h_out, "lstm_c_out": cell_out},
    )


def to_int8(model: Any) -> bytes:
    """Quantize, name the states `<layer>/h_in`, and give each one format."""
    float_tflite = convert(model)
    rng = np.random.default_rng(0)
    data = {t.name: rng.uniform(-1, 1, (40, *t.shape[1:])) for t in model.inputs}
    int8 = flatbuffer.read(quantize(float_tflite, calibrate(float_tflite, data).ranges))
    tensors = int8.subgraphs[0].tensors
    entries = [*int8.signatureDefs[0].inputs, *int8.signatureDefs[0].outputs]
    for entry in entries:
        name = re.sub(r"(gru|lstm)_([hc]_)", r"\1/\2", entry.name.decode()).encode()
        if tensors[entry.tensorIndex].name == entry.name:
            tensors[entry.tensorIndex].name = name
        entry.name = name
    index = {entry.name.decode(): entry.tensorIndex for entry in entries}
    for state in STATES:
        taken, given_out = (tensors[index[f"{state}_{end}"]] for end in ("in", "out"))
        taken.quantization = copy.deepcopy(given_out.quantization)
    marks.write(int8, Marks(states=tuple(names.state(*state.split("/")) for state in STATES)))
    return flatbuffer.write(int8)


@pytest.fixture(scope="module")
def int8() -> bytes:
    return to_int8(one_step())


@pytest.fixture(scope="module")
def compiled(int8: bytes) -> Compiled:
    return vela.compile(int8, target())


@pytest.fixture(scope="module")
def for_target(int8: bytes, compiled: Compiled) -> ForTarget:
    """Accelerator -> compiled, each made once."""
    made = {"ethos-u55-128": compiled}

    def get(accelerator: str) -> Compiled:
        if accelerator not in made:
            chosen = target(accelerator, memory_mode=TARGETS[accelerator])
            made[accelerator] = vela.compile(int8, chosen)
        return made[accelerator]

    return get


def edited(content: bytes, **changes: Format) -> bytes:
    """A .tflite with inputs and outputs changed: name -> (type, scale, zero point)."""
    model = flatbuffer.read(content)
    for tensor in model.subgraphs[0].tensors:
        if tensor.name.decode() in changes:
            tensor.type, scale, zero_point = changes[tensor.name.decode()]
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    return flatbuffer.write(model)


def renamed(content: bytes, new: Mapping[str, str]) -> bytes:
    """A .tflite with inputs and outputs renamed, in its signature and as tensors."""
    model = flatbuffer.read(content)
    signature = model.signatureDefs[0]
    for named in [*model.subgraphs[0].tensors, *signature.inputs, *signature.outputs]:
        if named.name.decode() in new:
            named.name = new[named.name.decode()].encode()
    return flatbuffer.write(model)


def with_states_renamed(content: bytes, new: Mapping[str, str]) -> bytes:
    """The same, where the file says of its states that they have these names."""
    model = flatbuffer.read(renamed(content, new))
    states = marks.read(model).states
    renamed_states = (State(s.name, new.get(s.input, s.input), new.get(s.output, s.output))
                      for s in states)  # fmt: skip
    marks.write(model, Marks(states=tuple(renamed_states)))
    return flatbuffer.write(model)


def with_content(compiled: Compiled, tflite: bytes) -> Compiled:
    return dataclasses.replace(compiled, tflite=tflite)


def constant(text: str, name: str) -> str:
    (value,) = re.findall(rf"^#define {name} (.*)$", text, re.MULTILINE)
    return str(value)


def pointers(addresses: Sequence[int]) -> "c.Array[c.c_void_p]":
    return (c.c_void_p * len(addresses))(*addresses)


def c_quantize(library: c.CDLL, function: str, tensor: Tensor, values: npt.ArrayLike) -> np.ndarray:
    values = np.ascontiguousarray(values, np.float32)
    stored = np.empty(values.shape, tensor.dtype)
    getattr(library, function)(address(values), address(stored))
    return stored


@pytest.mark.parametrize("accelerator", TARGETS)
def test_compiles_without_a_warning(
    int8: bytes, for_target: ForTarget, accelerator: str, tmp_path: Path
) -> None:
    made = bundle(int8, for_target(accelerator), "kws")
    build(made, tmp_path)
    run("gcc", "-std=c11", *STRICT, "-c", "kws_model.c", "kws_io.c", at=tmp_path)
    cpp = '#include "kws_model.h"\n#include "kws_io.h"\nint n[] = KWS_INPUT_X_SHAPE;\n'
    (tmp_path / "main.cc").write_text(cpp)
    both = ("main.cc", "-x", "c++", "kws_model.c", "kws_io.c")
    run("g++", "-std=c++17", *STRICT, "-c", *both, at=tmp_path)


def test_compiles_for_cortex_m55(int8: bytes, compiled: Compiled, tmp_path: Path) -> None:
    write(bundle(int8, compiled, "kws"), tmp_path)
    cpu = ("-mcpu=cortex-m55", "-mfloat-abi=hard", "-std=c99", "-O2", *STRICT)
    section = '-DKWS_MODEL_SECTION=__attribute__((section(".npu_model")))'
    run("arm-none-eabi-gcc", *cpu, section, "-c", "kws_model.c", "kws_io.c", at=tmp_path)
    run(
        "arm-none-eabi-objcopy", "-O", "binary", "-j", ".npu_model", "kws_model.o", "m", at=tmp_path
    )
    assert (tmp_path / "m").read_bytes() == compiled.tflite


def test_array_is_the_compiled_file(int8: bytes, compiled: Compiled, tmp_path: Path) -> None:
    made = bundle(int8, compiled, "kws")
    size = len(compiled.tflite)
    assert constant(made["kws_model.h"], "KWS_MODEL_SIZE") == f"{size}u"
    array = (c.c_ubyte * size).in_dll(build(made, tmp_path), "kws_model")
    assert bytes(array) == compiled.tflite
    assert c.addressof(array) % 16 == 0


FORMATS: dict[str, Format | None] = {
    "as quantized": None,
    "int16": (schema.TensorType.INT16, 1 / 32768, 0),
    "int16, a scale that is no power of 2": (schema.TensorType.INT16, 3.0517578e-4, 0),
    "int8, lowest zero point": (schema.TensorType.INT8, 0.1, -128),
    "int8, highest zero point, tiny scale": (schema.TensorType.INT8, 1e-30, 127),
    "int8, huge scale": (schema.TensorType.INT8, 1e30, 3),
}


@pytest.fixture(scope="module", params=FORMATS)
def in_format(
    request: pytest.FixtureRequest,
    int8: bytes,
    compiled: Compiled,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[c.CDLL, Tensor, Tensor]:
    """(the library, the tensor x, the tensor y), with x and y in one of `FORMATS`."""
    mine, velas = int8, compiled.tflite
    chosen = FORMATS[request.param]
    if chosen:
        mine, velas = (edited(tflite, x=chosen, y=chosen) for tflite in (mine, velas))
    made = bundle(mine, with_content(compiled, velas), "kws")
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(mine))
    (x,), (y,) = ([t for t in group if t.name in "xy"] for group in (inputs, outputs))
    assert np.float32(constant(made["kws_io.h"], "KWS_INPUT_X_SCALE")[:-1]) == np.float32(x.scale)
    return build(made, tmp_path_factory.mktemp("c")), x, y


@pytest.mark.filterwarnings("ignore:overflow")
def test_quantize_gives_pythons_bytes_around_every_half(
    in_format: tuple[c.CDLL, Tensor, Tensor],
) -> None:
    library, x, _ = in_format
    limits = np.iinfo(x.dtype)
    levels = np.arange(limits.min - 2, limits.max + 2, 1 if x.dtype == np.int8 else 199)
    halves = ((levels - x.zero_point + 0.5) * np.float64(x.scale)).astype(np.float32)
    near = [halves, np.nextafter(halves, np.float32(-1e38)), np.nextafter(halves, np.float32(1e38))]
    values = np.concatenate([*near, [0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-45, 3.4e38, -3.4e38]])
    for group in np.resize(values, (-(-len(values) // FEATURES), 1, FEATURES)).astype(np.float32):
        stored = c_quantize(library, "kws_quantize_x", x, group)
        np.testing.assert_array_equal(stored, x.quantize(group), err_msg=str(group))


@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=50)
@given(
    hnp.arrays(np.float32, FEATURES, elements=st.floats(width=32, allow_nan=False)),
    hnp.arrays(np.float32, FEATURES, elements=st.floats(-40000, 40000, width=32)),
)
def test_quantize_gives_pythons_bytes(
    in_format: tuple[c.CDLL, Tensor, Tensor], wild: np.ndarray, levels: np.ndarray
) -> None:
    library, x, _ = in_format
    for values in (wild, levels * np.float32(x.scale)):
        stored = c_quantize(library, "kws_quantize_x", x, values)
        np.testing.assert_array_equal(stored, x.quantize(values))


def test_nan_is_stored_as_the_zero_point(in_format: tuple[c.CDLL, Tensor, Tensor]) -> None:
    library, x, _ = in_format
    values = [np.nan, -np.nan, 0.0, np.nan, np.nan]
    assert c_quantize(library, "kws_quantize_x", x, values).tolist() == [x.zero_point] * FEATURES


def test_dequantize_gives_pythons_bytes(in_format: tuple[c.CDLL, Tensor, Tensor]) -> None:
    library, _, y = in_format
    limits = np.iinfo(y.dtype)
    every = np.arange(limits.min, limits.max + 1).astype(y.dtype)
    for stored in every.reshape(-1, 4):
        values = np.empty(4, np.float32)
        library.kws_dequantize_y(address(stored), address(values))
        assert values.tobytes() == y.dequantize(stored).tobytes()


def expected_run(int8: bytes, samples: np.ndarray) -> list[list[bytes]]:
    """What the device must give: a loop in Python that copies the states' bytes."""
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(int8))
    ins, outs = {t.name: t for t in inputs}, {t.name: t for t in outputs}
    infer, given_out = tflm_npu.network(int8), []
    states = {f"{s}_in": np.full((1, UNITS), ins[f"{s}_in"].zero_point, np.int8) for s in STATES}
    for sample in samples:
        results = infer({"x": ins["x"].quantize(sample), **states})
        states = {f"{s}_in": results[f"{s}_out"] for s in STATES}
        given_out.append(
            [outs["y"].dequantize(results["y"]).tobytes(), *map(bytes, states.values())]
        )
    return given_out


def firmware_run(
    library: c.CDLL, made: Mapping[str, str], samples: np.ndarray, board: "Arena | tflm_npu.Device"
) -> list[list[bytes]]:
    """The loop of the bundle's README: calls of the C on addresses of inputs and outputs."""
    text, inputs, outputs = made["kws_io.h"], board.inputs, board.outputs
    index = {name: int(constant(text, f"KWS_{name}_INDEX")) for name in ("INPUT_X", "OUTPUT_Y")}
    taken = [int(constant(text, f"KWS_INPUT_{identifier(s).upper()}_IN_INDEX")) for s in STATES]
    library.kws_reset_states(pointers(inputs))
    given_out = []
    for sample in samples:
        values = np.empty((1, 4), np.float32)
        library.kws_quantize_x(address(sample), c.c_void_p(inputs[index["INPUT_X"]]))
        board.invoke()
        library.kws_dequantize_y(c.c_void_p(outputs[index["OUTPUT_Y"]]), address(values))
        library.kws_copy_states(pointers(inputs), pointers(outputs))
        states = (bytes(tflm_npu.view(inputs[i], (1, UNITS), np.int8)) for i in taken)
        given_out.append([values.tobytes(), *states])
    return given_out


def stream(steps: int = 40) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 1, (steps, 1, 1, FEATURES)).astype(np.float32)


class Arena:
    """Memory laid out by Vela's plan; the network runs in TFLM beside it."""

    def __init__(self, compiled: bytes, size: int, network: tflm_npu.Network) -> None:
        self._model, self._network = flatbuffer.read(compiled), network
        self._content = np.zeros(size, np.uint8)
        places = arena.read(self._model).offsets
        self._addresses = {i: self._content.ctypes.data + place for i, place in places.items()}
        graph = self._model.subgraphs[0]
        self.inputs = [self._addresses[i] for i in graph.inputs]
        self.outputs = [self._addresses[i] for i in graph.outputs]

    def invoke(self) -> None:
        tflm_npu.infer(self._model, self._addresses, self._network)


@pytest.mark.parametrize("accelerator", TARGETS)
@pytest.mark.parametrize("device", [Arena, tflm_npu.Device])
def test_stream_gives_pythons_bytes(
    int8: bytes,
    for_target: ForTarget,
    accelerator: str,
    device: type[Arena] | type[tflm_npu.Device],
    tmp_path: Path,
) -> None:
    """The C, in an arena of the bundle's size, against a Python loop that copies bytes."""
    made = bundle(int8, for_target(accelerator), "kws")
    arena = int(constant(made["kws_model.h"], "KWS_ARENA_SIZE").rstrip("u"))
    board = device(for_target(accelerator).tflite, arena, tflm_npu.network(int8))
    library = build(made, tmp_path)
    for samples in stream(), stream(3):  # a new sequence starts where the first did
        assert firmware_run(library, made, samples, board) == expected_run(int8, samples)


@pytest.mark.parametrize("accelerator", TARGETS)
def test_arena_is_what_tflm_needs_and_what_is_told(
    int8: bytes, for_target: ForTarget, accelerator: str
) -> None:
    """Pointers are 8 bytes here; a Cortex-M, where they are 4, needs less."""
    compiled, infer = for_target(accelerator), tflm_npu.network(int8)
    header = bundle(int8, compiled, "kws")["kws_model.h"]
    size = int(constant(header, "KWS_ARENA_SIZE").rstrip("u"))
    tflm_npu.Device(compiled.tflite, size, infer)
    with pytest.raises(RuntimeError):
        tflm_npu.Device(compiled.tflite, size - 128, infer)
    in_sram = compiled.target.memory_name("arena") == "Sram"
    assert (compiled.sram_kib if in_sram else compiled.dram_kib) >= size / 1024
    assert not in_sram or compiled.sram_kib == size / 1024


def planned(content: bytes, places: Mapping[str, int]) -> bytes:
    """A compiled file whose memory plan is changed: tensor name -> offset."""
    model = flatbuffer.read(content)
    (entry,) = (m for m in model.metadata if m.name == b"OfflineMemoryAllocation")
    words = np.frombuffer(bytes(model.buffers[entry.buffer].data), "<i4").copy()
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if tensor.name.decode() in places:
            words[3 + index] = places[tensor.name.decode()]
    model.buffers[entry.buffer].data = np.frombuffer(words.tobytes(), np.uint8)
    return flatbuffer.write(model)


def layouts() -> list[Layout]:
    """Which input lies over which output: 0 to 2 are states' outputs, 3 is apart."""
    every = [
        p for p in itertools.product(range(4), repeat=3) if len(set(p) - {3}) == 3 - p.count(3)
    ]
    chosen = np.random.default_rng(4).permutation(len(every))[:8]
    return [*(every[i] for i in chosen), (1, 2, 0)]


@pytest.mark.parametrize("layout", layouts(), ids=str)
def test_state_copy_fits_any_layout(
    int8: bytes, compiled: Compiled, layout: Layout, tmp_path: Path
) -> None:
    """Shifted by half a state, so that a copy overlaps partly, and in cycles too."""
    places = {f"{state}_out": 64 * number for number, state in enumerate(STATES)}
    places |= {
        f"{state}_in": 64 * over + 4 if over < 3 else 256 + 64 * number
        for number, (state, over) in enumerate(zip(STATES, layout, strict=True))
    }
    places |= {"x": 512, "y": 576}
    content = planned(compiled.tflite, places)
    made = bundle(int8, with_content(compiled, content), "kws")
    assert ("kept_" in made["kws_io.c"]) == (layout in [(1, 2, 0), (2, 0, 1)] or _swap(layout))
    library, arena = build(made, tmp_path), np.zeros(1024, np.uint8)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(content))
    base = arena.ctypes.data
    ins, outs = ([base + places[t.name] for t in group] for group in (inputs, outputs))
    expected = {}
    for number, (tensor, start) in enumerate(zip(outputs, outs, strict=True)):
        if tensor.name != "y":
            tflm_npu.view(start, UNITS, np.int8)[:] = np.arange(UNITS) + 10 * number
            expected[tensor.name] = (np.arange(UNITS) + 10 * number).tolist()
    library.kws_copy_states(pointers(ins), pointers(outs))
    for tensor, start in zip(inputs, ins, strict=True):
        if tensor.name != "x":
            copied = tflm_npu.view(start, UNITS, np.int8).tolist()
            assert copied == expected[tensor.name.replace("_in", "_out")], tensor.name


def _swap(layout: Layout) -> bool:
    return any(layout[layout[i]] == i != layout[i] for i in range(3) if layout[i] < 3)


def test_without_a_plan_the_copies_still_overwrite_nothing(int8: bytes, compiled: Compiled) -> None:
    model = flatbuffer.read(compiled.tflite)
    model.metadata = [m for m in model.metadata if m.name != b"OfflineMemoryAllocation"]
    made = bundle(int8, with_content(compiled, flatbuffer.write(model)), "kws")
    assert made["kws_io.c"].count("memcpy(kept_") == 2  # the third is copied while they wait
    arena = int(constant(made["kws_model.h"], "KWS_ARENA_SIZE").rstrip("u"))
    assert arena > 368 + 8 * 16  # each tensor counted on its own: Vela's scratch, 8 small ones


def test_a_state_that_is_also_the_result(int8: bytes, tmp_path: Path) -> None:
    """Two names of one tensor, as of a GRU that is the last layer; Vela keeps both."""
    model = flatbuffer.read(int8)
    outputs = model.signatureDefs[0].outputs
    alias = copy.deepcopy(next(entry for entry in outputs if entry.name == b"lstm/h_out"))
    alias.name = b"result"
    outputs.append(alias)
    content = flatbuffer.write(model)
    made = bundle(content, vela.compile(content, target()), "kws")
    build(made, tmp_path)
    indices = [
        constant(made["kws_io.h"], f"KWS_OUTPUT_{n}_INDEX") for n in ("LSTM_H_OUT", "RESULT")
    ]
    assert indices[0] == indices[1]
    assert "kws_dequantize_result(" in made["kws_io.h"]
    assert made["kws_io.c"].count("memmove(") == 3


def test_a_network_without_states(int8_tflite: bytes, tmp_path: Path) -> None:
    made = bundle(int8_tflite, vela.compile(int8_tflite, target()), "plain")
    library = build(made, tmp_path)
    assert not hasattr(library, "plain_reset_states")
    assert not any(word in made["plain_io.c"] for word in ("copy_states", "string.h"))
    assert "no state inputs" in made["README.md"]
    assert "states(" not in made["README.md"]


CLASH: dict[str, tuple[Callable[[bytes, bytes], Sequence[bytes]], str]] = {
    "not the compiled file's": (
        lambda i, v: (edited(i, x=(schema.TensorType.INT8, 0.5, 0)), v),
        r"input 'x' is int8\(1, 1, 5\), scale 0.5, zero point 0 in the int8 file and int8\(1, 1, 5",
    ),
    "an input that Vela does not have": (
        lambda i, v: (renamed(i, {"x": "z"}), v),
        r"input 'z' of the int8 file is its tensor 'z'; the compiled file has 0 inputs .* 1",
    ),
    "two inputs of one name": (
        lambda i, v: (renamed(i, {"x": "gru/h_in"}), renamed(v, {"x": "gru/h_in"})),
        r"input 'gru/h_in' .* the compiled file has 2 inputs with that tensor's name, expected 1",
    ),
    "float": (
        lambda i, v: [edited(t, x=(schema.TensorType.FLOAT32, 1.0, 0)) for t in (i, v)],
        "input 'x' holds float32, expected int8 or int16",
    ),
    "no scale": (
        lambda i, v: [edited(t, x=(schema.TensorType.INT8, 0.0, 0)) for t in (i, v)],
        "input 'x' has no scale, expected a quantized tensor",
    ),
    "a state with two scales": (
        lambda i, v: [edited(t, **{"gru/h_in": (schema.TensorType.INT8, 0.25, 0)}) for t in (i, v)],
        r"state 'gru/h' goes in as int8\(1, 8\), scale 0.25, zero 0 and comes out as int8",
    ),
    "a state with two types": (
        lambda i, v: [edited(t, **{"lstm/c_in": (schema.TensorType.INT16, 1, 0)}) for t in (i, v)],
        r"state 'lstm/c' goes in as int16.* and comes out as int8.*quantize the model with Unspool",
    ),
    "a state without an output": (
        lambda i, v: [renamed(t, {"gru/h_out": "gru/h_new"}) for t in (i, v)],
        "state 'gru/h': expected an input 'gru/h_in' and an output 'gru/h_out', .*gru/h_new",
    ),
    "an uncompiled file": (lambda i, v: (b"{}", v), "not a .tflite file"),
}


@pytest.mark.parametrize("case", CLASH)
def test_refuses_what_would_be_wrong_on_the_device(
    int8: bytes, compiled: Compiled, case: str
) -> None:
    change, message = CLASH[case]
    mine, velas = change(int8, compiled.tflite)
    with pytest.raises(UnspoolError, match=message) as error:
        bundle(mine, with_content(compiled, velas), "kws")
    assert "\n" not in str(error.value)


def test_refuses_an_output_that_only_vela_has(int8: bytes, compiled: Compiled) -> None:
    model = flatbuffer.read(int8)
    signature = model.signatureDefs[0]
    signature.outputs = [entry for entry in signature.outputs if entry.name != b"y"]
    with pytest.raises(UnspoolError, match="compiled file has the output 'y', which the int8 file"):
        bundle(flatbuffer.write(model), compiled, "kws")


@pytest.mark.parametrize("kind", ["input", "output"])
def test_refuses_a_signature_of_what_is_neither_taken_nor_given(
    int8: bytes, compiled: Compiled, kind: str
) -> None:
    model = flatbuffer.read(int8)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    ends = {*graph.inputs, *graph.outputs}
    inner = next(index for index in range(len(graph.tensors)) if index not in ends)
    (entry, *_) = signature.inputs if kind == "input" else signature.outputs
    entry.tensorIndex = inner
    line = f"signature calls its tensor .* the {kind} .*, which is no {kind} of its graph"
    with pytest.raises(UnspoolError, match=line):
        bundle(flatbuffer.write(model), compiled, "kws")


def test_a_name_that_the_signature_leaves_out_is_the_tensors(
    int8: bytes, compiled: Compiled
) -> None:
    model = flatbuffer.read(int8)
    (state,) = (each for each in model.signatureDefs[0].inputs if each.name == b"gru/h_in")
    state.name = b""
    assert bundle(flatbuffer.write(model), compiled, "kws") == bundle(int8, compiled, "kws")


@pytest.mark.parametrize("name", ["", "42", "--", "日本"])
def test_refuses_a_name_without_a_letter(int8: bytes, compiled: Compiled, name: str) -> None:
    with pytest.raises(UnspoolError, match=f"bundle name {name!r}: .* at least one letter"):
        bundle(int8, compiled, name)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("int", "int"), ("My Model-v2.tflite", "my_model_v2_tflite"), ("1st", "model_1st")],
)
def test_ugly_names_compile(
    int8: bytes, compiled: Compiled, name: str, prefix: str, tmp_path: Path
) -> None:
    new = {"x": "*/ int x; /* ??/ \\", "y": "float", "gru/h_in": "größe 1/h_in"}
    new["gru/h_out"] = "größe 1/h_out"
    binary = with_content(compiled, renamed(compiled.tflite, new))
    made = bundle(with_states_renamed(int8, new), binary, name)
    assert set(made) == {
        *(f"{prefix}_{part}.{end}" for part in ("model", "io") for end in "hc"),
        "README.md",
    }
    library = build(made, tmp_path)
    for function in ("quantize_int_x", "dequantize_float", "reset_states"):
        assert hasattr(library, f"{prefix}_{function}")
    assert all(text.isascii() for text in made.values())


def test_identifiers_never_collide() -> None:
    names = ["a/b", "a-b", "A B", "a_b_2", "", "*", "int"]
    assert list(distinct(names).values()) == [
        "a_b",
        "a_b_2",
        "a_b_3",
        "a_b_2_2",
        "tensor",
        "tensor_2",
        "int",
    ]


def test_resolver_calls_have_tflms_names(float_tflite: bytes, compiled: Compiled) -> None:
    assert resolver.calls(flatbuffer.read(compiled.tflite)) == ["AddEthosU"]
    calls = resolver.calls(flatbuffer.read(float_tflite))
    assert {"AddFullyConnected", "AddTanh", "AddLogistic", "AddMul"} <= set(calls)


def test_operators_on_the_cpu_are_named(int8: bytes, compiled: Compiled) -> None:
    left = Operator("Gelu", "a|b", False, 1, 1, 1, 1, 1, 1, reason="is not supported")
    made = bundle(int8, dataclasses.replace(compiled, cpu_operators=(left,)), "kws")
    assert "- Gelu `a?b`: is not supported\n" in made["README.md"]
    assert "may ask for more" in made["README.md"]


MODES = {
    ("ethos-u55-128", "Shared_Sram"): ("off-chip flash", "SRAM", None, "defaults"),
    ("ethos-u55-128", "Sram_Only"): (
        "SRAM, copied there at start-up",
        "SRAM",
        None,
        "-DNPU_QCONFIG=0 -DNPU_REGIONCFG_0=1 -DNPU_REGIONCFG_1=0 -DNPU_REGIONCFG_2=1",
    ),
    ("ethos-u65-256", "Dedicated_Sram_384KB"): ("DRAM", "DRAM", "SRAM", "defaults"),
    ("ethos-u85-256", "Dedicated_Sram_384KB"): (
        "DRAM",
        "DRAM",
        "SRAM",
        "differ in NPU_REGIONCFG_1",
    ),
}


@pytest.mark.parametrize(("accelerator", "mode"), MODES)
def test_readme_says_which_memory(
    int8: bytes, for_target: ForTarget, accelerator: str, mode: str
) -> None:
    model, arena, fast, driver = MODES[accelerator, mode]
    chosen = target(accelerator, memory_mode=mode)
    compiled = dataclasses.replace(for_target(accelerator), target=chosen)
    made = bundle(int8, compiled, "kws")
    readme, header = made["README.md"], made["kws_model.h"]
    assert f"weights and command stream | {len(compiled.tflite):,} | {model} |" in readme
    size = int(constant(header, "KWS_ARENA_SIZE").rstrip("u"))
    assert f"`KWS_ARENA_SIZE` | {size:,} | {arena} |" in readme
    assert driver in readme
    assert ("model_in_sram" in readme) == (mode == "Sram_Only")
    if fast:
        size = int(constant(header, "KWS_FAST_SCRATCH_SIZE").rstrip("u"))
        assert f"`KWS_FAST_SCRATCH_SIZE` | {size:,} | {fast}, used by the NPU alone |" in readme
        assert "fast_scratch, KWS_FAST_SCRATCH_SIZE, 1, 1)" in readme
    else:
        assert "FAST_SCRATCH" not in readme + header
        assert "nullptr, 0, 1, 1)" in readme


def test_readme_has_the_calls_and_the_figures(int8: bytes, compiled: Compiled) -> None:
    readme = bundle(int8, compiled, "kws")["README.md"]
    calls = ("reset_states(", "quantize_x(", "Invoke()", "dequantize_y(", "copy_states(")
    places = [readme.index(call) for call in calls]
    assert places == sorted(places)
    assert f"| NPU cycles of an inference | {compiled.cycles:,} |" in readme
    assert f"estimates of Vela {compiled.vela_version} for {compiled.target}" in readme
    for text in (str(compiled.target), compiled.vela_version):
        assert text in bundle(int8, compiled, "kws")["kws_model.h"]


STUBS = {  # of TFLM and the driver: their names and types, as of 2026
    "ethosu_driver.h": """
        #include <stddef.h>
        #include <stdint.h>
        struct ethosu_driver { int reserved; };
        extern "C" int ethosu_init(ethosu_driver *, const void *, const void *, size_t, uint32_t,
                                   uint32_t);""",
    "tensorflow/lite/schema/schema_generated.h": """
        #pragma once
        namespace tflite { struct Model; const Model *GetModel(const void *); }""",
    "tensorflow/lite/micro/micro_mutable_op_resolver.h": """
        #pragma once
        namespace tflite {
        struct MicroOpResolver {};
        template <unsigned n> struct MicroMutableOpResolver : MicroOpResolver { int AddEthosU(); };
        }""",
    "tensorflow/lite/micro/micro_interpreter.h": """
        #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
        #include "tensorflow/lite/schema/schema_generated.h"
        enum TfLiteStatus { kTfLiteOk };
        struct TfLiteTensor { union { void *data; } data; };
        namespace tflite { struct MicroInterpreter {
            MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *, size_t);
            TfLiteStatus AllocateTensors(), Invoke();
            TfLiteTensor *input(size_t), *output(size_t);
        }; }""",
}


@pytest.mark.parametrize("accelerator", TARGETS)
def test_the_code_in_the_readme_compiles(
    int8: bytes, for_target: ForTarget, accelerator: str, tmp_path: Path
) -> None:
    made = bundle(int8, for_target(accelerator), "kws")
    write(made, tmp_path)
    for name, text in STUBS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    lines = "".join(re.findall(r"```cpp\n(.*?)```", made["README.md"], re.DOTALL)).splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    code = [line for line in lines if line not in includes]
    program = [*includes, "#define NPU_BASE_ADDRESS 0x40004000", "void all(float *x, float *y) {"]
    (tmp_path / "main.cc").write_text("\n".join([*program, *code, "}", ""]))
    run("g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I.", "-c", "main.cc", at=tmp_path)


def test_is_reproducible_and_names_no_path(int8: bytes, compiled: Compiled) -> None:
    made = bundle(int8, compiled, "kws")
    assert made == bundle(int8, compiled, "kws")
    assert not any(str(compiled.target.config.parent) in text for text in made.values())


def test_write(int8: bytes, compiled: Compiled, tmp_path: Path) -> None:
    made = bundle(int8, compiled, "kws")
    sizes = write(made, tmp_path / "a" / "firmware")
    files = {path.name: path for path in (tmp_path / "a" / "firmware").iterdir()}
    assert {name: path.read_text() for name, path in files.items()} == made
    assert {name: path.stat().st_size for name, path in files.items()} == sizes
    (tmp_path / "file").write_text("")
    with pytest.raises(UnspoolError, match="cannot be written"):
        write(made, tmp_path / "file")
