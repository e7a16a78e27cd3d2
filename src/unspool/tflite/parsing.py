"""The bytes of a .tflite file -> its objects: only of a file that is whole, in bounded memory.

LiteRT's generated reader trusts the file. It takes vectors that are missing for None and indices as
they come, and it makes anew what is referred to again: a small file of which one graph is listed
20,000 times would not end. Here what is referred to is counted on the way, and all that refers to
something else is looked at once, so that no reader of a file has to.
"""

from typing import Any, TypeAlias

import flatbuffers
from ai_edge_litert.tools import flatbuffer_utils

from unspool.errors import UnspoolError
from unspool.npu.flatbuffer import root
from unspool.tflite.soundness import problems

Model: TypeAlias = Any
"""A `ModelT` of LiteRT's schema."""

_TABLE = 16
"""Bytes that a table takes at least, on an average."""


def parse(content: bytes) -> Model:
    """Read a .tflite file.

    Raises:
        UnspoolError: it is none, is damaged, or refers to the same bytes again and again.
    """
    if content[4:8] != b"TFL3":
        raise UnspoolError(
            f"not a .tflite file: {len(content)} bytes that start with {content[:8]!r}; "
            "expected the identifier TFL3 at byte 4"
        )
    try:
        _check_outside(content)
        model = flatbuffer_utils.read_model_from_bytearray(_Counted(content))
    except UnspoolError as error:
        raise _corrupt(error) from None
    except Exception as error:
        raise _corrupt(error) from error
    if not model.subgraphs:
        raise UnspoolError("the .tflite file has no graph")
    _fill(model)
    for problem in problems(model):
        raise _corrupt(problem)
    return model


def _corrupt(reason: object) -> UnspoolError:
    return UnspoolError(f"the .tflite file is corrupt: {reason}")


class _Counted(bytearray):
    """A file that can be referred to for as many bytes as it has, and some more."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.allowance = 2 * len(content) + 1000

    def take(self, size: int) -> None:
        self.allowance -= size
        if self.allowance < 0:
            raise UnspoolError("it refers to more than it has, or to the same again and again")


def _counting(name: str, cost: int | None) -> None:
    """Let a way of FlatBuffers to what is referred to count it, where the file is `_Counted`.

    Args:
        name: of a method of its tables.
        cost: bytes; None for what the method returns: a length, or a string.
    """
    method = getattr(flatbuffers.table.Table, name)

    def counted(self: Any, offset: int) -> Any:
        result = method(self, offset)
        if isinstance(self.Bytes, _Counted):
            size = result if isinstance(result, int) else len(result)
            self.Bytes.take(size if cost is None else cost)
        return result

    setattr(flatbuffers.table.Table, name, counted)


_counting("VectorLen", None)
_counting("String", None)
_counting("Indirect", _TABLE)


def _check_outside(content: bytes) -> None:
    """Check what lies behind the flatbuffer and is copied out of it: nothing is there twice."""
    model = root(content, b"TFL3")
    places = [(buffer.scalar(1, "Q"), buffer.scalar(2, "Q")) for buffer in model.tables(4)]
    for graph in model.tables(2):
        places += [(op.scalar(9, "Q"), op.scalar(10, "Q")) for op in graph.tables(3)]
    beyond = [(start, size) for start, size in places if start]
    if any(start + size > len(content) for start, size in beyond):
        raise UnspoolError(f"a buffer lies behind its {len(content)} bytes")
    if sum(size for _, size in beyond) > len(content):
        raise UnspoolError("buffers that lie behind the flatbuffer share their bytes")


def _fill(model: Model) -> None:
    """Put empty lists where the file has none."""
    model.operatorCodes = model.operatorCodes or []
    for graph in model.subgraphs:
        for name in ("tensors", "operators", "inputs", "outputs"):
            _listed(graph, name)
        for tensor in graph.tensors:
            _listed(tensor, "shape")
            tensor.name = tensor.name or b""
            numbers = tensor.quantization
            if numbers and numbers.scale is not None and not len(numbers.scale):
                numbers.scale = numbers.zeroPoint = None
        for op in graph.operators:
            _listed(op, "inputs")
            _listed(op, "outputs")
    for signature in model.signatureDefs or []:
        _listed(signature, "inputs")
        _listed(signature, "outputs")
        for port in (*signature.inputs, *signature.outputs):
            port.name = port.name or b""


def _listed(owner: Any, name: str) -> None:
    if getattr(owner, name) is None:
        setattr(owner, name, [])
