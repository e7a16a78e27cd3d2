"""A call in a process of its own gives what it gives here, and its death is one line."""

import math
import os

import pytest

from unspool.errors import UnspoolError
from unspool.support import sample_files
from unspool.support.apart import apart


def test_what_is_returned_and_raised_is_the_same() -> None:
    assert apart(math.sqrt, 2.25) == 1.5
    assert apart(print, "not an answer") is None
    with pytest.raises(ValueError, match="math domain error"):
        apart(math.sqrt, -1)
    with pytest.raises(UnspoolError, match="/nowhere: no such file"):
        apart(sample_files.load, "/nowhere")


def test_its_death_is_one_line() -> None:
    with pytest.raises(UnspoolError, match="abort: its process died of SIGABRT") as error:
        apart(os.abort)
    assert error.value.reason == "SIGABRT"
