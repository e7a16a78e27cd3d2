"""Every operator in the forms that exporters write, and in stranger ones, against onnxruntime."""

from pathlib import Path
from typing import Any

import onnx_models
import pytest
from onnx_forms import (
    convolutions,
    elementwise,
    normalizations,
    products,
    reductions,
    refused,
    shapes,
)

from unspool.errors import UnspoolError
from unspool.frontend.onnx.loading import load_onnx

TABLES: dict[str, Any] = {
    f"{table.__name__.split('.')[-1]}: {name}": form
    for table in (convolutions, elementwise, normalizations, products, reductions, shapes)
    for name, form in table.FORMS.items()
}


@pytest.mark.parametrize("name", TABLES)
def test_an_operator_computes_as_onnxruntime(name: str, tmp_path: Path) -> None:
    form = TABLES[name]
    onnx_models.check(form.model(), tmp_path, form.batch)


@pytest.mark.parametrize("name", refused.FORMS)
def test_what_has_no_form_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    form, line = refused.FORMS[name]
    model = form.model()
    last = model.graph.node[-1]
    with pytest.raises(UnspoolError) as caught:
        load_onnx(onnx_models.saved(model, tmp_path))
    assert str(caught.value) == f"node {last.name!r}: its {last.op_type} {line}"
