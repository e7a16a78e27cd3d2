"""Budgets, sweep, check and diff as a user runs them: exit statuses, files, lines."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_files import Deployed
from commands import NOISE, stopped, unspool


def test_a_broken_budget_is_status_1_and_every_file_is_there(
    over_budget: Deployed,
) -> None:
    out, run = over_budget
    assert run.returncode == 1, run.stderr
    for noise in NOISE:
        assert noise not in run.stdout + run.stderr
    assert {path.name for path in out.iterdir()} >= {
        *("model_float.tflite", "model_int8.tflite", "model_vela.tflite"),
        *("firmware", "report.json"),
    }
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("Over the budget."))
    assert "Time of an inference: " in line and line.endswith("over the budget's 0.0001")
    assert "What next" in run.stdout
    report = json.loads((out / "report.json").read_text())
    (breach,) = report["budget"]["breaches"]
    value = report["figures"]["milliseconds"]["value"]
    assert breach["over"] == pytest.approx(value - 0.0001)
    assert report["budget"]["limits"] == {"max_ms": 0.0001, "max_accuracy_drop": 100, "no_cpu": 0}
    for advice in report["advice"]:
        assert set(advice) == {"text", "command", "because", "gain"}
        assert set(advice["because"]) <= set(report["figures"])
    assert any("--states --time-steps 1" in advice["command"] for advice in report["advice"])


def test_an_advised_command_runs(over_budget: Deployed, tmp_path: Path) -> None:
    out, _ = over_budget
    advice = json.loads((out / "report.json").read_text())["advice"]
    (command,) = (a["command"] for a in advice if "--resident-weights" in a["command"])
    assert "'" not in command  # no blanks in these paths
    run = unspool(*command.split()[1:])
    assert run.returncode == 0, run.stderr
    report = json.loads((out / "resident" / "report.json").read_text())
    assert report["figures"]["resident_cycles"]["value"] < report["figures"]["cycles"]["value"]


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (("--max-ms", "1000", "--max-sram-kib", "1000", "--max-flash-kib", "1000", "--no-cpu"), 0),
        (("--max-accuracy-drop", "100"), 0),
        (("--max-sram-kib", "0.01"), 1),
        (("--max-flash-kib", "0", "--max-ms", "1000"), 1),
    ],
)
def test_check_stands_in_for_a_ci(
    over_budget: Deployed, limits: tuple[str, ...], status: int
) -> None:
    out, _ = over_budget
    for path in (out, out / "report.json"):
        run = unspool("check", path, *limits)
        assert run.returncode == status, run.stdout + run.stderr
        assert run.stderr == ""
        assert (" over" in run.stdout) == bool(status)
    assert run.stdout.count("kept") == len([x for x in limits if x[:2] == "--"]) - status


def test_check_and_diff_do_not_wait_for_tensorflow(
    over_budget: Deployed,
) -> None:
    out, _ = over_budget
    for arguments in (["check", str(out), "--no-cpu"], ["diff", str(out), str(out)]):
        code = f"""
