"""The table of docs/streaming.md is true: each row is made again from its layers."""

import pytest
import slow
from stream_table import LAYERS, recorded, row

NUMBERS = [str(number) for number in range(len(LAYERS))]


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("number", slow.but_one_of(6, NUMBERS))
def test_a_row_is_what_its_layers_come_to(number: str) -> None:
    assert row(LAYERS[int(number)]) == recorded()[int(number)]


def test_there_is_a_row_for_each() -> None:
    assert len(recorded()) == len(LAYERS)
