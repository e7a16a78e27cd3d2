"""The command: its exit status, what it prints, the files it writes."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command_files import Deployed
from commands import NOISE, process, stopped, unspool

from unspool import stages
from unspool.compilation.vela_config import arm_config
from unspool.errors import UnspoolError
from unspool.guide import mnist
from unspool.support._tensorflow import keras


def test_mnist_end_to_end(tmp_path: Path) -> None:
    run = process("mnist", "--quick", "--epochs", 1, "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    for noise in NOISE:
        assert noise not in run.stdout + run.stderr
    names = {"model_float.tflite", "model_int8.tflite", "model_vela.tflite"}
    names |= {"model.keras", "firmware", "report.json", "report.html"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == names
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    assert figures["accuracy_tflm"] > 85  # 64 units, 20,000 images; a guess gets 10
    assert abs(figures["accuracy_tflm"] - figures["accuracy_keras"]) < 2
    assert figures["cpu_operators"] == 0
    assert figures["npu_equal"] == 1_000, report["simulation"]["first_difference"]
    assert "target: ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram" in run.stdout
    assert "operators run on the NPU." in run.stdout


@pytest.mark.slow  # as the one above, but for the training
def test_mnist_of_a_model_that_was_trained_before(tmp_path: Path) -> None:
    rows = keras.Input((28, 28))
    classes = keras.layers.Dense(10, "softmax")(keras.layers.GRU(16)(rows))
    model = keras.Model(rows, classes)
    model.save(tmp_path / "model.keras")
    run = unspool(
        *("mnist", "--quick", "--model", tmp_path / "model.keras", "--out", tmp_path / "out"),
        *("--target", "ethos-u85-256", "--calibration-samples", 50),
    )
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    data = mnist.load()
    answers = model.predict(mnist.normalised(data.test_images[:1_000]), verbose=0).argmax(1)
    right = 100 * (answers == data.test_labels[:1_000]).mean()
    assert report["figures"]["accuracy_keras"]["value"] == pytest.approx(right)
    assert "train" not in report["seconds"]
    assert report["target"]["accelerator"] == "ethos-u85-256"


def test_deploy_and_compile(files: Path, tmp_path: Path) -> None:
    run = unspool(
        *("deploy", files / "model.keras", "--calibration", files / "good.npy"),
        *("--test", files / "good.npy", files / "labels.npy", "--out", tmp_path),
        *("--target", "ethos-u65-256", "--memory-mode", "Sram_Only"),
    )
    assert run.returncode == 0, run.stderr
    for noise in NOISE:
        assert noise not in run.stdout + run.stderr
    assert "target: ethos-u65-256, Ethos_U65_Client_Server, Sram_Only" in run.stdout
    alone = unspool("compile", tmp_path / "model_int8.tflite", "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    assert {p.name for p in (tmp_path / "alone").iterdir()} == {
        "model_int8_vela.tflite",
        "report.json",
        "report.html",
    }
    before = (tmp_path / "report.json").read_bytes()
    refused = unspool("compile", tmp_path / "model_int8.tflite", "--out", tmp_path)
    assert refused.returncode == 2
    assert "holds a deployment, whose report.json this command's would replace" in refused.stderr
    assert (tmp_path / "report.json").read_bytes() == before


DEPLOY = ("deploy", "{}/model.keras", "--calibration", "{}/good.npy")

BAD = {
    "no model": (("deploy", "{}/no.keras", *DEPLOY[2:]), "no.keras: no such file"),
    "a folder": (("deploy", "{}", *DEPLOY[2:]), "is a folder; expected a Keras model"),
    "corrupt model": (("deploy", "{}/corrupt.keras", *DEPLOY[2:]), "corrupt.keras: "),
    "empty model": (("deploy", "{}/empty.keras", *DEPLOY[2:]), "empty.keras: Keras cannot load"),
    "not a model": (("deploy", "{}/good.npy", *DEPLOY[2:]), "expected the .keras or .h5 format"),
    "inspect nothing": (("inspect", "{}/no.keras"), "no.keras: no such file"),
    "code": (("deploy", "{}/lambda.keras", *DEPLOY[2:]), "asks to run Python code"),
    "wrong shape": (
        (*DEPLOY[:3], "{}/shape.npy"),
        "the shape (30, 5, 5), expected (samples, 6, 5)",
    ),
    "NaN": ((*DEPLOY[:3], "{}/nan.npy"), "are NaN or infinite"),
    "zero samples": ((*DEPLOY[:3], "{}/zero.npy"), "zero samples"),
    "no data": ((*DEPLOY[:3], "{}/no.npy"), "no.npy: no such file"),
    "pickle": ((*DEPLOY[:3], "{}/pickled.npy"), "pickled.npy: cannot be read"),
    "time steps": ((*DEPLOY, "--time-steps", "3"), "6 time steps fixed in the model"),
    "target": ((*DEPLOY, "--target", "ethos-u1"), "target 'ethos-u1': expected one of"),
    "memory mode": (
        (*DEPLOY, "--memory-mode", "Dedicated_Sram"),
        "memory mode 'Dedicated_Sram': expected",
    ),
    "no config": ((*DEPLOY, "--vela-config", "{}/no.ini"), "no.ini: No such file"),
    "out": ((*DEPLOY, "--out", "{}/file/out"), "output folder {}/file/out: cannot be written"),
    "mnist out": (("mnist", "--out", "{}/file/out"), "cannot be written"),
    "mnist target": (("mnist", "--target", "u55"), "target 'u55': expected one of"),
    "mnist model": (("mnist", "--quick", "--model", "{}/model.keras"), "not a model for MNIST"),
    "mnist steps": (
        ("mnist", "--states", "--time-steps", "5"),
        "expected, with --states, a divisor",
    ),
    "resident": (
        (*DEPLOY, "--resident-weights", "-3"),
        "--resident-weights -3: expected a positive",
    ),
    "resident word": ((*DEPLOY, "--resident-weights", "much"), "--resident-weights much: expected"),
    "resident u85": (
        (*DEPLOY, "--resident-weights", "--target", "ethos-u85-256"),
        "the simulator cannot check the streams of ethos-u85-256",
    ),
    "carry": ((*DEPLOY, "--carry-states"), "--carry-states: has a meaning with --states only"),
    "simulate int8": (
        ("simulate", "{}/model.keras", "--data", "{}/good.npy"),
        "not a .tflite file",
    ),
    "disassemble": (("disassemble", "{}/good.npy"), "TFL3"),
    "simulate a folder": (
        ("simulate", "{}", "--data", "{}/good.npy"),
        "{}: is a folder without report.json; expected one that unspool deploy wrote, or a .tflite",
    ),
    "lookahead": ((*DEPLOY, "--lookahead"), "--lookahead: has a meaning with --states only"),
    "pool window": ((*DEPLOY, "--pool-window", "4"), "--pool-window: has a meaning with --states"),
    "drift without report": (("drift", "{}", "--data", "{}/good.npy"), "report.json: No such file"),
    "bundle without report": (("bundle", "{}"), "report.json: No such file"),
    "compile nothing": (("compile", "{}/no.tflite"), "no.tflite: No such file"),
    "compile a model": (("compile", "{}/model.keras"), "not a .tflite file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case: str, files: Path, tmp_path: Path) -> None:
    words, message = BAD[case]
    arguments = [word.format(files) for word in words]
    if "--out" not in arguments and arguments[0] in ("mnist", "deploy", "compile"):
        arguments += ["--out", str(tmp_path / "out")]
    run = unspool(*arguments)
    lines = run.stderr.strip().splitlines()
    assert run.returncode == 2, run.stderr
    assert lines[-1].startswith("unspool: error: ")
    assert message.format(files) in lines[-1]
    assert "Traceback" not in run.stderr
    # Finished stages may have been told before; nothing else was.
    assert all(": " in line and line.split()[-1] == "s" for line in lines[:-1]), lines
    assert not (tmp_path / "out").exists(), "nothing half-written, and no empty folder"


def test_another_keras_backend_is_refused(files: Path, tmp_path: Path) -> None:
    arguments = [argument.format(files) for argument in DEPLOY]
    run = process(*arguments, "--out", tmp_path / "out", KERAS_BACKEND="jax")
    assert run.returncode == 2
    assert run.stderr.strip().startswith("unspool: error: KERAS_BACKEND is 'jax'")
    assert len(run.stderr.strip().splitlines()) == 1


IN_TRAINING = """
from unspool.guide import model

