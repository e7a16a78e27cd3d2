"""Load an .onnx file as a Keras model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx.assembling import assembled
from unspool.frontend.onnx.opening import OTHER_LENGTH, is_open, opened, with_cause
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
    graph = read(path, time_steps, input_shapes)
    if not is_open(graph):
        return assembled(graph)
    try:
        model = assembled(graph)
    except UnspoolError as error:
        raise with_cause(error) from None
    other = read(path, OTHER_LENGTH, input_shapes)
    return opened(model, graph, assembled(replace(other, states=())))  # of which was told
