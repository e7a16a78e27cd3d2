"""Products of an input and a state that are joined, as cells are written by hand: taken apart.

`linear(cat([x, h]))` is `linear_x(x) + linear_h(h)`, which is how PyTorch's own cells have it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from unspool.frontend.onnx.cells import kept
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.links import Linear, Links


def apart(
    nodes: Sequence[Node],
    constants: dict[str, np.ndarray],
    shapes: Callable[[], Mapping[str, Sequence[int]]],
) -> list[Node]:
    """The nodes with sums of two products in place of products of two values that are joined.

    Of weights that are used in one step alone nothing is taken apart.

    Args:
        nodes: in their order.
        constants: name -> value; parts of weights are added.
        shapes: gives those of values, as far as they are known.
    """
    links = Links(nodes, constants)
    joined = {node.outputs[0]: product for node in nodes if (product := _of_joined(node, links))}
    uses = Counter(map(_key, joined.values()))
    repeated = {name: product for name, product in joined.items() if uses[_key(product)] > 1}
    if not repeated:
        return list(nodes)
    sizes = {name: np.shape(value) for name, value in constants.items()} | dict(shapes())
    new_nodes: list[Node] = []
    for node in nodes:
        product = repeated.get(node.outputs[0])
        names = links.makers[product.source].inputs if product else ()
        if product and all(len(sizes.get(name, ())) == 2 for name in names):
            widths = [int(sizes[name][-1]) for name in names]
            new_nodes += _parts(node, product, list(zip(names, widths, strict=True)), constants)
        else:
            new_nodes.append(node)
    return new_nodes


def _of_joined(node: Node, links: Links) -> Linear | None:
    """The product of two joined values, with its bias, that a node is; None of others."""
    if node.op not in ("Gemm", "MatMul", "Add"):
        return None
    product = links.linear(node.outputs[0])
    maker = links.makers.get(product.source) if product else None
    if maker is None or maker.op != "Concat" or len(maker.inputs) != 2:
        return None
    return product if maker.attributes.get("axis") in (1, -1) else None


def _key(product: Linear) -> str:
    return hashlib.sha256(product.weights.tobytes() + product.bias.tobytes()).hexdigest()


def _parts(
    node: Node, whole: Linear, joined: Sequence[tuple[str, int]], constants: dict[str, np.ndarray]
) -> list[Node]:
    """Two products and their sum; where one of both values is constant, its product is, too."""
    width = joined[0][1]
    if sum(width for _, width in joined) != whole.weights.shape[1]:
        return [node]
    parts = np.split(whole.weights, [width], axis=1)
    biases = whole.bias, np.zeros_like(whole.bias)
    products, terms = [], []
    for n, ((name, _), part, bias) in enumerate(zip(joined, parts, biases, strict=True)):
        out = f"{node.outputs[0]}//{n}"
        if name in constants:
            constants[out] = (constants[name] @ part.T + bias).astype(np.float32)
        else:
            own = kept(constants, part), kept(constants, bias)
            products.append(Node("Gemm", node.name, (name, *own), (out,), {"transB": 1}))
        terms.append(out)
    return [*products, Node("Add", node.name, tuple(terms), node.outputs, {})]
