"""Read a trained Keras model from a file, without running anything that the file asks for."""

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import keras2, own_objects, saved, sizes
from unspool.frontend.saved import Saved
from unspool.frontend.unknown_arguments import without_unknown
from unspool.support._tensorflow import keras
from unspool.support.files import AnyPath
from unspool.support.text import in_a_line

_STARTS = {b"\x89HDF": ".h5", b"PK\3\4": ".keras"}
"""What a file begins with -> the ending that Keras knows such a file by."""


def load(path: AnyPath, config: AnyPath | None = None) -> Any:
    """Load a trained model from a .keras or a Keras HDF5 file, with Keras's safe mode on.

    Args:
        path: the file; its content says which kind it is.
        config: what `model.to_json()` wrote, where the file has the weights alone.

    Raises:
        UnspoolError: as `unspool.load`.
    """
    path = Path(path)
    ending = _ending(path)
    described = None
    try:
        if ending == ".h5" and saved.is_of_weights(path):
            ending = ".weights.h5"
        with _as(path, ending) as named:
            stored = sizes.entries(named)
            described = saved.read(named, None if config is None else Path(config))
            with sizes.built_of(stored):
                return _load(named, described)
    except UnspoolError as error:
        raise UnspoolError(f"{path}: {in_a_line(str(error))}") from None
    except Exception as error:
        if "unsafe" in str(error).lower() or "lambda" in str(error).lower():
            raise UnspoolError(
                f"{path}: the model asks to run Python code stored in the file (a Lambda layer), "
                "which Unspool never does; replace it by a layer and save the model again"
            ) from None
        reason = " ".join(str(error).split())
        if described is not None and _is_later(described.version):
            raise UnspoolError(
                f"{path}: Keras {described.version} saved this model, and Keras "
                f"{keras.__version__}, which is installed, cannot load it: "
                f"{reason.rpartition('Exception encountered: ')[2][:300]}; install the later one "
                "(3.13 and above need Python 3.11), or save the model with the earlier"
            ) from None
        raise UnspoolError(f"{path}: Keras cannot load this model: {reason[:300]}") from None


def _is_later(version: str) -> bool:
    """Whether a Keras is later than the one that is installed."""
    return _numbers(version) > _numbers(keras.__version__)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as Keras's HDF5 files do, whatever its name."""
    with path.open("rb") as file:
        return file.read(4) == b"\x89HDF"


def _load(path: Path, described: Saved) -> Any:
    with warnings.catch_warnings():  # of an optimizer's state that does not fit; it is not used
        warnings.simplefilter("ignore")
        if described.by_keras_2:
            return keras2.load(path, described.model, described.training)
        layers = own_objects.for_inference(described.model)
        own_objects.check_known(layers)
        known = without_unknown(layers)  # before Keras reads, and changes, the description
        all_known = known == layers
        try:
            return _of_layers(layers, path, described)
        except Exception:
            if all_known:
                raise
            return _with_weights(known, path, described)


def _of_layers(layers: dict[str, Any], path: Path, described: Saved) -> Any:
    if described.apart or layers != described.model:
        return _with_weights(layers, path, described)
    with suppress(Exception):  # a loss of the user's own
        return keras.models.load_model(path, safe_mode=True)
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _with_weights(layers: dict[str, Any], path: Path, described: Saved) -> Any:
    """A model of layers that are described elsewhere, or otherwise than in the file."""
    where = "keras.src.models.functional" if layers["class_name"] == "Functional" else "keras"
    layers = {"module": where, "registered_name": None, **layers}  # HDF5 does not say
    model = keras.saving.deserialize_keras_object(layers, safe_mode=True)
    model.load_weights(path)
    if path.suffix == ".h5":
        keras2.compile_as_saved(model, described.training)
    elif described.training:
        with suppress(Exception):  # a loss of the user's own
            model.compile_from_config(described.training)
    return model


def _ending(path: Path) -> str:
    """Check by a file's content that it may be a Keras model."""
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
        start = file.read(4)
    if start not in _STARTS:
        raise UnspoolError(
            f"{path}: not a Keras model file; expected the .keras or .h5 format, as model.save() "
            "writes it"
        )
    return _STARTS[start]


@contextmanager
def _as(path: Path, ending: str) -> Iterator[Path]:
    """A name with the ending by which Keras knows the file."""
    if path.name.endswith(ending):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        named = Path(folder, f"model{ending}")
        named.symlink_to(path.resolve())
        yield named
