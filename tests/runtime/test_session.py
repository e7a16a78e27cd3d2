"""Sessions: the same numbers from both runtimes, alone and in parallel, and clear refusals."""

from pathlib import Path

import numpy as np
import pytest
from conftest import random_samples

from unspool.errors import UnspoolError
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session
from unspool.tflite.ends import Tensor


@pytest.mark.parametrize(
    ("value", "stored"),
    [  # scale 0.5, zero point 3; halves go to the even level
        (0.0, 3),
        (0.5, 4),
        (0.25, 3),
        (0.75, 5),
        (-0.25, 3),
        (-0.75, 1),
        (1e9, 127),
        (-1e9, -128),
    ],
)
def test_quantizing_by_hand(value: float, stored: int) -> None:
    tensor = Tensor("x", (1,), np.dtype(np.int8), 0.5, 3)
    assert tensor.quantize(np.array([value])).tolist() == [stored]


def test_dequantizing_by_hand() -> None:
    tensor = Tensor("x", (1,), np.dtype(np.int8), 0.5, 3)
    np.testing.assert_array_equal(
        tensor.dequantize(np.array([-128, 3, 127], np.int8)), [-65.5, 0, 62]
    )


def test_tflm_and_litert_differ_in_the_last_levels_only(
    int8_tflite: bytes, data: np.ndarray
) -> None:
    """Their rounding differs (docs/decisions.md): three levels of 1/256 after six steps."""
    litert, tflm = (Session(int8_tflite, name).predict(data)[0] for name in ("litert", "tflm"))
    assert np.abs(litert - tflm).max() <= 3 / 256


@pytest.mark.parametrize("name", ["litert", "tflm"])
def test_many_samples_on_all_cores_give_what_one_session_gives(
    int8_tflite: bytes, name: str
) -> None:
    many = random_samples(1_100)
    finished: list[int] = []
    outputs = predict(int8_tflite, many, name, finished.append)
    np.testing.assert_array_equal(outputs[0], Session(int8_tflite, name).predict(many)[0])
    assert sum(finished) == 1_100


def test_samples_do_not_depend_on_each_other(int8_tflite: bytes, data: np.ndarray) -> None:
    session = Session(int8_tflite, "tflm")
    forward, backward = session.predict(data)[0], session.predict(data[::-1])[0]
    np.testing.assert_array_equal(forward, backward[::-1])


def test_a_path_is_as_good_as_bytes(int8_tflite: bytes, data: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(int8_tflite)
    session = Session(tmp_path / "m.tflite")
    np.testing.assert_array_equal(session.predict(data)[0], Session(int8_tflite).predict(data)[0])


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "litert", "not a .tflite file: 0 bytes"),
        (b"PK\3\4 something else", "litert", "expected the identifier TFL3"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 64, "litert", "corrupt"),
        (None, "npu9000", "runtime 'npu9000': expected one of litert, tflm, npu"),
    ],
)
def test_what_is_not_a_model_says_so(
    int8_tflite: bytes, content: bytes | None, name: str, message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        Session(int8_tflite if content is None else content, name)


def test_truncated_files_never_crash(int8_tflite: bytes) -> None:
    for length in range(8, len(int8_tflite), len(int8_tflite) // 40):
        with pytest.raises(UnspoolError):
            Session(int8_tflite[:length], "tflm").predict(random_samples(1))
