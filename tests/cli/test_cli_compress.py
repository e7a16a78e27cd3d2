"""`unspool compress` as a user runs it: files, the table, exit statuses, Ctrl-C."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_models
import pytest
import shared
import slow
import torch_archive
from command_files import Deployed
from commands import NOISE, stopped, unspool
from conftest import random_samples, small_model
from onnx_cells import Case, model_of
from onnx_forms.form import w

from unspool import deployment
from unspool.cli.compress_inputs import deploy_command
from unspool.cli.compress_options import TrainedFiles
from unspool.cli.deploy_options import DeployOptions
from unspool.cli.options import Activations, TargetOptions
from unspool.cli.stream_options import StreamOptions
from unspool.compression.units import scores
from unspool.support._tensorflow import keras


@pytest.fixture(scope="session")
def files() -> Path:
    """A trained model with its training and test data, good and bad."""
    return shared.folder("files-to-compress", _fill)


def _fill(folder: Path) -> None:
    x = random_samples(600)
    y = (x[:, :, 0].sum(1) > 0) + 2 * (x[:, :, 1].sum(1) > 0)
    model = small_model("simple", units=12)
    model.save(folder / "uncompiled.keras")
    model.compile(
        keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x, y, epochs=15, batch_size=32, verbose=0)
    model.save(folder / "model.keras")
    _of_values(x[:40]).save(folder / "values.keras")
    _of_values(x[:40], and_classes=True).save(folder / "both.keras")
    arrays = {"level": x.sum((1, 2))[:, None]}
    arrays |= {"x": x, "y": y, "short": y[:5], "big": y + 9, "nan": x * np.nan, "y-nan": y * np.nan}
    for name, array in {**arrays, "words": y.astype(str), "one-hot": np.eye(4)[y]}.items():
        np.save(folder / f"{name}.npy", array)


def _of_values(x: np.ndarray, *, and_classes: bool = False) -> Any:
    """A model of a value, and of classes beside it."""
    given = keras.Input(x.shape[1:])
    seen = keras.layers.SimpleRNN(4)(given)
    outputs = {"level": keras.layers.Dense(1, name="level")(seen)}
    losses = {"level": "mse"}
    if and_classes:
        outputs["word"] = keras.layers.Dense(4, activation="softmax", name="word")(seen)
        losses["word"] = "sparse_categorical_crossentropy"
    model = keras.Model(given, outputs)
    model.compile(loss=losses)
    return model


@pytest.fixture(autouse=True)
def nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the errors of the compressed model, for a minute; of units, few scores are drawn."""
    monkeypatch.setattr(deployment, "try_remedies", lambda *arguments: ())
    monkeypatch.setattr(scores, "_DRAWS", 8)


def data(files: Path, x: str = "x", y: str = "y") -> tuple[str, Path, str, Path]:
    return ("--data", files / f"{x}.npy", "--labels", files / f"{y}.npy")


@pytest.mark.usefixtures("computing")
def test_a_compressed_model_is_deployed_and_compared(files: Path, tmp_path: Path) -> None:
    run = unspool(
        *("compress", files / "model.keras", *data(files), "--out", tmp_path / "out"),
        *("--test", files / "x.npy", files / "y.npy", "--epochs", "2", "--batch-size", "285"),
        *("--sparsity", "0.5", "--clusters", "8", "--layer", "y=0:0", "--quantization-aware"),
    )
    assert run.returncode == 0, run.stderr
    for noise in NOISE:
        assert noise not in run.stdout + run.stderr
    assert "fine-tune for int8" in run.stderr
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    kernels = {k["path"].split("/")[0]: k for k in document["compression"]["kernels"]}
    model = keras.models.load_model(tmp_path / "out" / "model.keras")
    recurrent = next(np.array(w) for w in model.weights if w.name == "recurrent_kernel")
    assert (recurrent == 0).sum() == 72  # half of 12 x 12
    assert kernels["simple"]["zeros"] == 72 or kernels["simple"]["weights"] == 60
    assert kernels["y"]["zeros"] == 0
    assert [epoch["number"] for epoch in document["compression"]["epochs"]] == [1, 2, 3]
    for figure in ("flash", "cycles", "accuracy_tflm"):
        assert document["figures"][figure]["before"] > 0
    assert "Before" in run.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Kernels of the compressed model" in page


