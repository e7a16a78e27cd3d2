"""docs/onnx.md is true: of every operator that has a form."""

import pytest
import slow
from onnx_forms.page import PAGE, page, recorded
from onnx_forms.rows import row
from versions import OLD_KERAS

from unspool.frontend.onnx.assembling import FORMS


def test_the_page_is_what_its_rows_make() -> None:
    assert set(recorded()) == set(FORMS)
    assert page(recorded()) == PAGE.read_text(), "make onnx-forms"


@pytest.mark.one_in(3)
@pytest.mark.skipif(OLD_KERAS, reason="the page is written with a later Keras")
@pytest.mark.parametrize("op", slow.but_one_of(20, FORMS))
def test_an_operator_is_as_the_page_says(op: str) -> None:
    assert row(op) == recorded()[op]