train = model.train

def watched(*arguments, on_batch, **options):
    train(*arguments, on_batch=lambda done, accuracy: here(), **options)

model.train = watched
"""


def test_ctrl_c_in_training_leaves_no_broken_file(tmp_path: Path) -> None:
    run = stopped(IN_TRAINING, "mnist", "--out", tmp_path / "out")
    assert run.stdout.startswith("target: ")
    assert run.returncode == 130
    assert run.stderr.strip() == "unspool: interrupted"
    assert not (tmp_path / "out").exists()


STARTING = """
import builtins
here_once, real = [here], builtins.__import__

def watched(name, *arguments, **options):
    if name == "typer" and here_once:
        here_once.pop()()
    return real(name, *arguments, **options)

builtins.__import__ = watched
"""
COMPILING = """
from unspool.compilation import vela

compile_with = vela.compile_with

def watched(*arguments, **options):
    here()
    return compile_with(*arguments, **options)

vela.compile_with = watched
"""

ENDING = """
import gc

freeze = gc.freeze

def watched():
    here()
    freeze()

gc.freeze = watched
"""


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("hook", "by"),
    [(STARTING, signal.SIGINT), (STARTING, signal.SIGTERM), (COMPILING, signal.SIGTERM)],
    ids=["Ctrl-C, at the start", "SIGTERM, at the start", "SIGTERM, in the middle"],
)
def test_a_signal_is_one_line_and_leaves_nothing(
    hook: str, by: signal.Signals, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("out", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # of what TensorFlow generates
    arguments = [argument.format(files) for argument in DEPLOY]
    run = stopped(hook, *arguments, "--out", tmp_path / "out", by=by)
    assert run.returncode == 128 + by
    assert run.stderr.strip().splitlines()[-1] == "unspool: interrupted"
    assert "Traceback" not in run.stderr
    assert not [*(tmp_path / "out").iterdir(), *(tmp_path / "temporary").iterdir()]


def test_a_signal_that_a_library_took_for_a_fault_of_the_model_is_one(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TensorFlow does it, now and then, in the middle of a conversion."""

    def convert(*_: object) -> bytes:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        raise UnspoolError("TensorFlow's converter does not take it")

    monkeypatch.setattr(stages, "convert", convert)
    arguments = [argument.format(files) for argument in DEPLOY]
    run = unspool(*arguments, "--out", tmp_path / "out")
    assert run.returncode == 128 + signal.SIGTERM
    assert run.stderr.strip().splitlines()[-1] == "unspool: interrupted"