@pytest.mark.usefixtures("computing")
def test_an_onnx_file_gets_the_new_weights(tmp_path: Path) -> None:
    source, smaller = (
        onnx_models.saved(model_of(Case(outputs=(1,)), 0), tmp_path),
        tmp_path / "s.onnx",
    )
    x = np.random.default_rng(0).normal(0, 1, (60, 5, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.zeros((60, 1, 4), np.float32))
    run = unspool(
        *("compress", source, "--data", tmp_path / "x.npy", "--labels", tmp_path / "y.npy"),
        *("--loss", "mse", "--epochs", "2", "--sparsity", "0.5", "--out", tmp_path / "out"),
        *("--out-onnx", smaller),
    )
    assert run.returncode == 0, run.stderr
    assert f"the ONNX graph with the new weights: {smaller}" in run.stdout.replace("\n", "")
    compressed = keras.models.load_model(tmp_path / "out" / "model.keras")
    for sample, expected in zip(x[:3], compressed.predict(x[:3], verbose=0)["Y_h"], strict=True):
        outputs = onnx_models.run(onnx.load(smaller), {"x": sample[:, None]})
        np.testing.assert_allclose(outputs["Y_h"].ravel(), expected.ravel(), atol=1e-5)
    sparse = [
        array
        for array in map(onnx.numpy_helper.to_array, onnx.load(smaller).graph.initializer)
        if array.ndim == 3 and (array == 0).mean() == 0.5
    ]
    assert len(sparse) == 2


@pytest.mark.usefixtures("computing")
def test_a_piece_of_an_onnx_file_gets_the_new_weights(tmp_path: Path) -> None:
    """What lies in front of the piece stays as it is in the file."""
    nodes = [
        onnx_models.node("Mul", "x gain", "power"),
        onnx_models.node("GRU", "power W R", "y", hidden_size=4, name="cell"),
    ]
    weights = {"W": w(1, 12, 3), "R": w(1, 12, 4)}
    made = onnx_models.made(nodes, {"x": [5, 1, 3], "gain": [1]}, ["y"], weights)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((60, 5, 3), np.float32))
    np.save(tmp_path / "y.npy", np.zeros((60, 5, 1, 4), np.float32))
    run = unspool(
        *("compress", onnx_models.saved(made, tmp_path), "--from", "power", "--set", "gain=3"),
        *("--data", tmp_path / "x.npy", "--labels", tmp_path / "y.npy", "--loss", "mse"),
        *("--epochs", "2", "--sparsity", "0.5", "--out", tmp_path / "out"),
        *("--out-onnx", tmp_path / "s.onnx"),
    )
    assert run.returncode == 0, run.stderr
    after = onnx.load(tmp_path / "s.onnx")
    assert [node.op_type for node in after.graph.node] == ["Mul", "GRU"]
    kernels = [onnx.numpy_helper.to_array(tensor) for tensor in after.graph.initializer]
    assert [(kernel == 0).mean() for kernel in kernels] == [0.5, 0.5]


ONNX_WRONG = {
    "itself": (("{}/model.onnx", "--out-onnx", "{}/model.onnx"), "would be overwritten"),
    "of Keras": (("{}/m.keras", "--out-onnx", "{}/s.onnx"), "is not an ONNX file"),
}


@pytest.mark.parametrize("case", ONNX_WRONG)
def test_an_onnx_file_that_cannot_be_is_refused_before_work(case: str, tmp_path: Path) -> None:
    words, message = ONNX_WRONG[case]
    onnx_models.saved(model_of(Case(), 0), tmp_path)
    run = unspool(
        *("compress", *(word.format(tmp_path) for word in words), "--data", "x.npy"),
        *("--labels", "y.npy", "--out", tmp_path / "out"),
    )
    assert run.returncode == 2 and message in run.stderr
    assert not (tmp_path / "s.onnx").exists()


