"""`--steps-per-call` where one binary cannot do it: a network in parts."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import unspool

from unspool.support._tensorflow import keras

L = keras.layers
STEPS, FEATURES = 36, 5
VALUE = {"value": "x", "is_sequence": True, "backwards": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bidirectional classifier and its data."""
    there = tmp_path_factory.mktemp("parts")
    keras.utils.set_random_seed(4)
    x = keras.Input((STEPS, FEATURES), name="x")
    both = L.Bidirectional(L.GRU(6, return_sequences=True))(x)
    keras.Model(x, L.Dense(3, "softmax")(L.GlobalMaxPooling1D()(both))).save(there / "m.keras")
    data = np.random.default_rng(0).normal(size=(30, STEPS, FEATURES)).astype(np.float32)
    np.save(there / "x.npy", data)
    np.save(there / "y.npy", np.random.default_rng(1).integers(0, 3, 30))
    return there


def deploy(folder: Path, *options: object, model: str = "m.keras") -> Any:
    data = ("--calibration", folder / "x.npy", "--test", folder / "x.npy", folder / "y.npy")
    return unspool("deploy", folder / model, *data, *options)


@pytest.fixture(scope="module")
def done(folder: Path) -> tuple[Any, dict[str, Any]]:
    run = deploy(folder, "--steps-per-call", 12, "--out", folder / "out")
    assert run.returncode == 0, run.stderr
    return run, json.loads((folder / "out/report.json").read_text())


def test_one_report_of_all_binaries(done: tuple[Any, dict[str, Any]], folder: Path) -> None:
    run, report = done
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    parts = report["parts"]
    assert [part["steps_per_call"] for part in parts] == [12, None]
    assert [part["calls"] for part in parts] == [3, 1]
    assert figures["parts"] == 2
    assert figures["calls"] == 4
    assert figures["cycles"] == sum(part["cycles"] for part in parts)
    sizes = [(folder / f"out/model_{n}_vela.tflite").stat().st_size / 1024 for n in (1, 2)]
    assert figures["flash"] == pytest.approx(sum(sizes))
    assert figures["npu_equal"] == 30
    assert figures["cpu_operators"] == 0
    assert figures["handed_on"] == STEPS * 2 * 6 / 1024
    assert figures["milliseconds"] == pytest.approx(sum(p["milliseconds"] for p in parts) + 0.02)
    assert "Parts, run one after the other" in run.stdout
    assert " x both ways " in run.stdout
    page = (folder / "out/report.html").read_text()
    assert "Parts, run one after the other" in page
    assert "Vela printed none" not in page


def test_its_firmware_runs_all_of_them(done: tuple[Any, dict[str, Any]], folder: Path) -> None:
    names = {path.name for path in (folder / "out/firmware").iterdir()}
    assert {"network_run.c", "network_part_2_model.c", "README.md"} <= names
    assert "int network_run(" in (folder / "out/firmware/network_run.h").read_text()


def test_check_and_diff_take_it(done: tuple[Any, dict[str, Any]], folder: Path) -> None:
    assert unspool("check", folder / "out", "--no-cpu", "--max-flash-kib", 100).returncode == 0
    over = unspool("check", folder / "out", "--max-flash-kib", 1)
    assert over.returncode == 1
    same = unspool("diff", folder / "out", folder / "out")
    assert same.returncode == 0, same.stderr


def test_the_folder_is_simulated(done: tuple[Any, dict[str, Any]], folder: Path) -> None:
    percent = done[1]["figures"]["accuracy_npu"]["value"]
    run = unspool(
        "simulate", folder / "out", "--data", folder / "x.npy", "--labels", folder / "y.npy"
    )
    assert run.returncode == 0, run.stderr
    assert f"accuracy: {percent:.2f} %, " in run.stdout
    np.save(folder / "far.npy", 50 * np.load(folder / "x.npy"))
    far = unspool("simulate", folder / "out", "--data", folder / "far.npy")
    assert "Attention: 30 of 30 samples reach outside of what input 'x' was" in far.stdout
    wrong = unspool("simulate", folder / "out", "--data", folder / "y.npy")
    assert wrong.returncode == 2
    assert "'x' has the shape (30,), expected (samples, 36, 5)" in wrong.stderr


def test_the_bundle_is_made_again_under_another_name(
    done: tuple[Any, dict[str, Any]], folder: Path
) -> None:
    firmware = folder / "out/firmware"
    before = (firmware / "network_run.c").read_text()
    assert unspool("bundle", folder / "out", "--name", "kws").returncode == 0
    names = (firmware / "kws_run.c").read_text().replace("kws", "network").replace("KWS", "NETWORK")
    assert "".join(names.split()) == "".join(before.split())
    drift = unspool("drift", folder / "out", "--data", folder / "x.npy")
    assert drift.returncode == 2
    assert "a network in parts, whose calls begin anew with each sequence" in drift.stderr


