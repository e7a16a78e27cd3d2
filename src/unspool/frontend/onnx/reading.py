"""An .onnx file as a graph: checked, every shape fixed, what is constant computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx import first_states, folding, names
from unspool.frontend.onnx.cutting import cut
from unspool.frontend.onnx.ends import fixed
from unspool.frontend.onnx.graph import Graph, Node, needed
from unspool.support import files


@dataclass(frozen=True)
class Piece:
    """What of a file is read, and for which sizes.

    Attributes:
        time_steps: length of the sequence; None takes the file's.
        shapes: input name -> shape with the batch, where the file leaves sizes open.
        start: a tensor that is fed instead of computed; None begins with the inputs.
        stop: a tensor that is the only output; None ends with the outputs.
    """

    time_steps: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    start: str | None = None
    stop: str | None = None


def read(path: Path, piece: Piece) -> Graph:
    """Read an .onnx file.

    Args:
        path: of the file; data that it keeps outside of itself lies in its folder.
        piece: what of it.

    Raises:
        UnspoolError: it is not such a file, is damaged, or holds what has no place on an NPU.
    """
    onnx = _library()
    model = _parsed(path)
    _check(model)
    if piece.start or piece.stop:
        cut(model, piece.start, piece.stop, piece.shapes)
    ends, exported = fixed(model, piece.time_steps, piece.shapes)
    links = [
        Node(node.op_type, "", tuple(node.input), tuple(node.output)) for node in model.graph.node
    ]
    numbered = first_states.numbered(links, ends)
    for name, value in numbered.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    left, constants = folding.folded(model)
    nodes, states = first_states.left_out(names.named(left), constants, numbered)
    outputs = tuple(value.name for value in model.graph.output)
    if states:
        outputs = tuple(name for name in outputs if not first_states.is_final(name, nodes))
    return Graph(
        inputs=tuple(end for end in ends if end.name not in numbered),
        outputs=outputs,
        nodes=needed(nodes, outputs),
        constants=constants,
        opset=_opset(model),
        exported=exported,
        states=states,
    )


def _library() -> Any:
    try:
        import onnx
        import onnx.reference
        import onnx.shape_inference
    except ImportError:
        raise UnspoolError(
            "an ONNX file, for which a library is missing; install it with "
            "pip install 'unspool[onnx]'"
        ) from None
    return onnx


def _parsed(path: Path) -> Any:
    onnx = _library()
    content = files.read(path)
    try:
        model = onnx.load_model_from_string(content)
        _check_data(model, path.parent)
        onnx.load_external_data_for_model(model, str(path.parent))
        return model
    except UnspoolError:
        raise
    except Exception as error:  # protobuf's and onnx's own are of many kinds
        raise UnspoolError(f"not an ONNX file, or damaged: {_brief(error)}") from None


def _check_data(model: Any, folder: Path) -> None:
    """Check that data outside of the file lies in its folder, and fits in memory."""
    for tensor in model.graph.initializer:
        if tensor.data_location != type(tensor).EXTERNAL:
            continue
        told = {entry.key: entry.value for entry in tensor.external_data}
        place = told.get("location", "")
        inside = (folder / place).resolve()
        if not place or not inside.is_relative_to(folder.resolve()):
            raise UnspoolError(
                f"weights {tensor.name!r} are said to lie in {place!r}; expected a file in the "
                "model's own folder"
            )
        if not inside.is_file():
            raise UnspoolError(f"weights {tensor.name!r}: no file {place!r} beside the model")
        files.check_fits_memory(inside, inside.stat().st_size, "has ")


def _check(model: Any) -> None:
    """Check that a model is one that inference needs: ONNX's operators, no loops."""
    for node in model.graph.node:
        where = f"node {node.name or node.output[0]!r}"
        if node.domain not in ("", "ai.onnx"):
            raise UnspoolError(
                f"{where}: {node.op_type} of domain {node.domain!r} is not ONNX's own; expected "
                "operators of ONNX alone"
            )
        if node.op_type in ("Loop", "Scan"):
            raise UnspoolError(
                f"{where}: a {node.op_type} hides the recurrent layer in it; export nn.GRU, "
                "nn.LSTM or nn.RNN, not code with a loop that was scripted"
            )
    if not model.graph.output:
        raise UnspoolError("the ONNX graph has no output")


def _opset(model: Any) -> int:
    return max(
        (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        default=1,
    )


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