@pytest.mark.parametrize(
    "by",
    [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_signal_when_all_is_written_changes_nothing(by: signal.Signals, files: Path) -> None:
    run = stopped(ENDING, "inspect", files / "model.keras", by=by)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].split()[0] == "y"


def test_inspect_a_model_and_its_tflite(files: Path, tmp_path: Path) -> None:
    run = unspool("inspect", files / "model.keras")
    assert run.returncode == 0, run.stderr
    rows = [line.split()[:3] for line in run.stdout.splitlines()]
    assert rows[-2:] == [["gru", "GRU", "unroll"], ["y", "Dense", "keep"]]
    arguments = [argument.format(files) for argument in DEPLOY]
    assert unspool(*arguments, "--out", tmp_path, "--activations", "int16").returncode == 0
    run = unspool("inspect", tmp_path / "model_int16.tflite")
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines() if "step_" in line]
    assert rows and all(row[-1] == "NPU" for row in rows)
    run = unspool("inspect", tmp_path / "model_vela.tflite")
    assert run.stdout.splitlines()[-1].split()[0] == "ethos-u"


def test_a_stream_from_deploy_to_firmware(files: Path, tmp_path: Path) -> None:
    arguments = [argument.format(files) for argument in DEPLOY]
    run = unspool(*arguments, "--states", "--time-steps", "2", "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert "Ranges of states" in run.stdout
    assert "gives TFLM's bytes on all" in run.stdout
    run = unspool("drift", tmp_path, "--data", files / "good.npy")
    assert run.returncode == 0, run.stderr
    assert "gru/h" in run.stdout
    np.savez(tmp_path / "empty.npz", x=np.zeros((2, 6, 0), np.float32))
    refused = unspool("drift", tmp_path, "--data", tmp_path / "empty.npz")
    assert refused.returncode == 2 and "the shape (1, 12, 0), expected" in refused.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    commands = [each["command"] for each in report["advice"]]
    (compress,) = (command for command in commands if command.startswith("unspool compress"))
    assert "--data X.npy --time-steps 2 --states " in compress, "deployed as it was"
    assert "--max-accuracy-drop" not in compress, "it has no loss that would take labels"
    assert [curve["name"] for curve in report["drift"]["curves"]] == ["gru/h", "y"]
    assert report["drift"]["calls"] == 30 * 6 / 2
    assert report["calibration_rounds"][0]["states"]["gru/h"]
    run = unspool("bundle", tmp_path, "--name", "kws")
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "firmware" / "kws_io.c").is_file()
    (tmp_path / "firmware" / "main.c").write_text("of the user")
    assert unspool("bundle", tmp_path, "--name", "net").returncode == 0
    left = {path.name for path in (tmp_path / "firmware").iterdir()}
    bundle = {"net_io.c", "net_io.h", "net_model.c", "net_model.h", "README.md"}
    assert left == {*bundle, "main.c"}, "two bundles would be compiled into one program"
    assert unspool("check", tmp_path, "--no-cpu").returncode == 0
    report = json.loads((tmp_path / "report.json").read_text())
    report["target"]["vela_config"] = str(arm_config())
    (tmp_path / "report.json").write_text(json.dumps(report))
    refused = unspool("bundle", tmp_path)
    assert refused.returncode == 2, "it may be anybody's file"
    assert "vela.ini'; expected the name of a file in its folder" in refused.stderr


