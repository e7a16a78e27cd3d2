"""Arguments that a later Keras wrote into a file, and the Keras at hand does not know.

Each release of Keras gives some layers and initializers another argument, and writes it into every
file, where the one before refuses it: Keras 3.12, the last for Python 3.10, cannot read a file with
a GlorotUniform of Keras 3.15. Most are None or False there: nothing is asked for.
"""

import inspect
from typing import Any

from unspool.frontend.descriptions import changed
from unspool.support._tensorflow import keras

Config = dict[str, Any]


def without_unknown(described: Config) -> Config:
    """A model's description without those that are None or False.

    And without those that one that is False is the beginning of: `renorm_momentum` beside `renorm`.
    """
    return changed(described, _trimmed)  # type: ignore[no-any-return]


def _trimmed(described: Config) -> Config:
    kind = _class(described)
    if kind is not None:
        config, known = described["config"], _arguments(kind)
        off = {
            key
            for key, part in config.items()
            if key not in known and (part is None or part is False)
        }
        of_them = tuple(f"{key}_" for key in off)
        arguments = {
            key: part
            for key, part in config.items()
            if key in known or not (key in off or key.startswith(of_them))
        }
        return {**described, "config": arguments}
    return described


def _class(described: Config) -> type | None:
    """The class of Keras's own that is described, such as one of `keras.layers`."""
    # HDF5 names no module for the layers of the model itself.
    module, name = described.get("module", "keras.layers"), described.get("class_name")
    if not isinstance(described.get("config"), dict) or not str(module).startswith("keras."):
        return None
    home = getattr(keras, str(module).removeprefix("keras."), None)
    kind = getattr(home, str(name), None)
    return kind if inspect.isclass(kind) else None


def _arguments(kind: type) -> set[str]:
    """What a class takes, itself or for those that it is made of."""
    return {
        name
        for each in kind.__mro__
        if "__init__" in vars(each)
        for name in inspect.signature(vars(each)["__init__"]).parameters
    }
