"""An .onnx file as a graph: checked, every shape fixed, what is constant computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx import damage, first_states, folding, names
from unspool.frontend.onnx.cells import cells
from unspool.frontend.onnx.choices import reads
from unspool.frontend.onnx.cutting import cut
from unspool.frontend.onnx.damage import nodes, tensors
from unspool.frontend.onnx.ends import fixed
from unspool.frontend.onnx.giving import give
from unspool.frontend.onnx.graph import Graph, Node
from unspool.frontend.onnx.joins import apart
from unspool.frontend.onnx.listing import listed
from unspool.frontend.onnx.quantized import without_pairs
from unspool.frontend.onnx.rolling import rolled
from unspool.support import files
from unspool.support.text import brief

_OLDEST = 7
"""The version since which operators broadcast, and mean inference where they do not say."""


@dataclass(frozen=True)
class Piece:
    """What of a file is read, and for which sizes.

    Attributes:
        time_steps: length of the sequence; None takes the file's.
        shapes: input name -> shape with the batch, where the file leaves sizes open.
        start: a tensor that is fed instead of computed; None begins with the inputs.
        stop: a tensor that is the only output; None ends with the outputs.
        given: input name -> the number that it always is.
    """

    time_steps: int | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    start: str | None = None
    stop: str | None = None
    given: Mapping[str, float] = field(default_factory=dict)


def read(path: Path, piece: Piece) -> Graph:
    """Read an .onnx file.

    Args:
        path: of the file; data that it keeps outside of itself lies in its folder.
        piece: what of it.

    Raises:
        UnspoolError: it is not such a file, is damaged, or holds what has no place on an NPU.
    """
    return graph_of(parsed(path), piece)


def graph_of(model: Any, piece: Piece) -> Graph:
    """The graph of an ONNX model, which is changed on the way.

    Raises:
        UnspoolError: it is damaged, or holds what has no place on an NPU.
    """
    try:
        return _graph(model, piece)
    except UnspoolError:
        raise
    except Exception as error:  # what protobuf lets pass and ONNX does not mean
        raise UnspoolError(f"a damaged ONNX file: {brief(error)}") from None


def _graph(model: Any, piece: Piece) -> Graph:
    onnx = _library()
    _check(model)
    every = list(model.graph.node)
    give(model, piece.given)
    shapes = piece.shapes
    if piece.start or piece.stop:
        folding.decided(model)  # so that it may be cut within a branch
        shapes = cut(model, piece.start, piece.stop, shapes)
    ends, exported = fixed(model, piece.time_steps, shapes)
    links = [
        Node(node.op_type, "", tuple(reads(node)), tuple(node.output)) for node in model.graph.node
    ]
    numbered = first_states.numbered(links, ends)
    for name, value in numbered.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    onnx_nodes, constants = folding.folded(model)
    outputs = tuple(value.name for value in model.graph.output)
    nodes, rounded = without_pairs(names.named(onnx_nodes), constants, outputs)
    whole = apart(nodes, constants, lambda: folding.shapes(model, onnx_nodes, constants))
    steps = cells(whole, constants, outputs)
    if steps:
        nodes = tuple(whole)
        sizes = folding.shapes(model, onnx_nodes, constants)
        nodes = names.renamed(rolled(nodes, steps, constants, sizes, outputs))
    # what are states once cells are layers, and branches stand in the place of Ifs
    left_ends = [end for end in ends if end.name not in numbered]
    more = first_states.numbered(
        nodes, left_ends, 1 + sum(value.size for value in numbered.values())
    )
    if steps or more:
        constants |= more
        numbered |= more
        nodes = folding.moved(nodes, constants, model)
    in_file = tuple(listed(every, constants))
    graph = first_states.as_graph(
        nodes, constants, ends, outputs, numbered, _opset(model), exported, in_file
    )
    return replace(graph, rounded=rounded)


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


def parsed(path: Path) -> Any:
    """An ONNX model, with the data that its file keeps outside of itself.

    Raises:
        UnspoolError: it is no such file.
    """
    onnx = _library()
    content = files.read(path)
    try:
        model = onnx.load_model_from_string(content)
        _check_data(tensors(model.graph), path.parent)
        onnx.load_external_data_for_model(model, str(path.parent))
        return model
    except UnspoolError:
        raise
    except Exception as error:  # protobuf's and onnx's own are of many kinds
        raise UnspoolError(f"not an ONNX file, or damaged: {brief(error)}") from None


def _check_data(listed: Iterable[Any], folder: Path) -> None:
    """Check that data outside of the file lies in its folder, and fits in memory."""
    total = 0
    for tensor in listed:
        if tensor.data_location != type(tensor).EXTERNAL:
            continue
        external_data = {entry.key: entry.value for entry in tensor.external_data}
        place = external_data.get("location", "")
        inside = (folder / place).resolve()
        if not place or not inside.is_relative_to(folder.resolve()):
            raise UnspoolError(
                f"weights {tensor.name!r} are said to lie in {place!r}; expected a file in the "
                "model's own folder"
            )
        if not inside.is_file():
            raise UnspoolError(f"weights {tensor.name!r}: no file {place!r} beside the model")
        size, length = inside.stat().st_size, int(external_data.get("length") or -1)
        total += size if length < 0 else min(length, size)
        files.check_fits_memory(inside, total, "weights read from it have ")


def _check(model: Any) -> None:
    """Check that a model is one that inference needs: ONNX's operators, no loops."""
    damage.check(model.graph)
    for node in nodes(model.graph):
        where = damage.called(node)
        if not node.op_type.isidentifier():
            raise UnspoolError(f"{where}: {node.op_type!r} is no operator; the file is damaged")
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
    if model.graph.sparse_initializer:
        raise UnspoolError("the ONNX graph has sparse weights; export it with dense ones")
    if _opset(model) < _OLDEST:
        raise UnspoolError(
            f"a file of version {_opset(model)} of ONNX's operators; expected {_OLDEST} or later; "
            "export it anew (opset_version)"
        )
    damage.check_counts(model.graph, _opset(model))


def _opset(model: Any) -> int:
    return max(
        (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        default=1,
    )
