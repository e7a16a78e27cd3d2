"""The examples in docstrings run, and every public function has one.

An example may use `unspool`, `np`, `tmp_path` and the small models below by the names that the
documentation uses for such things.
"""

import doctest
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import pytest
from conftest import CLASSES, FEATURES, STEPS, small_model
from onnx_cells import Case, model_of

import unspool
from unspool.support._tensorflow import keras

SOURCES = Path(unspool.__file__).parent
CLASSES_WITH_EXAMPLES = {"Budget", "FineTuning", "KernelSetting", "Options", "Session", "Target"}


def modules_with_examples() -> list[str]:
    parts = (
        path.relative_to(SOURCES.parent).with_suffix("").parts
        for path in sorted(SOURCES.rglob("*.py"))
        if ">>> " in path.read_text()
    )
    return [".".join(p[:-1] if p[-1] == "__init__" else p) for p in parts]


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(5).integers(0, CLASSES, 40)


@pytest.fixture(scope="module")
def classifier() -> Any:
    model = small_model("simple")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def bidirectional() -> Any:
    inputs = keras.Input((STEPS, FEATURES))
    return keras.Model(inputs, keras.layers.Bidirectional(keras.layers.GRU(3))(inputs))


@pytest.fixture(scope="module")
def compiled(int8_tflite: bytes) -> unspool.Compiled:
    return unspool.compile(int8_tflite, unspool.target())


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_models.saved(model_of(Case(), 0), tmp_path_factory.mktemp("onnx"))


def names(request: pytest.FixtureRequest, used: str) -> dict[str, Any]:
    """What examples may use; only what this one uses is made."""
    fixtures = ["model", "data", "float_tflite", "int8_tflite", "calibration"]
    fixtures += ["labels", "classifier", "compiled", "tmp_path", "onnx_file", "bidirectional"]
    made = {name: request.getfixturevalue(name) for name in fixtures if name in used}
    return {"np": np, "unspool": unspool, **made}


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("module", modules_with_examples())
def test_the_examples_of_a_module_run(module: str, request: pytest.FixtureRequest) -> None:
    source = import_module(module)
    for example in doctest.DocTestFinder(exclude_empty=True).find(source, module):
        source_lines = "".join(line.source for line in example.examples)
        example.globs.update(names(request, source_lines))
        said: list[str] = []
        doctest.DocTestRunner().run(example, out=said.append)
        assert not said, "".join(said)


@pytest.mark.parametrize("name", sorted(unspool.__all__))
def test_a_public_function_has_an_example(name: str) -> None:
    value = getattr(unspool, name)
    if inspect.isfunction(value) or name in CLASSES_WITH_EXAMPLES:
        _, marker, example = (value.__doc__ or "").partition("Example:\n")
        assert marker and "unspool." in example, "Example:, with >>> lines that call it"
        assert doctest.DocTestParser().get_examples(example)
