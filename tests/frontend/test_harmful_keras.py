"""Keras files that unpack to more, declare more or lie elsewhere are refused before Keras reads."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import numpy as np
import pytest
from conftest import small_model

import unspool
from unspool.errors import UnspoolError
from unspool.frontend import sizes

KERNEL = "layers/gru/cell/vars/0"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("model") / "model.keras"
    small_model().save(path)
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _refused(path: Path, members: dict[str, bytes], *more: tuple[str, bytes]) -> str:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in (*members.items(), *more):
            archive.writestr(name, content)
    with pytest.raises(UnspoolError) as caught:
        unspool.load(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1 and len(line) < 1000
    return line


def test_layers_of_more_weights_than_the_file_has(
    members: dict[str, bytes], tmp_path: Path
) -> None:
    config = json.loads(members["config.json"])
    (gru,) = (one["config"] for one in config["config"]["layers"] if one["class_name"] == "GRU")
    gru["units"] = 6000
    changed = members | {"config.json": json.dumps(config).encode()}
    line = _refused(tmp_path / "a.keras", changed)
    # kernels and biases of 8 units and 4 classes: 3 * 8 * (5 + 8 + 2) + 4 * (8 + 1)
    assert "declare 90,000 weights or more, but it holds 396" in line


def test_a_class_of_a_long_name_of_many_lines(members: dict[str, bytes], tmp_path: Path) -> None:
    config = json.loads(members["config.json"])
    (gru,) = (one for one in config["config"]["layers"] if one["class_name"] == "GRU")
    gru |= {"module": "mine", "class_name": "a\n" * 2000, "registered_name": "mine>a"}
    line = _refused(tmp_path / "a.keras", members | {"config.json": json.dumps(config).encode()})
    assert "has the class 'a" in line and "keras.saving.register_keras_serializable()" in line


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(members: dict[str, bytes], tmp_path: Path) -> None:
    line = _refused(tmp_path / "a.keras", members, ("config.json", b"{}"))
    assert "two members of one name" in line


def test_members_that_unpack_to_far_more(members: dict[str, bytes], tmp_path: Path) -> None:
    line = _refused(tmp_path / "a.keras", members, ("assets/x", bytes(sizes._LEAST)))
    assert "unpacks to 67," in line


def test_a_configuration_too_long_to_be_one(
    members: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "_TEXT", 100)
    assert "expected at most 100" in _refused(tmp_path / "a.keras", members)


def _external_link(file: Any) -> None:
    file[KERNEL] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file: Any) -> None:
    file[KERNEL] = h5py.SoftLink("/layers")


def _hard_link(file: Any) -> None:
    file[KERNEL] = file["layers/gru/cell/vars/1"]


def _circle(file: Any) -> None:
    file[KERNEL] = file["layers"]


def _external_data(file: Any) -> None:
    file.create_dataset(KERNEL, (5, 24), "f4", external=[("/etc/passwd", 0, 480)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((5, 24), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (5, 24))
    file.create_virtual_dataset(KERNEL, layout)


def _never_written(file: Any) -> None:
    file.create_dataset(KERNEL, (2**20, 2**20), "f4", chunks=(1024, 1))


LINKS: dict[Callable[[Any], None], str] = {
    _external_link: "is a link",
    _soft_link: "is a link",
    _hard_link: "stands there twice",
    _circle: "stands there twice",
    _external_data: "lies in another file",
    _virtual: "lies in another file",
    _never_written: "holds 0 bytes; expected 4,398,046,511,104",
}


@pytest.mark.parametrize("change", LINKS, ids=lambda change: change.__name__.strip("_"))
def test_weights_that_are_not_where_they_belong(
    change: Callable[[Any], None], members: dict[str, bytes], tmp_path: Path
) -> None:
    weights = BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        assert np.shape(file[KERNEL]) == (5, 24)
        del file[KERNEL]
        change(file)
    changed = members | {"model.weights.h5": weights.getvalue()}
    assert LINKS[change] in _refused(tmp_path / "a.keras", changed)
