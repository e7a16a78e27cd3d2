"""`--steps-per-call`: one binary, called several times for a sequence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import unspool


def deploy(files: Path, out: Path, *options: object) -> Any:
    run = unspool(
        *("deploy", files / "model.keras", "--calibration", files / "good.npy", "--out", out),
        *options,
    )
    assert (run.returncode, run.stderr.count("error")) == (0, 0), run.stderr
    return run, json.loads((out / "report.json").read_text())


def test_deploy_simulate_and_compile_mean_all_calls(files: Path, tmp_path: Path) -> None:
    test = ("--test", files / "good.npy", files / "labels.npy")
    options = ("--steps-per-call", 2, "--call-microseconds", 100, *test)
    run, report = deploy(files, tmp_path / "out", *options)
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    assert figures["calls"] == 3
    assert figures["npu_equal"] == 30
    assert report["figures"]["calls"]["how"] == "of 2 time steps each"
    how = "0.3 ms of it calls, assumed at 100 microseconds each"
    assert report["figures"]["milliseconds"]["how"].endswith(how)
    assert "call_costs" not in report
    assert "--states" not in run.stdout, "it is not a stream"
    assert "int kws_run(" in (tmp_path / "out/firmware/network_io.h").read_text().replace(
        "network_run", "kws_run"
    )

    again = ("compile", tmp_path / "out/model_int8.tflite", "--out", tmp_path / "compiled")
    assert unspool(*again, "--call-microseconds", 100).returncode == 0
    compiled = json.loads((tmp_path / "compiled/report.json").read_text())["figures"]
    for name in ("calls", "cycles", "milliseconds", "flash"):
        assert compiled[name]["value"] == figures[name]

    binary = tmp_path / "out/model_vela.tflite"
    scored = unspool(
        "simulate", binary, "--data", files / "good.npy", "--labels", files / "labels.npy"
    )
    assert f"{figures['accuracy_npu']:.2f} %" in scored.stdout
    wrong = unspool("simulate", binary, "--data", files / "shape.npy")
    assert wrong.returncode == 2
    assert "(30, 5, 5), expected (samples, 6, 5)" in wrong.stderr


def test_auto_tries_some_and_takes_the_best_within_the_budget(files: Path, tmp_path: Path) -> None:
    run, report = deploy(files, tmp_path / "least", "--steps-per-call", "auto", "--max-ms", "1000")
    costs = {cost["steps_per_call"]: cost for cost in report["call_costs"]}
    assert list(costs) == [1, 2, 3, 6]
    assert report["figures"]["calls"]["value"] == 6
    assert report["figures"]["cycles"]["value"] == costs[1]["cycles"]
    assert costs[1]["flash_kib"] == min(cost["flash_kib"] for cost in costs.values())
    assert "Steps per call, tried" in run.stdout
    page = (tmp_path / "least/report.html").read_text()
    assert "Steps per call, tried" in page

    limit = f"{costs[3]['milliseconds'] * 1.001:.9f}"
    _, report = deploy(files, tmp_path / "fast", "--steps-per-call", "auto", "--max-ms", limit)
    assert report["figures"]["calls"]["value"] == 2

    _, report = deploy(files, tmp_path / "any", "--steps-per-call", "auto")
    fastest = min(cost["milliseconds"] for cost in report["call_costs"])
    assert report["figures"]["milliseconds"]["value"] <= 1.25 * fastest


REFUSED = {
    "some": "--steps-per-call some: expected a number of time steps, or auto",
    "-2": "--steps-per-call -2: expected a number of time steps, or auto",
    "4": "--steps-per-call 4: a sequence of 6 time steps is not made of whole calls; expected one "
    "of 1, 2, 3, 6",
    "2 --states": "--steps-per-call and --states: expected at most one; a stream's calls take "
    "--time-steps each, of a sequence that never ends",
    "2 --call-microseconds inf": "--call-microseconds inf: expected a finite number, 0 or more",
}


@pytest.mark.parametrize("options", REFUSED)
def test_it_is_refused_in_a_line(files: Path, tmp_path: Path, options: str) -> None:
    run = unspool(
        *("deploy", files / "model.keras", "--calibration", files / "good.npy"),
        *("--out", tmp_path / "out", "--steps-per-call", *options.split()),
    )
    assert run.returncode == 2
    errors = [line for line in run.stderr.splitlines() if "error" in line]
    assert errors == [f"unspool: error: {REFUSED[options]}"]
    assert not (tmp_path / "out" / "report.json").exists()


def test_many_commands_are_a_reason_for_calls(tmp_path: Path) -> None:
    """An unrolled network of 200 steps is mostly commands; the advice runs as it stands."""
    from conftest import FEATURES, small_model

    small_model(steps=200).save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 1, (20, 200, FEATURES)))
    run = unspool(
        *("deploy", tmp_path / "m.keras", "--calibration", tmp_path / "x.npy"),
        *("--out", tmp_path / "out"),
    )
    assert "% of the flash are commands for the NPU, for each of 200 time steps" in run.stdout
    assert "--steps-per-call auto\n" in run.stdout


@pytest.mark.parametrize("steps", ["5", "0", "29"])
def test_rows_of_an_image_are_cut_before_any_training(tmp_path: Path, steps: str) -> None:
    run = unspool("mnist", "--quick", "--steps-per-call", steps, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stdout == ""
    line = f"--steps-per-call {steps}: expected a divisor of the 28 rows of an image: 1, 2, 4, "
    assert run.stderr == f"unspool: error: {line}7, 14 or 28\n"
