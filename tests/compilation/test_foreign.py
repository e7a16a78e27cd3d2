"""Files that Unspool did not make: where their operators run, to the operator.

What stays on the CPU is what is in the compiled file beside `ethos-u`, read here by LiteRT's tools.
"""

import json
import re
from collections import Counter
from pathlib import Path

import foreign
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from commands import unspool

from unspool.compilation import vela
from unspool.compilation.targets import target
from unspool.errors import UnspoolError

ROW = re.compile(r"^ (\S+) +(\S*)…? +(CPU|NPU|nothing)(?: |$)")
FLOAT_LSTM = {"lstm_float", "lstm_half"}  # Vela refuses them
NAMES = [name for name in foreign.files() if name not in FLOAT_LSTM]
TARGETS = ["ethos-u55-128", "ethos-u85-256"]


def kinds(tflite: bytes) -> Counter[str]:
    """How often each kind of operator is in a file, in all of its graphs."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    counts: Counter[str] = Counter()
    for operator in (op for graph in model.subgraphs for op in graph.operators):
        custom = model.operatorCodes[operator.opcodeIndex].customCode
        builtin = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        counts[custom.decode() if custom else builtin] += 1
    return counts


@pytest.mark.one_in(3)
@pytest.mark.parametrize("accelerator", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_inspect_says_what_compile_does(name: str, accelerator: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.tflite"
    file.write_bytes(foreign.files()[name])
    run = unspool("inspect", file, "--target", accelerator)
    assert run.returncode == 0, run.stderr
    rows = [match.groups() for line in run.stdout.splitlines() if (match := ROW.match(line))]
    assert Counter(kind for kind, _, _ in rows) == kinds(file.read_bytes())
    on_cpu = [row for row in rows if row[2] == "CPU"]

    run = unspool("compile", file, "--target", accelerator, "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    operators = report["placement"]["cpu_operators"]
    assert len(operators) == report["figures"]["cpu_operators"]["value"] == len(on_cpu)
    left = kinds((tmp_path / f"{name}_vela.tflite").read_bytes())
    assert Counter(kind for kind, _, _ in on_cpu) == left - Counter({"ethos-u": left["ethos-u"]})
    for (_, shown, _), whole in zip(
        sorted(on_cpu, key=lambda row: row[1]), sorted(op["name"] for op in operators), strict=True
    ):
        assert whole.startswith(shown)
    assert {op["kind"] for op in operators if not op["reason"]} <= {"CALL_ONCE"}
    if not left["ethos-u"]:
        assert {where for _, _, where in rows} == {"CPU"}


def test_names_that_repeat_are_told_apart(tmp_path: Path) -> None:
    """Every tensor of one name: QUANTIZE and DEQUANTIZE, SIN and CUMSUM stay on the CPU."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(foreign.files()["curves_ends"]))
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"same;same"
    file = tmp_path / "same.tflite"
    file.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    rows = [ROW.match(line) for line in unspool("inspect", file).stdout.splitlines()]
    placed = {(row[1], row[3]) for row in rows if row}
    assert placed == {
        *((kind, "CPU") for kind in ("QUANTIZE", "DEQUANTIZE", "SIN", "CUMSUM")),
        *((kind, "NPU") for kind in ("FULLY_CONNECTED", "RESHAPE", "SOFTMAX")),
    }


def test_an_embedding_runs_on_the_u85_and_not_on_the_u55() -> None:
    words = foreign.files()["words_int8"]
    u85, u55 = (vela.compile(words, target(name)) for name in ("ethos-u85-256", "ethos-u55-128"))
    assert kinds(u85.tflite) == {"ethos-u": 1}
    assert u85.cpu_operators == ()
    assert all(op.on_npu for op in u85.operators) and u85.npu_operators == len(u85.operators)
    assert [(op.kind, op.reason) for op in u55.cpu_operators] == [
        ("GatherV2", "Unsupported opType")
    ]
    assert u55.cpu_positions == ((0, 0),)


@pytest.mark.parametrize("name", sorted(FLOAT_LSTM))
@pytest.mark.parametrize("command", ["inspect", "compile"])
def test_an_lstm_in_float_is_refused_in_one_line(name: str, command: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.tflite"
    file.write_bytes(foreign.files()[name])
    run = unspool(command, file, *(["--out", tmp_path] if command == "compile" else []))
    assert run.returncode == 2
    (line,) = (line for line in run.stderr.splitlines() if line.startswith("unspool: error:"))
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in line and "IFM must be INT8 or INT16" in line
    assert line.endswith("; it computes in float: quantize it to int8 first")


def test_what_vela_refuses_for_another_type_is_not_said_to_be_float() -> None:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(foreign.files()["lstm_int8"]))
    model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])].type = schema.TensorType.UINT8
    changed = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(UnspoolError, match=r"Vela 5\.\S+ refused the file .* IFM type=UINT8$"):
        vela.compile(changed, target())
