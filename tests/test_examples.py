"""The examples: stored outputs that were really made, and quick forms that still run."""

import importlib.util
import io
import json
import os
import pickle
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import pytest
from commands import here
from nbclient import NotebookClient

import unspool

EXAMPLES = Path(__file__).parents[1] / "examples"
GUIDE = EXAMPLES / "guide.ipynb"
PATIENCE = 1200  # seconds, for a cell on the busiest machine
WATCH = EXAMPLES / "watch_exercises.py"
SILERO = EXAMPLES / "silero_vad.py"


def texts(notebook: Any) -> list[str]:
    """What each code cell printed or returned."""
    outputs = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
            outputs.append("".join(parts))
    return outputs


def noise(notebook: Any) -> list[str]:
    """Errors, and what libraries wrote to stderr."""
    return [
        str(output)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


@pytest.fixture(scope="module")
def stored() -> Any:
    return nbformat.read(GUIDE, 4)


def test_the_notebook_has_the_outputs_of_its_full_form(stored: Any) -> None:
    nbformat.validate(stored)
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run from top to bottom, and saved so"
    assert noise(stored) == []
    printed = "\n".join(texts(stored))
    assert "of 10,000 test images" in printed
    assert "1,000 of 1,000 images give the same bytes" in printed


def test_the_notebook_tells_nothing_of_the_machine_it_ran_on(stored: Any) -> None:
    whole = nbformat.writes(stored)
    for trace in ("/tmp/", "/home/", "/root/", "/work/", "site-packages", "http://localhost"):
        assert trace not in whole


@pytest.mark.slow  # the `mnist` command, which every run tries end to end, goes the same way
def test_the_notebook_runs_in_its_quick_form(
    stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSPOOL_QUICK", "1")
    notebook = nbformat.read(GUIDE, 4)
    NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute(cwd=tmp_path)
    assert noise(notebook) == []
    printed = texts(notebook)
    # A cell that prints in the full form prints in the quick one, too.
    assert [bool(text) for text in printed] == [bool(text) for text in texts(stored)]
    assert "200 of 200 images give the same bytes" in "\n".join(printed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_stream_of_a_watch_runs_in_its_quick_form(example: ModuleType, tmp_path: Path) -> None:
    run = here("watch_exercises", example.main, "--quick", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr and "WARNING" not in run.stderr
    assert "the same values as the int8 model in TFLM" in run.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["figures"]["npu_equal"]["value"] == report["simulation"]["samples"] == 8
    assert [port["name"] for port in report["model"]["inputs"]] == ["motion", "gru/h_in"]
    assert report["drift"]["calls"] == 1_000
    assert {path.name for path in (tmp_path / "out" / "firmware").iterdir()} >= {"watch_io.c"}


def test_a_mistake_is_one_line_and_status_2(tmp_path: Path) -> None:
    asked = ("--quick", "--target", "ethos-u1", "--out", str(tmp_path / "out"))
    run = here("watch_exercises", _as_a_script, *asked)
    assert run.returncode == 2
    assert run.stderr.startswith("watch_exercises: error: target 'ethos-u1': expected one of")
    assert not (tmp_path / "out").exists()


def _as_a_script() -> int:
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(WATCH), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return _module(WATCH)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The package that Silero's detector comes in; nothing of it is installed."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "silero-vad"]
    run = subprocess.run([*command, "-d", str(tmp_path)], capture_output=True, check=False)
    if run.returncode:
        pytest.skip("silero-vad cannot be downloaded here")
    (path,) = tmp_path.glob("*.whl")
    return path


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks")
def test_the_voice_detector_runs_in_its_quick_form(wheel: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = here("silero_vad", _module(SILERO).main, "--quick", "--package", wheel, "--out", out)
    assert run.returncode == 0, run.stderr
    said = run.stdout
    assert "the same bytes as TFLM (simulated): 1,875 frames" in said
    assert "operators on the NPU / CPU: 24 / 0" in said
    (same,) = re.findall(r"decided as in float, at 0.5 \(simulated\): ([\d.]+) %", said)
    assert float(same) >= 99.5
    (mean, largest) = re.findall(r"mean ([\d.]+), largest ([\d.]+)", said)[0]
    assert float(mean) < 0.01 and float(largest) < 0.1
    assert (out / "speech.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "model_vela.tflite").is_file()


def test_the_voice_detector_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = _module(SILERO)
    monkeypatch.setattr(detector, "find_spec", lambda name: None)
    with pytest.raises(unspool.UnspoolError, match="pip download --no-deps silero-vad"):
        detector.model_file(None, Path())


def test_nobody_is_trained_on_and_tested(example: ModuleType) -> None:
    """10 people, 7 exercises, 2 arms: 3 people make 42 recordings, 6 of each exercise."""
    train, test = example.load()
    assert (len(train.signals), len(test.signals)) == (7 * 7 * 2, 3 * 7 * 2)
    assert np.bincount(test.exercises).tolist() == [6] * 7
    seen = {signal.tobytes() for signal in train.signals}
    assert not any(signal.tobytes() in seen for signal in test.signals)
    assert all(signal.shape[1] == 6 and np.isfinite(signal).all() for signal in train.signals)


def test_the_data_file_cannot_run_code(example: ModuleType, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "attacked"),)

    content = io.BytesIO()
    np.save(content, np.array({"X": Attack()}, object), allow_pickle=True)
    (tmp_path / "data.npy").write_bytes(content.getvalue())
    with pytest.raises(pickle.UnpicklingError, match="mkdir is not an array"):
        example._read(tmp_path / "data.npy")
    assert not (tmp_path / "attacked").exists()
