"""What a file says of the model in it: who wrote it, its layers, its training."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py

from unspool.errors import UnspoolError
from unspool.support import files

Config = dict[str, Any]


@dataclass(frozen=True)
class Saved:
    """A model as a file describes it.

    Attributes:
        version: of the Keras that wrote it; "" where the file does not say.
        model: its configuration.
        training: loss and metrics, as they stand in the file.
        apart: the configuration is in a file of its own.
    """

    version: str
    model: Config
    training: Config | None = None
    apart: bool = False

    @property
    def by_keras_2(self) -> bool:
        """Whether Keras 2 wrote it: some functions had another meaning then."""
        return self.version.startswith("2.")


def read(path: Path, config: Path | None) -> Saved:
    """Read what a model file says of its model.

    Args:
        path: a .keras or .h5 file, by its ending.
        config: JSON of the model's configuration, where the file has weights alone.

    Raises:
        UnspoolError: the file has no configuration, and none is given.
    """
    if config is not None:
        return _json(config)
    description = _archive(path) if path.suffix == ".keras" else _hdf5(path)
    if description is None:
        raise UnspoolError(
            "holds weights alone, without the layers that they belong to; save the whole model "
            "with model.save('model.keras'), or give what model.to_json() returns (`config`)"
        )
    return description


def is_of_weights(path: Path) -> bool:
    """Whether an HDF5 file, whatever its name, is as `save_weights` of Keras 3 writes it."""
    with h5py.File(path) as file:
        return "layers" in file and not {"model_config", "layer_names"} & set(file.attrs)


def _archive(path: Path) -> Saved:
    with ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            raise UnspoolError("a zip file without a config.json; expected a .keras file")
        config = json.loads(archive.read("config.json"))
        about = json.loads(archive.read("metadata.json"))
    return Saved(str(about.get("keras_version", "")), config, config.get("compile_config"))


def _hdf5(path: Path) -> Saved | None:
    with h5py.File(path) as file:
        attributes = {key: _text(value) for key, value in file.attrs.items()}
    if "model_config" not in attributes:
        return None
    model, training = (
        json.loads(attributes.get(key, "null")) for key in ("model_config", "training_config")
    )
    return Saved(attributes.get("keras_version", ""), model, training)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _json(path: Path) -> Saved:
    try:
        config = json.loads(files.read(path))
        kind = config["class_name"]
    except (ValueError, TypeError, KeyError):
        raise UnspoolError(
            f"its configuration {path}: not a model in JSON; expected what model.to_json() returns"
        ) from None
    if kind not in ("Functional", "Model", "Sequential"):
        raise UnspoolError(f"its configuration {path}: is one of a {kind}, not of a model")
    return Saved(str(config.get("keras_version", "")), config, apart=True)