import sys
from unspool.cli import run
run({arguments})
print("tensorflow" in sys.modules)
"""
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout.splitlines()[-1] == "False", run.stderr


def test_compile_holds_a_budget_with_resident_weights(budgeted: Path, tmp_path: Path) -> None:
    command = ("compile", budgeted / "m.tflite", "--resident-weights", "--out", tmp_path)
    assert unspool(*command, "--max-sram-kib", "64").returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    per_cycle = figures["milliseconds"] / figures["cycles"]
    assert figures["resident_milliseconds"] == pytest.approx(figures["resident_cycles"] * per_cycle)
    # Between the SRAM without and with the copies: only the latter breaks it.
    without = ("compile", budgeted / "m.tflite", "--out", tmp_path / "without")
    assert unspool(*without).returncode == 0
    before = json.loads((tmp_path / "without/report.json").read_text())["figures"]["sram"]["value"]
    assert before < figures["resident_sram"] <= before + figures["resident_kept"]
    assert figures["sram"] == figures["resident_sram"]  # the arena of the file that is written
    limit = (before + figures["resident_sram"]) / 2
    assert unspool(*without, "--max-sram-kib", limit).returncode == 0
    run = unspool(*command, "--max-sram-kib", limit)
    assert run.returncode == 1
    assert (tmp_path / "m_vela.tflite").is_file()
    (breach,) = json.loads((tmp_path / "report.json").read_text())["budget"]["breaches"]
    assert breach["figures"] == ["resident_sram"]


def test_in_sram_only_the_weights_count_as_sram(budgeted: Path, tmp_path: Path) -> None:
    limit = 3  # KiB: more than the arena, less than it and the file
    command = ("compile", budgeted / "m.tflite", "--max-sram-kib", limit, "--out", tmp_path)
    run = unspool(*command, "--memory-mode", "Sram_Only")
    assert run.returncode == 1
    assert "SRAM with the network" in run.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["figures"]["sram"]["value"] < limit


def test_sweep_writes_what_it_shows(budgeted: Path, tmp_path: Path) -> None:
    command = (
        "sweep",
        budgeted / "m.tflite",
        "--target",
        "ethos-u55-32",
        "--target",
        "ethos-u55-64",
    )
    run = unspool(*command, "--sort", "cycles", "--out", tmp_path, "--max-ms", "1000")
    assert run.returncode == 0, run.stderr
    for noise in NOISE:
        assert noise not in run.stdout + run.stderr
    assert "8 targets, 8 compiled." in run.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.json", "sweep.csv", "sweep.html"}
    rows = list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))
    cycles = [int(row["cycles"]) for row in rows]
    assert cycles == sorted(cycles) and len(cycles) == 8
    shown = [line.split()[5] for line in run.stdout.splitlines() if line.startswith(" ethos-u55")]
    assert shown == [f"{value:,}" for value in cycles]
    assert unspool(*command, "--out", tmp_path, "--max-ms", "1e-9").returncode == 1
    document = json.loads((tmp_path / "sweep.json").read_text())
    assert not any(entry["fits"] for entry in document["targets"])


IN_A_SWEEP = """
from unspool.compilation import sweeping

attempt, done = sweeping._try, []

def watched(*arguments):
    trial = attempt(*arguments)
    done.append(trial)
    if len(done) == 3:
        here()
    return trial

