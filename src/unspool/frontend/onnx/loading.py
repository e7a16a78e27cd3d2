"""Load an .onnx file as a Keras model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unspool.frontend.onnx.assembling import assembled
from unspool.frontend.onnx.reading import read

_NOTHING: Mapping[str, tuple[int, ...]] = {}


def load_onnx(
    path: Path,
    time_steps: int | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] = _NOTHING,
) -> Any:
    """A Keras functional model of an .onnx file, its layers real ones.

    Args:
        path: the file.
        time_steps: length of the sequence; None takes the file's, or leaves it open as the file.
        input_shapes: input name -> shape, with the batch, where the file leaves sizes open.

    Raises:
        UnspoolError: the file cannot be read, or a node has no form; the message names it.
    """
    return assembled(read(path, time_steps, input_shapes))
