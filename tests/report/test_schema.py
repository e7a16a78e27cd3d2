"""report.json and its JSON Schema: what the commands write is what the schema says, and no more."""

import copy
import json
import re
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import numpy as np
import pytest
import shared
from commands import unspool
from conftest import computing_at_once, random_samples, small_model
from jsonschema import Draft202012Validator

from unspool.support._tensorflow import keras

SCHEMA = json.loads((files("unspool.report") / "report.schema.json").read_text())
Document: TypeAlias = dict[str, Any]
Reports: TypeAlias = dict[str, Document]
REPORT_PAGE = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.fixture(scope="session")
def reports() -> Reports:
    """report.json of each command, as a user finds it: name -> document."""
    return shared.value("reports of commands", _reports)


def _reports() -> Reports:
    with tempfile.TemporaryDirectory() as folder, computing_at_once():
        made = _Commands(Path(folder))
        made.deploy()
        made.deploy_values()
        made.deploy_words()
        made.compile()
        made.compress()
        return made.reports


class _Commands:
    """Commands in a folder, and what their reports are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: Reports = {}

    def run(self, *arguments: object, report: str, status: int = 0) -> None:
        run = unspool(*arguments)
        assert run.returncode == status, run.stderr
        self.reports[report] = json.loads((self.folder / report / "report.json").read_text())

    def deploy(self) -> None:
        folder, x = self.folder, random_samples(24)
        model = small_model(units=16)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", model.predict(x, verbose=0).argmax(1))
        model.save(folder / "model.keras")
        data = ("--calibration", folder / "x.npy", "--test", folder / "x.npy", folder / "y.npy")
        deploy = ("deploy", folder / "model.keras", *data, "--out")
        self.run(*deploy, folder / "plain", report="plain")
        self.run(*deploy, folder / "u85", "--target", "ethos-u85-128", report="u85")
        self.run(*deploy, folder / "stream", "--states", "--time-steps", 2, report="stream")
        calls = ("--steps-per-call", "auto", "--call-microseconds", 50)
        self.run(*deploy, folder / "calls", *calls, report="calls")
        inputs = keras.Input((6, 5))
        both = keras.layers.Bidirectional(keras.layers.GRU(4))(keras.layers.Masking(9.0)(inputs))
        keras.Model(inputs, both).save(folder / "both.keras")
        parts = ("deploy", folder / "both.keras", "--calibration", folder / "x.npy", "--out")
        self.run(*parts, folder / "parts", "--steps-per-call", 3, report="parts")
        self.run("drift", folder / "stream", "--data", folder / "x.npy", report="stream")

    def deploy_values(self) -> None:
        """Outputs that are values, and badly calibrated."""
        folder, x = self.folder, keras.Input((6, 5), name="x")
        head = keras.layers.Dense(2, name="where")(keras.layers.LSTM(4)(x))
        model = keras.Model(x, head)
        model.get_layer("where").bias.assign([100.0, 0.0])  # far from 0: few levels are left
        model.save(folder / "values.keras")
        np.save(folder / "few.npy", random_samples(5))
        np.save(folder / "wide.npy", 9 * random_samples(5))
        np.save(folder / "where.npy", np.zeros((5, 2), np.float32))
        values: list[object] = ["--calibration", folder / "few.npy", "--out", folder / "values"]
        values += ["--test", folder / "wide.npy", folder / "where.npy", "--remedy-seconds", "0.001"]
        self.run("deploy", folder / "values.keras", *values, report="values")

    def deploy_words(self) -> None:
        """With an operator on the CPU."""
        folder, ids = self.folder, keras.Input((4,), name="ids", dtype="int32")
        words = keras.layers.GRU(4)(keras.layers.Embedding(9, 3)(ids))
        keras.Model(ids, keras.layers.Dense(2)(words)).save(folder / "words.keras")
        np.save(folder / "ids.npy", np.arange(40, dtype=np.int32).reshape(10, 4) % 9)
        words = ("--calibration", folder / "ids.npy", "--allow-cpu", "--out", folder / "words")
        self.run("deploy", folder / "words.keras", *words, report="words")

    def compile(self) -> None:
        compile = ("compile", self.folder / "plain" / "model_int8.tflite", "--out")
        self.run(*compile, self.folder / "compiled", report="compiled")
        self.run(*compile, self.folder / "kept", "--resident-weights", "9", report="kept")
        over = ("--max-flash-kib", "0.1")
        self.run(*compile, self.folder / "over", *over, report="over", status=1)

    def compress(self) -> None:
        """One preview in the search; no remedies."""
        folder, x = self.folder, random_samples(100)
        np.save(folder / "train.npy", x)
        np.save(folder / "classes.npy", (x[:, :, 0].sum(1) > 0).astype(int))
        model = small_model("simple")
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        model.save(folder / "small.keras")
        data = ("--data", folder / "train.npy", "--labels", folder / "classes.npy")
        compress = ("compress", folder / "small.keras", *data, "--epochs", 2, "--batch-size", 95)
        any_drop = ("--max-accuracy-drop", 100, "--trials", 1)
        with mock.patch("unspool.deployment.try_remedies", return_value=()):
            small, search = folder / "small", folder / "found"
            self.run(*compress, "--sparsity", 0.5, "--out", small, report="small")
            self.run(*compress, *any_drop, "--out", search, report="found")


def problems(document: Document) -> list[str]:
    errors = Draft202012Validator(SCHEMA).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "u85",
        "stream",
        "calls",
        "parts",
        "words",
        "compiled",
        "kept",
        "over",
        "small",
        "found",
        "values",
    ],
)
def test_what_a_command_writes_is_valid(reports: Reports, name: str) -> None:
    assert problems(reports[name]) == []


def test_the_reports_together_have_every_part(reports: Reports) -> None:
    """Else a part of the schema would never have been tried."""
    written = set().union(*reports.values())
    assert written == set(SCHEMA["properties"])
    assert reports["words"]["placement"]["cpu_operators"]
    assert reports["u85"]["simulation"]["reason"]
    assert reports["kept"]["resident"]["kept"]
    assert reports["over"]["budget"]["breaches"]
    assert reports["small"]["compression"]["epochs"]
    assert reports["found"]["compression"]["search"]["candidates"]


BROKEN: dict[str, tuple[Callable[[Document], object], str]] = {
    "a new key": (lambda d: d.update(colour=1), "'colour' was unexpected"),
    "a new key of a figure": (
        lambda d: d["figures"]["cycles"].update(mean=1),
        "'mean' was unexpected",
    ),
    "a new key of an operator": (lambda d: d["operators"][0].update(energy=1), "'energy' was"),
    "a figure without its origin": (
        lambda d: d["figures"]["flash"].pop("origin"),
        "'origin' is a required",
    ),
    "an origin of its own": (
        lambda d: d["figures"]["flash"].update(origin="guessed"),
        "'guessed' is not one",
    ),
    "a figure that is text": (lambda d: d["figures"]["flash"].update(value="9"), "'9' is not of"),
    "no placement": (lambda d: d.pop("placement"), "'placement' is a required"),
    "another version": (lambda d: d.update(schema_version=1), "4 was expected"),
    "more than all right": (lambda d: d["accuracy"][0].update(percent=101), "101 is greater"),
    "parameters alone": (lambda d: d["model"].pop("inputs"), "'inputs' is a dependency"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_no_command_writes_is_not_valid(reports: Reports, case: str) -> None:
    change, message = BROKEN[case]
    document = copy.deepcopy(reports["plain"])
    change(document)
    (problem,) = problems(document)
    assert message in problem


def test_the_page_about_the_report_names_every_part() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", REPORT_PAGE.read_text(), re.M)
    assert set(SCHEMA["properties"]) <= set(rows)