def test_an_onnx_file_that_cannot_hold_new_weights_is_refused_before_work(tmp_path: Path) -> None:
    """The exporter has merged two weights into one: as they are they fit, others do not."""
    source = torch_archive.unpacked(tmp_path, "forecaster.dynamo.onnx")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, 30, 4), np.float32))
    run = unspool(
        *("compress", source, "--data", tmp_path / "x.npy", "--epochs", "2", "--sparsity", "0.5"),
        *("--out", tmp_path / "out", "--out-onnx", tmp_path / "s.onnx"),
    )
    assert run.returncode == 2
    assert "the weight 'decoder/lstm_cell/kernel' is computed from several" in run.stderr
    assert "fine-tune" not in run.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "s.onnx").exists()


@pytest.mark.usefixtures("computing")
def test_a_search_that_nothing_holds_is_status_1(files: Path, tmp_path: Path) -> None:
    run = unspool(
        *("compress", files / "model.keras", *data(files), "--out", tmp_path / "out"),
        *("--max-accuracy-drop", "0", "--learning-rate", "1e-9", "--epochs", "2"),
        *("--trials", "2"),
        *("--batch-size", "285"),
    )
    # Untrained, even 40 % zeros lose some of 30 held-out samples.
    assert run.returncode == 1, run.stdout + run.stderr
    assert "No setting holds accuracy within 0 points" in " ".join(run.stdout.split())
    assert "loses too much" in run.stdout
    assert not (tmp_path / "out" / "model.keras").exists()


BEHIND_A_CANDIDATE = """
from unspool.cli import search_view
from unspool.support._tensorflow import tf

tf.config.run_functions_eagerly(True)

plain = search_view._plain

def watched(screen):
    show, watch, live = plain(screen)

    def shown(search):
        show(search)
        if search.candidates:
            here()

    return shown, watch, live

search_view._plain = watched
"""