DAMAGED: dict[str, tuple[str, Any]] = {
    "no such part": ("outputs", []),
    "a value that nothing gives": ("inputs", [{**VALUE, "value": "nothing"}] * 2),
    "a number for a name": ("inputs", [{**VALUE, "value": 3}] * 2),
    "a word for a number": ("steps_per_call", "<b>12</b>"),
    "a word for a flag": ("inputs", [{**VALUE, "backwards": "yes"}] * 2),
    "no steps": ("steps_per_call", 0),
    "a value that two give": ("outputs", [{**VALUE, "value": "twice"}] * 2),
    "an input that is given, too": ("outputs", [VALUE, {**VALUE, "value": "other"}]),
    "a value that nothing reads": (
        "outputs",
        [{**VALUE, "value": "one"}, {**VALUE, "value": "other"}],
    ),
    "one value that runs backwards": (
        "inputs",
        [{**VALUE, "is_sequence": False, "backwards": True}, VALUE],
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_parts_that_do_not_fit_are_one_line(
    done: tuple[Any, dict[str, Any]], folder: Path, tmp_path: Path, name: str
) -> None:
    key, value = DAMAGED[name]
    report = done[1]["parts"]
    parts = [{**report[0], key: value}, *report[1:]]
    _assert_does_not_fit(folder / "out", tmp_path / "out", folder / "x.npy", {"parts": parts})


NO_ENDS: dict[str, tuple[str, Any]] = {
    "an input that nothing reads": ("inputs", [{"name": "x"}, {"name": "more"}]),
    "an input twice": ("inputs", [{"name": "x"}, {"name": "x"}]),
    "no outputs": ("outputs", []),
    "an input for an output": ("outputs", [{"name": "x"}]),
}


@pytest.mark.parametrize("name", NO_ENDS)
def test_inputs_and_outputs_that_do_not_fit_are_one_line(
    done: tuple[Any, dict[str, Any]], folder: Path, tmp_path: Path, name: str
) -> None:
    side, ports = NO_ENDS[name]
    _assert_does_not_fit(
        folder / "out",
        tmp_path / "out",
        folder / "x.npy",
        {"model": {**done[1]["model"], side: ports}},
    )


def test_no_parts_are_one_line(
    done: tuple[Any, dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    ends = {**done[1]["model"], "outputs": done[1]["model"]["inputs"]}
    _assert_does_not_fit(
        folder / "out", tmp_path / "out", folder / "x.npy", {"parts": [], "model": ends}
    )


def _assert_does_not_fit(deployed: Path, out: Path, data: Path, changed: dict[str, Any]) -> None:
    """Of a report with other fields, none is a defect, for commands that run and that compile."""
    shutil.copytree(deployed, out)
    report = json.loads((out / "report.json").read_text())
    (out / "report.json").write_text(json.dumps({**report, **changed}))
    for command in (("simulate", out, "--data", data), ("bundle", out)):
        run = unspool(*command)
        assert run.returncode == 2
        (line,) = run.stderr.splitlines()
        assert "does not say how the parts of the network belong together" in line


def test_files_of_two_deployments_are_not_bundled(
    done: tuple[Any, dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    """An int16 file that lies there still is not taken for one of the report's."""
    shutil.copytree(folder / "out", tmp_path / "out")
    (tmp_path / "out/model_1_int16.tflite").write_bytes(b"older")
    run = unspool("bundle", tmp_path / "out")
    assert run.returncode == 2
    assert "found model_1_int8.tflite and model_1_int16.tflite" in run.stderr


def test_an_older_deployment_of_one_binary_goes(folder: Path) -> None:
    out = folder / "again"
    assert deploy(folder, "--out", out).returncode == 0
    assert (out / "model_int8.tflite").exists()
    assert deploy(folder, "--steps-per-call", 12, "--out", out).returncode == 0
    left = {path.name for path in out.iterdir()}
    assert "model_1_int8.tflite" in left
    assert "model_int8.tflite" not in left
    assert not (out / "firmware/network_model.c").exists()


def test_auto_tries_some(folder: Path) -> None:
    data = np.load(folder / "x.npy")[:, :7]  # of one step or seven
    np.save(folder / "seven.npy", data)
    x = keras.Input((7, FEATURES), name="x")
    keras.Model(x, L.Bidirectional(L.GRU(3))(x)).save(folder / "seven.keras")
    given = (folder / "seven.keras", "--calibration", folder / "seven.npy")
    limit = ("--max-ms", "1000")
    run = unspool("deploy", *given, "--steps-per-call", "auto", *limit, "--out", folder / "auto")
    assert run.returncode == 0, run.stderr
    costs = json.loads((folder / "auto/report.json").read_text())["call_costs"]
    assert [cost["steps_per_call"] for cost in costs] == [1, 7]
    least = min(costs, key=lambda cost: cost["flash_kib"])
    report = json.loads((folder / "auto/report.json").read_text())
    assert report["parts"][0]["steps_per_call"] == least["steps_per_call"]
    assert report["figures"]["cycles"]["value"] == least["cycles"]


REFUSED = {
    "--steps-per-call 5": "--steps-per-call 5: a sequence of 36 time steps is not made of whole "
    "calls; expected one of 1, 2, 3, 4, 6, 9, 12, 18, 36",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_does_not_fit_is_one_line(folder: Path, tmp_path: Path, options: str) -> None:
    run = deploy(folder, *options.split(), "--out", tmp_path / "out")
    assert run.returncode == 2
    errors = [line for line in run.stderr.splitlines() if "error" in line]
    assert errors == [f"unspool: error: {REFUSED[options]}"]


@pytest.fixture(scope="module")
def masked(folder: Path) -> Path:
    """A deployed tagger of sequences that end early."""
    keras.utils.set_random_seed(4)
    x = keras.Input((STEPS, FEATURES), name="x")
    both = L.Bidirectional(L.GRU(6, return_sequences=True))(L.Masking(-9.0, name="pads")(x))
    keras.Model(x, L.Dense(3, "softmax", name="tag")(both)).save(folder / "masked.keras")
    rng = np.random.default_rng(2)
    valid = np.arange(STEPS) < rng.integers(1, STEPS + 1, 30)[:, None]
    np.save(folder / "tags.npy", rng.integers(0, 3, (30, STEPS)))
    np.save(folder / "padded.npy", np.where(valid[..., None], np.load(folder / "x.npy"), -9.0))
    data = (folder / "padded.npy", folder / "tags.npy")
    given = ("--calibration", data[0], "--test", *data, "--steps-per-call", 12)
    run = unspool("deploy", folder / "masked.keras", *given, "--out", folder / "padded")
    assert run.returncode == 0, run.stderr
    return folder / "padded"


@pytest.mark.slow  # test_masks_in_parts.py has it in Python
def test_padded_steps_do_not_count(masked: Path, folder: Path) -> None:
    report = json.loads((masked / "report.json").read_text())
    assert report["masks"] == [{"input": "mask", "source": "x", "value": -9.0, "outputs": ["tag"]}]
    (npu,) = [each for each in report["accuracy"] if each["runtime"] == "npu"]
    padding = int((np.load(folder / "padded.npy")[..., 0] == -9).sum())
    assert (npu["samples"], npu["padded"]) == (30 * STEPS - padding, padding)
    data = ("--data", folder / "padded.npy", "--labels", folder / "tags.npy")
    run = unspool("simulate", masked, *data)
    assert run.returncode == 0, run.stderr
    assert f"{npu['percent']:.2f}" in run.stdout
    assert f"{npu['correct']:,} of {npu['samples']:,}" in run.stdout


def test_weights_are_kept_in_the_arena_of_all(folder: Path, done: tuple[Any, Any]) -> None:
    out = folder / "kept"
    run = deploy(folder, "--steps-per-call", 12, "--out", out, "--resident-weights")
    assert run.returncode == 0, run.stderr
    report = json.loads((out / "report.json").read_text())
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    before = {name: figure["value"] for name, figure in done[1]["figures"].items()}
    assert figures["npu_equal"] == 30
    assert figures["cycles"] == before["cycles"] > figures["resident_cycles"]
    (advice,) = done[1]["advice"]
    assert advice["command"].endswith(" --resident-weights")
    assert f"--steps-per-call 12 --out {folder / 'out'} " in advice["command"]
    assert "waiting for OffChipFlash" in advice["text"]
    assert report["advice"] == []
    # The copies of one part lie where another one has its tensors.
    assert before["sram"] < figures["resident_sram"]
    assert figures["resident_sram"] <= before["sram"] + figures["resident_kept"]
    sizes = "".join((out / "firmware/network_run.h").read_text().split())
    arena = 1024 * (figures["resident_sram"] - figures["handed_on"])
    assert f"NETWORK_ARENA_SIZE{arena:.0f}" in sizes
    before = {path: path.read_bytes() for path in (out / "firmware").iterdir()}
    assert unspool("bundle", out).returncode == 0
    assert {path: path.read_bytes() for path in (out / "firmware").iterdir()} == before


MASKS: dict[str, Any] = {
    "of no input": [{"input": "mask", "source": "y", "value": 0, "outputs": []}],
    "a word for a number": [{"input": "mask", "source": "x", "value": "0", "outputs": []}],
    "an input": [{"input": "x", "source": "x", "value": 0, "outputs": []}],
    "no input": [{"input": "mask", "source": "", "value": 0, "outputs": []}],
    "a number that no float holds": [
        {"input": "mask", "source": "x", "value": 10**400, "outputs": []}
    ],
    "none": [],
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_that_do_not_fit_are_one_line(
    masked: Path, folder: Path, tmp_path: Path, name: str
) -> None:
    _assert_does_not_fit(masked, tmp_path / "out", folder / "padded.npy", {"masks": MASKS[name]})


def test_the_bundle_of_padded_sequences_is_made_again(masked: Path) -> None:
    before = (masked / "firmware/network_run.c").read_text()
    assert unspool("bundle", masked, "--name", "network").returncode == 0
    assert (masked / "firmware/network_run.c").read_text() == before
    assert "network_part_1_fill_mask(steps - call" in (masked / "firmware/README.md").read_text()
