"""Read a trained Keras model from a file, without running anything that the file asks for."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from unspool._tensorflow import keras
from unspool.errors import UnspoolError


def load(path: Path) -> Any:
    """Load a trained model from a .keras file, with Keras's safe mode on.

    Raises:
        UnspoolError: the file is missing or corrupt, or asks to run code (a Lambda layer).
    """
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "no such file"
        raise UnspoolError(f"{path}: {kind}; expected a Keras model file (.keras)")
    if path.suffix != ".keras" or not is_zipfile(path):
        raise UnspoolError(
            f"{path}: not a Keras model file; expected the .keras format, as model.save() writes it"
        )
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        if "unsafe" in str(error).lower() or "lambda" in str(error).lower():
            raise UnspoolError(
                f"{path}: the model asks to run Python code stored in the file (a Lambda layer), "
                "which Unspool never does; replace it by a layer and save the model again"
            ) from None
        reason = " ".join(str(error).split())
        raise UnspoolError(f"{path}: Keras cannot load this model: {reason[:300]}") from None