sweeping._try = watched
"""


def test_ctrl_c_stops_a_sweep_and_leaves_no_file(budgeted: Path, tmp_path: Path) -> None:
    run = stopped(IN_A_SWEEP, "sweep", budgeted / "m.tflite", "--out", tmp_path / "out")
    assert run.returncode == 130
    assert (run.stdout, run.stderr) == ("", "unspool: interrupted\n")
    assert not (tmp_path / "out").exists()


def test_diff_of_two_reports(over_budget: Deployed, budgeted: Path, tmp_path: Path) -> None:
    out, _ = over_budget
    command = ("compile", budgeted / "m.tflite", "--out", tmp_path, "--target", "ethos-u55-32")
    assert unspool(*command).returncode == 0
    run = unspool("diff", out, tmp_path / "report.json")
    assert run.returncode == 0, run.stderr
    assert "Only before: Accuracy, trained model (Keras): 100.00 %" in run.stdout
    assert "ethos-u55-32" in run.stdout
    changes = json.loads(unspool("diff", out, tmp_path, "--json").stdout)
    assert changes["facts"]["accelerator"] == {"before": "ethos-u55-128", "after": "ethos-u55-32"}
    assert changes["figures"]["cycles"]["by"] > 0, "a quarter of the MACs per cycle takes longer"


DEPLOY = ("deploy", "{}/m.keras", "--calibration", "{}/x.npy")
BAD = {
    "no test data": ((*DEPLOY, "--max-accuracy-drop", "1"), "add --test X.npy Y.npy"),
    "labels of values": (
        (*DEPLOY, "--test", "{}/x.npy", "{}/values.npy", "--max-accuracy-drop", "1"),
        "--max-accuracy-drop 1: the labels of the test samples are values, which have no accuracy",
    ),
    "cpu and no cpu": ((*DEPLOY, "--no-cpu", "--allow-cpu"), "contradict each other"),
    "negative": ((*DEPLOY, "--max-ms", "-1"), "--max-ms -1: expected a finite number of ms, 0 or"),
    "a unit": (("check", "{}", "--max-ms", "5ms"), "--max-ms 5ms: expected a number of MS (see "),
    "another unit": (
        ("sweep", "{}/m.tflite", "--max-flash-kib", "100KiB"),
        "--max-flash-kib 100KiB: expected a number of KIB (see unspool sweep --help)",
    ),
    "no choice": (
        (*DEPLOY, "--activations", "int4"),
        "--activations int4: expected one of 'int8', 'int16' (see unspool deploy --help)",
    ),
    "not whole": ((*DEPLOY, "--time-steps", "2.5"), "--time-steps 2.5: expected a whole number"),
    "too few": (
        (*DEPLOY, "--time-steps", "0"),
        "--time-steps 0: expected a number greater than or equal to 1 (see",
    ),
    "nan": (("compile", "{}/m.tflite", "--max-flash-kib", "nan"), "--max-flash-kib nan: expected"),
    "infinite": (("sweep", "{}/m.tflite", "--max-sram-kib", "inf"), "--max-sram-kib inf: expected"),
    "compile": (
        ("compile", "{}/m.tflite", "--max-accuracy-drop", "1"),
        "--max-accuracy-drop 1: unspool compile measures no accuracy",
    ),
    "sweep": (
        ("sweep", "{}/m.tflite", "--max-accuracy-drop", "1"),
        "--max-accuracy-drop 1: unspool sweep measures no accuracy",
    ),
    "sweep nothing": (("sweep", "{}/no.tflite"), "no.tflite: No such file"),
    "sweep a model": (("sweep", "{}/m.keras"), "not a .tflite file"),
    "sweep nowhere": (
        ("sweep", "{}/m.tflite", "--target", "ethos-u55-32", "--memory-mode", "Dedicated_Sram"),
        "does not go with any of the others",
    ),
    "sweep target": (("sweep", "{}/m.tflite", "--target", "u55"), "target 'u55': expected one of"),
    "check nothing": (("check", "{}", "--no-cpu"), "report.json: No such file"),
    "check without a limit": (("check", "{}"), "check: no budget was given"),
    "check a model": (("check", "{}/m.keras", "--no-cpu"), "not a report of unspool (not JSON"),
    "diff nothing": (("diff", "{}", "{}"), "report.json: No such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_and_status_2(case: str, budgeted: Path, tmp_path: Path) -> None:
    words, message = BAD[case]
    arguments = [word.format(budgeted) for word in words]
    if arguments[0] in ("deploy", "compile", "sweep"):
        arguments += ["--out", str(tmp_path / "out")]
    run = unspool(*arguments)
    assert run.returncode == 2, run.stdout
    (line,) = run.stderr.strip().splitlines()
    assert line.startswith("unspool: error: ") and message in line
    assert not (tmp_path / "out").exists()


def test_a_limit_on_what_a_report_does_not_have_is_a_mistake(
    budgeted: Path, tmp_path: Path
) -> None:
    assert unspool("compile", budgeted / "m.tflite", "--out", tmp_path).returncode == 0
    run = unspool("check", tmp_path, "--max-accuracy-drop", "1")
    assert run.returncode == 2
    assert (
        "report.json: --max-accuracy-drop 1: needs accuracy_keras and accuracy_tflm" in run.stderr
    )
