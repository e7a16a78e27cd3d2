"""Load an .onnx file as a Keras model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from unspool.frontend.onnx.assembling import assembled
from unspool.frontend.onnx.graph import Graph
from unspool.frontend.onnx.reading import Piece, read
from unspool.frontend.origins import keep_cut

_WHOLE = Piece()


def load_onnx(path: Path, piece: Piece = _WHOLE) -> Any:
    """A Keras functional model of an .onnx file, its layers real ones.

    Args:
        path: the file.
        piece: what of it is read, and for which sizes.

    Raises:
        UnspoolError: the file cannot be read, or a node has no form; the message names it.
    """

    def graph_of_length(time_steps: int) -> Graph:
        return read(path, replace(piece, time_steps=time_steps))

    model = assembled(read(path, piece), graph_of_length)
    if piece.start or piece.stop or piece.given:
        keep_cut(model, piece.start or "", piece.stop or "", piece.given)
    return model
