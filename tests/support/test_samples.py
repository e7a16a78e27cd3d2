"""Samples: whatever a file or an array holds, either it fits or one line says why not."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unspool.errors import UnspoolError
from unspool.support import sample_files, samples
from unspool.tflite.ends import Tensor

INPUT = Tensor("x", (1, 3, 2), np.dtype(np.float32))
OTHER = Tensor("z", (1, 4), np.dtype(np.float32))


@given(
    hnp.arrays(
        dtype=st.sampled_from([np.float32, np.float64, np.int8, np.uint8, np.bool_, np.complex64]),
        shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_any_array_is_taken_or_refused(array: np.ndarray) -> None:
    try:
        (taken,) = samples.check(array, [INPUT], "data")
    except UnspoolError as error:
        assert "\n" not in str(error)
    else:
        assert taken.dtype == np.float32
        assert taken.shape == array.shape and array.shape[1:] == (3, 2) and len(array)
        assert np.isfinite(taken).all()


def test_arrays_by_name_come_in_the_inputs_order() -> None:
    x, z = np.zeros((5, 3, 2)), np.ones((5, 4))
    taken = samples.check({"z": z, "x": x}, [INPUT, OTHER], "data")
    assert [a.shape for a in taken] == [(5, 3, 2), (5, 4)]


def test_inputs_need_equal_numbers_of_samples() -> None:
    with pytest.raises(UnspoolError, match="different numbers of samples: x 5, z 4"):
        samples.check([np.zeros((5, 3, 2)), np.zeros((4, 4))], [INPUT, OTHER], "data")


@pytest.mark.parametrize("data", [np.zeros((5, 3)), [], {}], ids=["one", "none", "by name"])
def test_a_model_without_inputs_takes_none(data: samples.Samples) -> None:
    with pytest.raises(UnspoolError, match=r"^data: the model has no inputs; expected one"):
        samples.check(data, [], "data")


def _npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def _vast() -> bytes:
    """An array of nothing, by a header that NumPy takes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|V0", "fortran_order": True, "shape": (2**32, 2**40, 0)}
    )
    return header.getvalue()


def _bomb() -> bytes:
    """A .npz of 70 KB that promises 64 TiB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**44,)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(64))
    return buffer.getvalue()


def _marked(at: int, value: int) -> bytes:
    """A .npz whose directory, and its member, say something else."""
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros((4, 3, 2)))
    content = bytearray(buffer.getvalue())
    content[content.index(b"PK\1\2") + at] = content[at - 2] = value
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\x93NUMPY\x01\x00",
        b"PK\x03\x04 not a zip",
        _npy(np.zeros((4, 3, 2)))[:-8],
        _vast(),
        _npy(np.array([{"a": 1}], object), allow_pickle=True),
        _npy(np.zeros(3)).replace(b"(3,)", b"(9000000000000000,)"),
        _npy(np.zeros(3)).replace(b"(3,)", b"(-9,-9)"),
        _npy(np.zeros(3, [("a", "f4")])),
        _bomb(),
        _marked(8, 1),
        _marked(10, 99),
    ],
    ids=[
        *(
            "empty",
            "garbage",
            "cut header",
            "cut zip",
            "cut data",
            "vast",
            "pickle",
            "huge",
            "negative",
        ),
        *("records", "bomb", "encrypted", "packed unknown"),
    ],
)
def test_files_that_are_not_numbers_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(UnspoolError, match=r"x\.npy: ") as error:
        sample_files.load(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnspoolError, match=r"nowhere\.npy: no such file"):
        sample_files.load(tmp_path / "nowhere.npy")


def test_npy_and_npz_are_read(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(1, 3, 2)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", x=array, z=array)
    np.testing.assert_array_equal(sample_files.load(tmp_path / "a.npy"), array)
    loaded = sample_files.load(tmp_path / "a.npz")
    assert isinstance(loaded, dict)
    assert sorted(loaded) == ["x", "z"]
    np.testing.assert_array_equal(loaded["z"], array)
