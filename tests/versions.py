"""What the releases for Python 3.10 lack, the last of which are Keras 3.12 and onnxruntime 1.23."""

import inspect
from types import ModuleType
from typing import Any

import onnxruntime
import pytest

from unspool.support._tensorflow import keras

OLD_KERAS = keras.__version__.startswith("3.12.")
OLD_ONNXRUNTIME = onnxruntime.__version__.startswith("1.23.")


class Known:
    """A module of Keras; a name that it lacks skips the test that asks for it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and not hasattr(self._module, name):
            pytest.skip(f"Keras {keras.__version__} has no {self._module.__name__}.{name}")
        return getattr(self._module, name)


def taking(argument: str, layer: Any) -> Any:
    """A layer's class; one that does not take the argument skips the test."""
    if argument not in inspect.signature(layer).parameters:
        pytest.skip(f"{layer.__name__} of Keras {keras.__version__} has no {argument}")
    return layer
