"""Classes and functions of the user's own in a model's description, as Keras 3 writes it.

What is for training alone is left out: the weights are in the file, and inference needs no more.
What computes something is named, with how to make Keras know it.
"""

from collections.abc import Iterator
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.descriptions import changed
from unspool.frontend.ranged import Ranged
from unspool.support._tensorflow import keras

Config = dict[str, Any]

_FOR_TRAINING = ("_regularizer", "_constraint", "_initializer")


def is_own(described: Any) -> bool:
    """Whether a description is of a class or function that Keras does not know."""
    if not isinstance(described, dict) or "registered_name" not in described:
        return False
    module, name = described.get("module"), described.get("class_name")
    if module and module.split(".")[0] == "keras":
        return False
    if name == "function":
        name = described["config"]
        known = (getattr(keras, kind) for kind in ("activations", "initializers", "constraints"))
        return not any(hasattr(home, str(name)) for home in known) and not _is_registered(name)
    return not _is_registered(described["registered_name"])


def _is_registered(name: Any) -> bool:
    return name in _OURS or keras.saving.get_registered_object(name) is not None


_OURS = {keras.saving.get_registered_name(Ranged)}
"""Unspool's own, by the names that Keras knows them by as soon as they are imported."""


def for_inference(described: Config) -> Config:
    """A description without regularizers, constraints and initializers of the user's own."""
    return changed(described, _trimmed)  # type: ignore[no-any-return]


def _trimmed(part: Config) -> Config:
    return {
        key: _without(key) if key.endswith(_FOR_TRAINING) and is_own(value) else value
        for key, value in part.items()
    }


def _without(key: str) -> str | None:
    return "zeros" if key.endswith("_initializer") else None


def check_known(described: Config) -> None:
    """Check that Keras knows every class and function that computes something.

    Args:
        described: as `for_inference` returns it.

    Raises:
        UnspoolError: some are of the user's own; the message names them.
    """
    unknown = sorted({_named(part) for part in _own(described)})
    if unknown:
        raise UnspoolError(
            f"has {', '.join(unknown)} of your own, whose code is not in the file; decorate it "
            "with @keras.saving.register_keras_serializable(), import it in a Python program, and "
            "deploy from there (unspool.load, unspool.deploy)"
        )


def _own(value: Any) -> Iterator[Config]:
    if isinstance(value, dict):
        if is_own(value):
            yield value
        for key, part in value.items():
            if key not in ("compile_config", "optimizer"):
                yield from _own(part)
    elif isinstance(value, list):
        for part in value:
            yield from _own(part)


def _named(described: Config) -> str:
    if described["class_name"] == "function":
        return f"the function {described['config']!r}"
    return f"the class {described['class_name']!r}"