def test_ctrl_c_in_a_search_keeps_what_was_found(
    files: Path, tmp_path: Path, over_budget: Deployed
) -> None:
    """The best model, and not the deployment of another one beside it."""
    shutil.copytree(over_budget[0], tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("a user's")
    subject = ("compress", files / "model.keras", *data(files), "--epochs", "2")
    asked = ("--batch-size", "285", "--max-accuracy-drop", "100", "--out", tmp_path / "out")
    run = stopped(BEHIND_A_CANDIDATE, *subject, *asked, "--trials", "1")
    errors = run.stderr
    assert run.returncode == 130
    assert " KiB, " in errors, "the first candidate is told of before the search ends"
    assert re.search(r"the best so far, .*values, is kept", errors)
    assert "the same command goes on from there" in errors
    assert errors.rstrip().endswith("unspool: interrupted")
    keras.models.load_model(tmp_path / "out" / "model.keras")
    assert len(list((tmp_path / "out" / "search").glob("*.json"))) == 1
    out, gone = tmp_path / "out", ("report.json", "report.html", "model_vela.tflite", "firmware")
    assert (out / "notes.txt").exists() and (out / "model.keras").exists()
    assert not any((out / name).is_file() or [*(out / name).glob("*.c")] for name in gone)


MISTAKES = {
    "labels that are too few": (("model", "x", "short"), "have the shape (5,)"),
    "labels beyond the classes": (("model", "x", "big"), "labels: run from 9 to 12"),
    "samples that are NaN": (("model", "nan", "y"), "NaN or infinite"),
    "labels of another shape": (("model", "x", "one-hot"), "do not fit the model and its loss"),
    "labels that are NaN": (("model", "x", "y-nan"), "labels: 600 of 600 values are NaN"),
    "labels that are words": (("model", "x", "words"), "labels: have the type <U"),
    "int16 and the errors of int8": (
        ("model", "x", "y", "--quantization-aware", "--activations", "int16"),
        "--quantization-aware and --activations int16: expected at most one",
    ),
    "several scales and the errors of int8": (
        ("model", "x", "y", "--quantization-aware", "--feature-scales"),
        "--quantization-aware and --feature-scales: expected at most one",
    ),
    "states and steps per call": (
        ("model", "x", "y", "--states", "--steps-per-call", "2"),
        "--steps-per-call and --states: expected at most one",
    ),
    "no loss": (("uncompiled", "x", "y"), "has no loss to fine-tune with"),
    "a sparsity of 1": (("model", "x", "y", "--sparsity", "1"), "sparsity 1.0: expected"),
    "one cluster": (("model", "x", "y", "--clusters", "1"), "clusters 1: expected 2 to 255"),
    "a layer without a setting": (("model", "x", "y", "--layer", "gru"), "--layer gru: expected"),
    "a layer that is not there": (("model", "x", "y", "--layer", "gru=0.5:4"), "belongs to 'gru'"),
    "one epoch": (("model", "x", "y", "--epochs", "1"), "epochs 1: expected at least 2"),
    "a setting and a search": (
        ("model", "x", "y", "--max-accuracy-drop", "1", "--sparsity", "0.5"),
        "--max-accuracy-drop 1 searches for a setting",
    ),
    "a loss that Keras has not": (
        ("model", "x", "y", "--loss", "mes"),
        "loss 'mes': Keras has none",
    ),
    "a number of units that there are not": (
        ("model", "x", "y", "--units", "simple=400"),
        "400 units of 'simple'",
    ),
    "units of the output": (
        ("model", "x", "y", "--units", "y=2"),
        "cannot be taken out: they are an output of the model",
    ),
    "a metric without its limit": (
        ("model", "x", "y", "--metric", "mae"),
        "--metric mae: expected with --max-metric-increase",
    ),
    "a limit without its metric": (
        ("model", "x", "y", "--max-metric-increase", "2%"),
        "--max-metric-increase 2%: say which metric with --metric",
    ),
    "a limit that is no number": (
        ("model", "x", "y", "--metric", "mae", "--max-metric-increase", "two"),
        "--max-metric-increase two: expected percent, such as 2%",
    ),
    "two limits": (
        ("model", "x", "y", "--max-accuracy-drop", "1", "--max-metric-increase", "2%"),
        "only one such option can be given",
    ),
    "what is of a search, and none": (
        ("model", "x", "y", "--sparsity", "0.5", "--trials", "3", "--jobs", "2"),
        "--trials 3 --jobs 2: expected with a search; ask for one with --max-accuracy-drop",
    ),
    "a cluster and none": (
        ("model", "x", "y", "--cluster", "dask://127.0.0.1:1"),
        "--cluster dask://127.0.0.1:1: expected with a search",
    ),
    "processes and a cluster": (
        (
            "model",
            "x",
            "y",
            "--max-accuracy-drop",
            "1",
            "--jobs",
            "2",
            "--cluster",
            "dask://127.0.0.1:1",
        ),
        "--jobs 2 and --cluster dask://127.0.0.1:1: expected at most one",
    ),
    "an accuracy of values": (
        ("values", "x", "level", "--max-accuracy-drop", "1"),
        "whose accuracy is measured; for values name another --metric, such as mae",
    ),
    "a search of two outputs": (
        ("both", "x", "y", "--max-accuracy-drop", "1"),
        "a search measures one output, but the model's loss is of level, word",
    ),
    "a search with a drop below 0": (
        ("model", "x", "y", "--max-accuracy-drop", "-1"),
        "--max-accuracy-drop -1: expected points from 0 to 100",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(name: str, files: Path, tmp_path: Path) -> None:
    (model, x, y, *options), message = MISTAKES[name]
    arguments = ("compress", files / f"{model}.keras", *data(files, x, y), *options)
    run = unspool(*arguments, "--out", tmp_path / "out")
    assert run.returncode == 2, run.stdout
    errors = [line for line in run.stderr.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "out" / "model.keras").exists()
    assert "as it is, " not in run.stderr, "it is told before any work"


UNLABELLED = {
    "a search": (("--max-accuracy-drop", "1"), "it is measured beside labels; add --labels Y.npy"),
    "a loss": (("--loss", "mse"), "--loss mse: is one of labels, and there are none"),
}


@pytest.mark.parametrize("name", UNLABELLED)
def test_what_needs_labels_says_so(name: str, files: Path, tmp_path: Path) -> None:
    options, message = UNLABELLED[name]
    given = ("compress", files / "model.keras", "--data", files / "x.npy", *options)
    run = unspool(*given, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert message in run.stderr


def _document(run: Any, folder: Path) -> Any:
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "report.json").read_text())


DEPLOYED = {
    "a sequence in one call": (("--time-steps", "6"), [1, 6, 5]),
    "several calls": (("--time-steps", "6", "--steps-per-call", "3"), [1, 3, 5]),
    "a stream": (("--states", "--time-steps", "3"), [1, 3, 5]),
}


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("name", slow.unless(["a stream"], DEPLOYED))
def test_a_model_is_deployed_alike_before_and_after(name: str, tmp_path: Path) -> None:
    """Without labels, with a length that is open: the table compares the same kind of binary."""
    options, shape = DEPLOYED[name]
    small_model("gru", units=16, steps=None).save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", random_samples(60, 6))
    common = (*options, "--remedy-seconds", "0")
    run = unspool(
        *("compress", tmp_path / "model.keras", "--data", tmp_path / "x.npy", *common),
        *("--sparsity", "0.5", "--epochs", "2", "--out", tmp_path / "out"),
    )
    document = _document(run, tmp_path / "out")
    assert document["model"]["inputs"][0]["shape"] == shape
    assert set(document["compression"]["epochs"][0]["metrics"]) == {"loss", "val_loss"}
    given = ("--calibration", tmp_path / "x.npy", "--out", tmp_path / "alone")
    alone = unspool("deploy", tmp_path / "model.keras", *given, *common)
    expected = _document(alone, tmp_path / "alone")["figures"]
    for figure in ("cycles", "flash"):
        assert document["figures"][figure]["before"] == expected[figure]["value"]
    assert not keras.models.load_model(tmp_path / "out" / "model.keras").compiled


def test_the_advice_deploys_the_compressed_model_as_it_was() -> None:
    command = deploy_command(
        TrainedFiles(Path("m.onnx"), Path("x.npy")),
        StreamOptions(states=True, time_steps=3),
        DeployOptions(state=["a=b", "c=d"], activations=Activations.int16),
        TargetOptions("ethos-u85-256"),
        Path("out"),
    )
    assert command == (
        "unspool deploy out/model.keras --calibration x.npy --time-steps 3 --states "
        "--activations int16 --state a=b --state c=d --target ethos-u85-256 --out out/again"
    )


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("labelled", [pytest.param(False, marks=pytest.mark.slow), True])
def test_logits_of_an_onnx_file_are_taken_for_logits(labelled: bool, tmp_path: Path) -> None:
    """As PyTorch exports a classifier: batch first, and no softmax at its end."""
    steps = 7
    nodes = [
        onnx_models.node("Transpose", "x", "xt", perm=[1, 0, 2]),
        onnx_models.node("GRU", "xt W R", "yt yh", hidden_size=8, linear_before_reset=1),
        onnx_models.node("Squeeze", "yh axes", "h"),
        onnx_models.node("Gemm", "h K", "logits", transB=1),
    ]
    weights = {"W": w(1, 24, 5), "R": w(1, 24, 8), "axes": np.array([0]), "K": w(4, 8)}
    made = onnx_models.made(nodes, {"x": ["batch", steps, 5]}, ["logits"], weights)
    x = random_samples(60, steps)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(60) % 4)
    name = "sparse_categorical_crossentropy"
    run = unspool(
        *("compress", onnx_models.saved(made, tmp_path), "--data", tmp_path / "x.npy"),
        *(("--labels", tmp_path / "y.npy", "--loss", name) if labelled else ()),
        *("--epochs", "2", "--sparsity", "0.5", "--out", tmp_path / "out"),
        *("--remedy-seconds", "0", "--out-onnx", tmp_path / "s.onnx"),
    )
    assert run.returncode == 0, run.stderr
    model = keras.models.load_model(tmp_path / "out" / "model.keras")
    assert model.compiled == labelled
    got = onnx_models.run(onnx.load(tmp_path / "s.onnx"), {"x": x})["logits"]
    if labelled:
        # By hand, of ONNX's logits: minus the logarithm of the softmax at the label.
        right = np.arange(60) % 4
        expected = np.log(np.exp(got).sum(-1)) - got[np.arange(60), right]
        loss = model.evaluate(x, right, verbose=0, return_dict=True)["loss"]
        assert loss == pytest.approx(expected.mean(), rel=1e-4)


def test_the_trained_model_is_not_overwritten(files: Path) -> None:
    before = (files / "model.keras").read_bytes()
    run = unspool("compress", files / "model.keras", *data(files), "--out", files)
    assert run.returncode == 2
    assert "would be overwritten" in run.stderr
    assert (files / "model.keras").read_bytes() == before
