"""A module that lives in PyTorch, as the file that torch.export saves of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.support.text import brief


def is_module(value: Any) -> bool:
    """Whether a value is a torch.nn.Module: by the names of its classes, as torch is not imported.

    >>> is_module("model.pt2")
    False
    """
    names = {(kind.__module__, kind.__name__) for kind in type(value).__mro__}
    return ("torch.nn.modules.module", "Module") in names


def export(module: Any, example_inputs: Any, path: Path) -> None:
    """Write a module's .pt2 file.

    Args:
        module: a torch.nn.Module in evaluation mode.
        example_inputs: a tuple of tensors, as the module is called with them.
        path: of the file.

    Raises:
        UnspoolError: it is in training mode, there are no examples, or torch cannot export it.
    """
    if example_inputs is None:
        raise UnspoolError(
            "a torch.nn.Module without example inputs; give them behind it, such as "
            "unspool.load(module, (torch.randn(1, 16, 8),))"
        )
    if module.training:
        raise UnspoolError("the module is in training mode; call module.eval() first")
    inputs = (
        tuple(example_inputs) if isinstance(example_inputs, tuple | list) else (example_inputs,)
    )
    with _without_triton():
        import torch

        try:
            program = torch.export.export(module, inputs)
            torch.export.save(program, str(path))
        except Exception as error:  # of torch's, of many kinds
            raise UnspoolError(
                f"torch.export.export cannot export it: {type(error).__name__}: {brief(error)}"
            ) from None


@contextmanager
def _without_triton() -> Iterator[None]:
    """Keep torch from loading Triton, which export needs not.

    Loaded behind TensorFlow it ends Python by a segmentation fault.
    """
    if "triton" in sys.modules or "tensorflow" not in sys.modules:
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["triton"]
