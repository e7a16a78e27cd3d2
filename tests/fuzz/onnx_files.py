"""Damaged .onnx files: of other bytes, of other fields, and graphs that are made to do harm."""

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzz import messages, seeds
from fuzz.damage import INTEGERS, TEXTS, damaged


def drawn(rng: random.Random) -> bytes:
    """The content of a damaged file."""
    content = seeds.drawn(rng, "onnx")
    kind = rng.random()
    if kind < 0.25:
        return damaged(rng, content)
    model = onnx.load_model_from_string(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if kind < 0.65:
            messages.changed(rng, model)
        else:
            rng.choice(_HARMS)(rng, model.graph)
    return bytes(model.SerializeToString())


def _moved_data(rng: random.Random, graph: Any) -> None:
    """Weights in another file, which may not be there, or lies elsewhere."""
    if not graph.initializer:
        return
    tensor = rng.choice(graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    places = ("weights.bin", "sub/weights.bin", "link.bin", "model.onnx", ".", "sub", *TEXTS)
    tensor.external_data.add(key="location", value=rng.choice(places))
    for key in ("offset", "length", "checksum"):
        if rng.random() < 0.6:
            tensor.external_data.add(key=key, value=str(rng.choice((*INTEGERS, "x", "", "1e9"))))


def _other_size(rng: random.Random, graph: Any) -> None:
    """An input, an initializer or a constant of other sizes."""
    shapes = [value.type.tensor_type.shape for value in (*graph.input, *graph.value_info)]
    if graph.initializer and rng.random() < 0.5:
        dims = rng.choice(graph.initializer).dims
        dims[:] = [*dims, 1] if rng.random() < 0.3 or not dims else dims
        dims[rng.randrange(len(dims))] = rng.choice(INTEGERS)
    elif shapes:
        shape = rng.choice(shapes)
        if rng.random() < 0.3:
            shape.dim.add(dim_value=rng.choice(INTEGERS))
        if shape.dim:
            dim = rng.choice(shape.dim)
            dim.Clear()
            if rng.random() < 0.5:
                dim.dim_value = rng.choice(INTEGERS)
            else:
                dim.dim_param = rng.choice((*TEXTS, "batch", "time"))


def _other_link(rng: random.Random, graph: Any) -> None:
    """A node that reads what another computes, behind it or itself."""
    made = [name for node in graph.node for name in node.output]
    made += [value.name for value in (*graph.input, *graph.initializer)]
    nodes = [node for node in graph.node if node.input]
    if nodes and made:
        node = rng.choice(nodes)
        for _ in range(rng.choice((1, 1, 2))):
            node.input[rng.randrange(len(node.input))] = rng.choice((*made, *node.output))


def _other_name(rng: random.Random, graph: Any) -> None:
    """A value of the graph that has the name of another."""
    ends = [*graph.input, *graph.output, *graph.initializer]
    names = [end.name for end in ends] + [name for node in graph.node for name in node.output]
    if ends:
        rng.choice(ends).name = rng.choice((*names, *TEXTS))


def _other_operator(rng: random.Random, graph: Any) -> None:
    if graph.node:
        rng.choice(graph.node).op_type = rng.choice(_operators())


@cache
def _operators() -> list[str]:
    return sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain})


def _other_numbers(rng: random.Random, graph: Any) -> None:
    """Whole numbers of a constant, such as a shape, are others."""
    whole = [one for one in graph.initializer if one.data_type in (6, 7)]
    if not whole:
        return
    tensor = rng.choice(whole)
    try:
        values = numpy_helper.to_array(tensor).copy().ravel()
    except Exception:  # what another change made of it
        return
    limits = np.iinfo(values.dtype)
    for _ in range(rng.choice((1, 1, 3)) if values.size else 0):
        number = rng.choice((*INTEGERS, int(values[0]) + 1))
        values[rng.randrange(values.size)] = min(max(number, limits.min), limits.max)
    shape = list(tensor.dims) if rng.random() < 0.9 else [values.size, 1]
    tensor.CopyFrom(numpy_helper.from_array(values.reshape(shape), tensor.name))


def _growing(rng: random.Random, graph: Any) -> None:
    """A node of constants that makes much of little, in an input's or a weight's place."""
    nodes = [node for node in graph.node if node.input]
    if not nodes:
        return
    op = rng.choice(("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "OneHot", "Resize"))
    numbers = [rng.choice(INTEGERS) for _ in range(rng.choice((1, 1, 2, 3)))]
    node = rng.choice(nodes)
    place = rng.randrange(len(node.input))
    reads = {
        "ConstantOfShape": ["n"],
        "Range": ["n", "n", "n"],
        "Resize": [node.input[place], "", "n"],
    }
    given = reads.get(op, [rng.choice((node.input[place], "n")), "n"])
    graph.initializer.append(numpy_helper.from_array(np.array(numbers, np.int64), "n"))
    graph.node.insert(rng.randrange(2), helper.make_node(op, given, ["grown"]))
    node.input[place] = "grown"


def _doubling(rng: random.Random, graph: Any) -> None:
    """Nodes one after the other, each of which reads the one before it twice."""
    nodes = [node for node in graph.node if node.input]
    if not nodes:
        return
    node = rng.choice(nodes)
    name, at = node.input[0], list(graph.node).index(node)
    op = rng.choice(("Concat", "Add", "Mul", "Where", "Identity", "Relu", "Transpose", "Squeeze"))
    reads = {"Concat": 2, "Add": 2, "Mul": 2, "Where": 3}.get(op, 1)
    for n in range(rng.choice((3, 30, 60, 300))):
        more = {"axis": 0} if op == "Concat" else {}
        graph.node.insert(at + n, helper.make_node(op, [name] * reads, [f"d{n}"], **more))
        name = f"d{n}"
    node.input[0] = name


def _nested(rng: random.Random, graph: Any) -> None:
    """Graphs in graphs."""
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(rng.choice((1, 5, 20, 28))):  # protobuf takes 100 messages in each other
        names = [value.name for value in (*graph.input, *graph.initializer)] or ["x"]
        branches = {"then_branch": inner, "else_branch": inner} if rng.random() < 0.1 else {}
        op = rng.choice(("If", "Loop", "Scan", "Relu"))
        node = helper.make_node(op, [rng.choice(names)], ["nested"], body=inner, **branches)
        if node.ByteSize() > 100_000:
            break
        inner = helper.make_graph([node], "inner", [], list(graph.output)[:1])
    graph.node.extend(inner.node)


_HARMS: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_moved_data, _other_size, _other_size, _other_link, _other_link, _other_name),
    *(_other_operator, _other_numbers, _other_numbers, _growing, _doubling, _nested),
)
