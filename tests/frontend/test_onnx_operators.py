"""Every operator in the forms that exporters write, and in stranger ones, against onnxruntime."""

from pathlib import Path

import numpy as np
import onnx_models
import pytest
from onnx_forms import elementwise, refused
from onnx_forms.form import Form, one
from onnx_forms.tables import TABLES
from onnx_models import node
from versions import OLD_ONNXRUNTIME

from unspool import load
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.frontend.onnx.loading import load_onnx
from unspool.support._tensorflow import keras

BY_ONNX = {
    "elementwise: Swish": "it knows no operator of version 24",
    "normalizations: layer turned": "its variance is the mean of squares less the square of the "
    "mean, in float32: 2e-5 off where the values lie close together",
    "normalizations: layer of one scale": "it refuses a scale of one entry beside a bias of more",
    "reductions: axes left out, nothing done": "it reduces, into an output of the whole size, and "
    "refuses that; an input of no axes it understands",
}
"""Case -> why onnxruntime 1.23 cannot say what is right, so that ONNX's own evaluator does."""


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", TABLES)
def test_an_operator_computes_as_onnxruntime(name: str, tmp_path: Path) -> None:
    form = TABLES[name]
    by_onnx = OLD_ONNXRUNTIME and name in BY_ONNX
    reference = onnx_models.evaluated if by_onnx else onnx_models.run
    onnx_models.check(form.model(), tmp_path, form.batch, reference)


def test_what_gives_an_input_out_can_be_copied_and_saved(tmp_path: Path) -> None:
    form = elementwise.FORMS["Identity"]
    model = load_onnx(onnx_models.saved(form.model(), tmp_path))
    model.save(tmp_path / "model.keras")
    data = np.ones((2, *form.shape[1:]), np.float32)
    for copy in (keras.models.clone_model(model), load(tmp_path / "model.keras")):
        np.testing.assert_array_equal(copy({"x": data})["y"], data)


def test_log_softmax_at_the_end_gives_probabilities(tmp_path: Path) -> None:
    """The same order of classes, which int8 can tell apart."""
    model = one("LogSoftmax", axis=2).model()
    with pytest.warns(UnspoolWarning, match="'y' gives probabilities"):
        loaded = load_onnx(onnx_models.saved(model, tmp_path))
    for feed in onnx_models.samples(model):
        expected = np.exp(onnx_models.run(model, feed)["y"])
        np.testing.assert_allclose(onnx_models.answers(loaded, feed)["y"], expected, atol=1e-6)


def test_log_softmax_that_is_read_is_refused(tmp_path: Path) -> None:
    nodes = [node("LogSoftmax", "x", "l"), node("Relu", "l", "y")]
    with pytest.raises(UnspoolError, match=r"its LogSoftmax is read by other nodes, and has no"):
        load_onnx(onnx_models.saved(Form(nodes).model(), tmp_path))


@pytest.mark.parametrize("name", refused.FORMS)
def test_what_has_no_form_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    form, line = refused.FORMS[name]
    model = form.model()
    last = model.graph.node[-1]
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(model, tmp_path))
    assert str(caught.value) == f"node {last.name!r}: its {last.op_type} {line}"