def test_token_ids_are_deployed_where_the_cpu_is_accepted(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32", name="ids"),
            keras.layers.Embedding(9, 4),
            keras.layers.GRU(8),
        ]
    )
    model.save(tmp_path / "tokens.keras")
    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, 9, (20, 6)))
    arguments = ("deploy", tmp_path / "tokens.keras", "--calibration", tmp_path / "ids.npy")
    refused = unspool(*arguments, "--out", tmp_path / "out")
    assert refused.returncode == 2 and "--allow-cpu" in refused.stderr
    run = unspool(*arguments, "--allow-cpu", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "looks up token ids" in run.stdout
    assert "1 operator on the CPU" in run.stdout and "GatherV2" in run.stdout
    assert "was not simulated: 1 operator stays on the CPU" in run.stdout
    assert "_put_ids(const int32_t *" in (tmp_path / "out/firmware/network_io.h").read_text()
    assert (tmp_path / "out" / "model_vela.tflite").is_file()
    # What the CPU takes is in no figure: a time cannot be said to be within a budget.
    line = (
        "Time of an inference: not known, as 1 operator runs on the CPU, whose time Vela does not "
        "estimate; the NPU alone takes "
    )
    run = unspool("check", tmp_path / "out", "--max-ms", "1000", "--max-sram-kib", "1000")
    assert run.returncode == 1 and line in run.stdout and run.stderr == ""
    assert run.stdout.count("kept") == 1
    assert unspool("check", tmp_path / "out", "--max-sram-kib", "1000").returncode == 0
    int8 = tmp_path / "out" / "model_int8.tflite"
    run = unspool("compile", int8, "--max-ms", "1000", "--out", tmp_path / "again")
    assert run.returncode == 1 and f"Budget. {line}" in run.stdout
    assert (tmp_path / "again" / "model_int8_vela.tflite").is_file()
    assert "Not known: Time of an inference. Which targets" in run.stdout
    run = unspool(
        "sweep",
        int8,
        "--target",
        "ethos-u55-32",
        "--memory-mode",
        "Shared_Sram",
        "--max-ms",
        "1000",
        "--out",
        tmp_path / "again",
    )
    assert run.returncode == 1 and "0 of them fit the budget" in run.stdout


def test_simulate_and_disassemble(files: Path, over_budget: Deployed, tmp_path: Path) -> None:
    binary = over_budget[0] / "model_vela.tflite"
    run = unspool(
        "simulate", binary, "--data", files / "good.npy", "--labels", files / "labels.npy"
    )
    assert run.returncode == 0, run.stderr
    assert "of 30 samples (npu, simulated; softmax)" in run.stdout
    out = tmp_path / "new" / "y.npz"
    run = unspool("simulate", binary, "--data", files / "good.npy", "--out", out)
    assert run.returncode == 0, run.stderr
    assert np.load(out)["y"].shape == (30, 4)
    run = unspool("disassemble", binary)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("ethos-u55-128, ") and "ELEMENTWISE ADD" in run.stdout


def test_where_outputs_cannot_be_written_nothing_is_simulated(
    files: Path, over_budget: Deployed, tmp_path: Path
) -> None:
    given = ("simulate", over_budget[0] / "model_vela.tflite", "--data", tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", x=np.load(files / "good.npy"))
    before = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "folder.npz").mkdir()
    for out, why in {
        "x": "it is given, and would be overwritten",
        "folder.npz": "is a folder; expected a file",
        "x.npz/y.npz": "cannot be written (File exists)",
    }.items():
        run = unspool(*given, "--out", tmp_path / out)
        assert run.returncode == 2
        (line,) = run.stderr.splitlines()
        assert why in line
    assert (tmp_path / "x.npz").read_bytes() == before


def test_resident_weights_are_reported_and_seen_in_the_stream(files: Path, tmp_path: Path) -> None:
    arguments = [argument.format(files) for argument in DEPLOY]
    run = unspool(*arguments, "--resident-weights", "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert "gives TFLM's bytes on all" in run.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["resident"]["kept_kib"] == report["figures"]["resident_kept"]["value"] > 0
    assert report["resident"]["cycles"] < report["figures"]["cycles"]["value"]
    listing = unspool("disassemble", tmp_path / "model_vela.tflite").stdout
    assert "DMA_START" in listing.split("CONV")[0]
    made = {path: path.read_bytes() for path in (tmp_path / "firmware").iterdir()}
    assert unspool("bundle", tmp_path).returncode == 0
    assert {path: path.read_bytes() for path in (tmp_path / "firmware").iterdir()} == made
    asked = ("--memory-mode", "Sram_Only", "--resident-weights", "64", "--out", tmp_path / "c")
    run = unspool("compile", tmp_path / "model_int8.tflite", *asked)
    assert run.returncode == 0, run.stderr
    assert "nothing was changed; Sram_Only has the weights in SRAM already" in run.stdout


def test_a_ctrl_c_that_a_library_swallows_still_stops() -> None:
    """Bare `except:` clauses in the imports below us eat KeyboardInterrupt."""
    code = """
import os, signal, sys
from unspool import cli
from unspool.cli.console import watching

def command():
    with watching() as watch:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except:
            pass
        watch("train", 0, 1)
        print("went on")

cli.app.command("swallow")(command)
sys.exit(cli.run(["swallow"]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "went on" not in run.stdout
    assert run.stderr.startswith("unspool: interrupted")


def test_a_ctrl_c_that_a_shell_lets_be_ignored_changes_nothing() -> None:
    """Behind `&` in a script."""
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from unspool import cli
from unspool.__main__ import main

def command():
    os.kill(os.getpid(), signal.SIGINT)
    print("went on")

cli.app.command("ignore")(command)
sys.argv = ["unspool", "ignore"]
main()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "went on\n", "")


BY_PYTHON = """
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
"""
BY_C = """
    try:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
    except KeyboardInterrupt as raised:
        raise SystemError("returned a result with an exception set") from raised
"""


@pytest.mark.parametrize("gone", [BY_PYTHON, BY_C], ids=["Python", "C"])
def test_a_ctrl_c_while_an_object_goes_stops_it_without_a_word_of_python(gone: str) -> None:
    """What is raised in a weak reference's callback, or C makes of it, Python reports and drops."""
    code = f"""
import os, signal, sys, time, weakref
from unspool import cli

class Owned:
    pass

def gone(reference):
{gone}

def command():
    owned = Owned()
    reference = weakref.ref(owned, gone)
    del owned
    while True:
        time.sleep(0.01)

cli.app.command("goes")(command)
sys.exit(cli.run(["goes"]))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert (run.returncode, run.stderr) == (130, "unspool: interrupted\n")


IN_AN_IMPORT = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except:
    pass  # as libraries do around what they can do without
while True:
    time.sleep(0.01)
"""
IN_AN_EXEC = 'exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)")'
# Whose C++ took what was raised in it for an answer, and did not end.
IN_TENSORFLOWS_NEST = """
import time

def flatten():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    try:
        exec(compile(code, "tensorflow/python/util/nest_util.py", "exec"))
    except KeyboardInterrupt:
        pass

def later():
    flatten()
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    "library", [IN_AN_IMPORT, IN_AN_EXEC, IN_TENSORFLOWS_NEST], ids=["import", "exec", "nest"]
)
def test_a_ctrl_c_in_an_import_stops_it_however_the_library_takes_it(
    library: str, tmp_path: Path
) -> None:
    """Swallowed, it comes again; within `exec`, Python would die of it in the end: status -2."""
    (tmp_path / "library.py").write_text(library)
    (tmp_path / "program.py").write_text("""
import sys
from unspool import cli

def command():
    import library
    getattr(library, "later", bool)()

cli.app.command("importing")(command)
sys.argv = ["unspool", "importing"]
from unspool.__main__ import main
main()
""")
    command = [sys.executable, "-m", "program"]
    run = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 130
    assert run.stderr.strip() == "unspool: interrupted"


def test_help_names_every_command() -> None:
    run = unspool("--help")
    assert run.returncode == 0
    commands = ("mnist", "deploy", "compile", "inspect", "simulate", "drift", "bundle")
    for command in (*commands, "sweep", "check", "diff", "compress"):
        assert command in run.stdout
