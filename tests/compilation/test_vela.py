"""The real Vela: every target, every operator on the NPU, and its own words when it is not so."""

import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from models import Graph, options

from unspool.compilation import vela
from unspool.compilation.targets import ACCELERATORS, target
from unspool.errors import UnspoolError
from unspool.npu.debug import read_debug
from unspool.tflite import flatbuffer


@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_every_operator_runs_on_the_npu(int8_tflite: bytes, accelerator: str) -> None:
    compiled = vela.compile(int8_tflite, target(accelerator))
    assert compiled.cpu_operators == ()
    assert compiled.npu_operators > 0
    assert compiled.cycles > 0 and compiled.milliseconds > 0 and compiled.sram_kib > 0
    assert compiled.tflite[4:8] == b"TFL3"


def test_a_process_of_its_own_says_what_a_fork_does(
    int8_tflite: bytes, request: pytest.FixtureRequest
) -> None:
    """The other tests compile in forks, which save them the time that importing Vela takes."""
    forked = vela.compile(int8_tflite, target())
    request.getfixturevalue("vela_alone")
    alone = vela.compile(int8_tflite, target())
    assert replace(alone, debug=b"") == replace(forked, debug=b"")
    # Its numbers of operators follow Python's hashes; what they name is the same.
    assert read_debug(alone.debug) == read_debug(forked.debug)


@pytest.mark.parametrize("mode", ["Shared_Sram", "Sram_Only"])
def test_figures_add_up(int8_tflite: bytes, mode: str) -> None:
    compiled = vela.compile(int8_tflite, target("ethos-u55-128", memory_mode=mode))
    assert sum(op.cycles for op in compiled.operators) == pytest.approx(compiled.cycles, rel=0.1)
    clock = 500e6  # Ethos_U55_High_End_Embedded
    assert compiled.milliseconds == pytest.approx(1000 * compiled.cycles / clock)
    # By hand: x @ W for 6 steps, h @ U for 5, the dense layer.
    assert sum(op.macs for op in compiled.operators if op.kind == "FullyConnected") == (
        6 * 5 * 24 + 5 * 8 * 24 + 8 * 4
    )
    assert compiled.flash_kib >= compiled.weights_kib > 0


def test_cpu_operators_are_listed_with_velas_reason(float_tflite: bytes) -> None:
    compiled = vela.compile(float_tflite, target())
    assert compiled.npu_operators == 0
    assert compiled.cpu_operators
    for operator in compiled.cpu_operators:
        assert operator.name
        assert not operator.on_npu
        assert "Float32" in operator.reason, operator


@pytest.mark.parametrize("target_", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_a_scale_that_vela_cannot_write_is_the_reason(target_: str) -> None:
    """A LayerNormalization of values of 10^8 has squares of 10^16; Vela does not name these."""
    graph = Graph()
    x = graph.input((1, 4, 4, 8), 0.5)
    for scale in (2.0**32, 2.0**30):
        graph.op("MUL", [x, x], graph.output((1, 4, 4, 8), scale), options("MulOptions"))
    on_cpu = vela.compile(graph.build(), target(target_)).cpu_operators
    assert [(op.name, op.reason) for op in on_cpu] == [
        (
            "t1",
            "Vela takes no scale of 2^32 or more; 't1' has 4.3e+09: its values are too large, "
            "scale down what it is made of",
        )
    ]


def test_a_compiled_file_is_not_compiled_again(int8_tflite: bytes) -> None:
    compiled = vela.compile(int8_tflite, target())
    with pytest.raises(UnspoolError, match="compiled by Vela already"):
        vela.compile(compiled.tflite, target())


def test_velas_own_reason_is_passed_on(
    int8_tflite: bytes, tmp_path: Path, vela_alone: None
) -> None:
    """A configuration that our checks let pass and Vela refuses."""
    text = target().config.read_text()
    mine = tmp_path / "mine.ini"
    mine.write_text(text.replace("Sram_burst_length=32", "Sram_burst_length=many"))
    with pytest.raises(UnspoolError, match=r"Vela 5\.\S+ refused the file for .*many") as error:
        vela.compile(int8_tflite, target(config=mine))
    assert "Traceback" not in str(error.value)


def test_vela_missing_says_what_to_install(
    int8_tflite: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = target()
    monkeypatch.setattr(vela, "version", _missing)
    with pytest.raises(UnspoolError, match="Vela is not installed: pip install"):
        vela.compile(int8_tflite, chosen)


def _missing(name: str) -> None:
    raise PackageNotFoundError(name)


def test_vela_dying_without_a_word_says_so(
    int8_tflite: bytes, vela_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(UnspoolError, match="exit status 1, without a message"):
        vela.compile(int8_tflite, target())


def test_velas_last_words_are_not_the_reason_where_a_signal_is(int8_tflite: bytes) -> None:
    def killed(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(arguments, -signal.SIGSEGV, "Info: all is well", "")

    with pytest.raises(UnspoolError, match=r"Vela 5\.\S+ died of SIGSEGV on the file for ethos"):
        vela.compile_with(killed, int8_tflite, target())


def _named(tflite: bytes, ending: str) -> bytes:
    """All tensors have names that end so."""
    model = flatbuffer.read(tflite)
    for tensor in model.subgraphs[0].tensors:
        tensor.name += ending.encode()
    return flatbuffer.write(model)


@pytest.mark.parametrize("ending", [",b,c", '"', "' x", ",NPU,1", "é\u202e"])
def test_names_are_those_of_the_file_whatever_is_in_them(int8_tflite: bytes, ending: str) -> None:
    """Vela writes its table of operators without quotes."""
    expected, operators = (
        vela.compile(file, target()).operators
        for file in (int8_tflite, _named(int8_tflite, ending))
    )
    assert [op.cycles for op in operators] == [op.cycles for op in expected]
    assert all(ending in op.name for op in operators)


@pytest.mark.parametrize("ending", ["\nTanh,LUT,NPU,1", "\r", "\u2028", "]]>", "\0"])
def test_names_that_would_add_to_velas_report_are_refused(int8_tflite: bytes, ending: str) -> None:
    with pytest.raises(UnspoolError, match=r"the name .* rename the tensor") as error:
        vela.compile(_named(int8_tflite, ending), target())
    assert len(str(error.value).splitlines()) == 1
