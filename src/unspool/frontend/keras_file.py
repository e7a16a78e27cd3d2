"""Read a trained Keras model from a file, without running anything that the file asks for."""

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from unspool.errors import UnspoolError
from unspool.support import files
from unspool.support._tensorflow import keras
from unspool.support.files import AnyPath

_HDF5 = b"\x89HDF\r\n\x1a\n"


def load(path: AnyPath) -> Any:
    """Load a trained model from a .keras or a Keras .h5 file, with Keras's safe mode on.

    It is compiled with the loss and the metrics that it was saved with, if these are Keras's own.

    Raises:
        UnspoolError: the file is missing or corrupt, is a SavedModel, or asks to run code (a
            Lambda layer).

    Example:
        >>> model.save(tmp_path / "gru.keras")
        >>> loaded = unspool.load(tmp_path / "gru.keras")
        >>> loaded.count_params() == model.count_params()
        True
    """
    path = Path(path)
    _check_is_model(path)
    try:
        with suppress(Exception):  # a loss of the user's own
            return _load(path, compile=True)
        return _load(path, compile=False)
    except Exception as error:
        if "unsafe" in str(error).lower() or "lambda" in str(error).lower():
            raise UnspoolError(
                f"{path}: the model asks to run Python code stored in the file (a Lambda layer), "
                "which Unspool never does; replace it by a layer and save the model again"
            ) from None
        reason = " ".join(str(error).split())
        raise UnspoolError(f"{path}: Keras cannot load this model: {reason[:300]}") from None


def _load(path: Path, compile: bool) -> Any:
    with warnings.catch_warnings():  # of an optimizer's state that does not fit; it is not used
        warnings.simplefilter("ignore")
        return keras.models.load_model(path, compile=compile, safe_mode=True)


def _check_is_model(path: Path) -> None:
    """Check by a file's content that it is a Keras model, and that it would fit in memory."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            raise UnspoolError(
                f"{path}: a SavedModel holds the model's operations but not its layers, so its "
                "recurrent layers cannot be found again; save the trained model with "
                "model.save('model.keras')"
            )
        raise UnspoolError(f"{path}: is a folder; expected a Keras model file (.keras or .h5)")
    if not path.is_file():
        raise UnspoolError(f"{path}: no such file; expected a Keras model file (.keras or .h5)")
    with path.open("rb") as file:
        start = file.read(8)
    if path.suffix == ".keras" and start[:2] == b"PK":
        _check_unpacked_size(path)
    elif not (path.suffix in (".h5", ".hdf5") and start == _HDF5):
        raise UnspoolError(
            f"{path}: not a Keras model file; expected the .keras or .h5 format, as model.save() "
            "writes it"
        )


def _check_unpacked_size(path: Path) -> None:
    try:
        with ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except BadZipFile as error:
        raise UnspoolError(f"{path}: a corrupt .keras file ({error})") from None
    files.check_fits_memory(path, size, "unpacks to ")
