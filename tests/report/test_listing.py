"""A report describes the files beside it: another in its place is told, an older one goes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_files import Deployed
from commands import unspool

from unspool.report import listing
from unspool.support import files


@pytest.fixture
def folder(over_budget: Deployed, tmp_path: Path) -> Path:
    """A deployment of its own."""
    return shutil.copytree(over_budget[0], tmp_path / "out")


COMMANDS = ("check OUT --no-cpu", "diff OUT OUT", "bundle OUT", "drift OUT --data x.npy")


def _run(command: str, folder: Path) -> tuple[int, str]:
    run = unspool(*command.replace("OUT", str(folder)).split())
    return run.returncode, run.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["model_vela.tflite", "firmware/network_model.c", "report.html"])
def test_a_file_of_another_deployment_is_told(command: str, name: str, folder: Path) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    status, stderr = _run(command, folder)
    assert status == 2
    assert stderr.startswith(
        f"unspool: error: {folder / name}: is not the file that {folder}/report"
    )


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_files_that_are_gone_and_copies_of_reports_are_not(command: str, folder: Path) -> None:
    (folder / "report.html").unlink()
    assert _run(command, folder)[0] == 0
    (folder / "model_vela.tflite").write_bytes(b"another")
    shutil.copy(folder / "report.json", folder / "before.json")
    assert _run(command.replace("OUT", f"{folder}/before.json"), folder)[0] == 0


def test_simulate_warns_of_a_binary_that_its_report_does_not_describe(folder: Path) -> None:
    binary = folder / "model_vela.tflite"
    np.save(folder / "x.npy", np.zeros((2, 6, 5), np.float32))
    command = f"simulate {binary} --data {folder}/x.npy"
    assert "warning" not in _run(command, folder)[1]
    binary.write_bytes(binary.read_bytes() + bytes(16))
    assert (
        f"warning: {binary} is not the file that {folder}/report.json" in _run(command, folder)[1]
    )


def test_a_bundle_of_another_network_than_the_reports(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["files"] = {"other_vela.tflite": "0" * 64}
    (folder / "report.json").write_text(json.dumps(report))
    status, stderr = _run("bundle OUT", folder)
    assert status == 2 and "describes another network, of other_vela.tflite" in stderr


def test_a_bundle_is_listed(folder: Path) -> None:
    assert _run("bundle OUT --name kws", folder)[0] == 0
    report = json.loads((folder / "report.json").read_text())
    assert "firmware/kws_io.c" in report["files"]
    assert _run("check OUT --no-cpu", folder)[0] == 0


def test_a_report_that_lists_nothing_goes_on_doing_so(folder: Path) -> None:
    """Of before Unspool listed files: a second bundle is of the same network as the first."""
    report = json.loads((folder / "report.json").read_text())
    del report["files"]
    (folder / "report.json").write_text(json.dumps(report))
    for _ in range(2):
        assert _run("bundle OUT", folder)[0] == 0


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a\0"])
def test_a_report_lists_nothing_elsewhere(name: str, folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    report["files"][name] = "0" * 64
    (folder / "report.json").write_text(json.dumps(report))
    status, stderr = _run("check OUT --no-cpu", folder)
    assert status == 2 and "which is not in its folder" in stderr


def test_what_an_older_deployment_wrote_goes(tmp_path: Path) -> None:
    """Unless it is not as it was written, or such as no deployment writes."""
    (tmp_path / "firmware").mkdir()
    written = ("model_int16.tflite", "model_int8.tflite", "firmware/old_io.c", "notes.txt")
    for name in written:
        (tmp_path / name).write_text(name)
    older = listing.of_folder(tmp_path)
    (tmp_path / "firmware" / "old_io.h").write_text("mine")
    older["firmware/old_io.h"] = listing.digest(b"as it was")
    listing.remove_older(tmp_path, older, {"model_int8.tflite": "any"})
    assert set(listing.of_folder(tmp_path)) == {
        *("model_int8.tflite", "firmware/old_io.h", "notes.txt"),
    }


def test_of_two_commands_that_write_to_a_folder_one_is_told(budgeted: Path, tmp_path: Path) -> None:
    command = f"compile {budgeted}/m.tflite --out OUT"
    with files.alone_in(tmp_path):
        status, stderr = _run(command, tmp_path)
    assert status == 2 and stderr.startswith(
        f"unspool: error: output folder {tmp_path}: another command writes to it; wait"
    )
    assert _run(command, tmp_path)[0] == 0
    assert _run(command, tmp_path)[0] == 0, "a command that has ended writes no more"
