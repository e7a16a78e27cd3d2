"""Steps of a recurrent cell, written out one after the other, rolled up into one layer again.

Steps of the same weights, each of which takes its state from the one before, are one recurrent
node; what they read, step by step, is its sequence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.cells import CELLS, kept, ordered
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.links import Links
from unspool.frontend.onnx.spreading import spread
from unspool.frontend.onnx.steps import SAME, Step, sequence_of, steps_of


def rolled(
    nodes: Sequence[Node],
    cells: Sequence[Node],
    constants: dict[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
) -> tuple[Node, ...]:
    """The nodes that outputs depend on, in order, with a layer in place of each chain of cells.

    Args:
        nodes: of a graph; a cell may stand for some of them.
        cells: single steps, as `cells.CELLS` has them, in their order.
        constants: name -> value; some are added.
        shapes: of values.
        outputs: of the graph.

    Raises:
        UnspoolError: a cell reads what its own outputs are computed into.
    """
    chains = _chains(nodes, cells)
    if not chains:
        return tuple(nodes)
    sizes = {name: np.shape(value) for name, value in constants.items()} | dict(shapes)
    sizes |= {sequence_of(chain): (len(chain), 1, _units(chain)) for chain in chains}
    steps = steps_of(nodes, chains, constants, sizes)
    nodes = spread(nodes, constants, sizes, steps)
    steps = steps_of(nodes, chains, constants, sizes)  # those that Unsqueezes make, too
    rolling = _Rolling(constants, sizes, steps, Links(nodes, constants))
    written = [node for chain in chains for node in rolling.layer(chain)]
    new_values = {name for node in written for name in node.outputs}
    others = [rolling.joined(node) for node in nodes if not new_values.intersection(node.outputs)]
    return _in_order([*others, *written], outputs)


def _chains(nodes: Sequence[Node], cells: Sequence[Node]) -> list[list[Node]]:
    """Cells of one kind and the same weights, each with the states of the one before."""
    source = {node.outputs[0]: node.inputs[0] for node in nodes if node.op in SAME}

    def plain(name: str) -> str:
        return plain(source[name]) if name in source else name

    chains: list[list[Node]] = []
    last: dict[tuple[object, ...], list[Node]] = {}  # weights and the states given out last
    for cell in cells:
        kind = (cell.op, *cell.inputs[1:4], *cell.attributes.get("activations", ()))
        chain = last.pop((kind, *map(plain, cell.inputs[5:])), None)
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(cell)
        last[(kind, *cell.outputs)] = chain
    return chains


def _units(chain: Sequence[Node]) -> int:
    return int(chain[0].attributes["hidden_size"])


@dataclass(frozen=True)
class _Rolling:
    """What is known of a graph while its cells are rolled up."""

    constants: dict[str, np.ndarray]
    sizes: Mapping[str, tuple[int, ...]]
    steps: Mapping[str, Step]
    links: Links

    def layer(self, chain: Sequence[Node]) -> list[Node]:
        """The nodes that a chain becomes: its sequence, the layer, and its steps one by one."""
        first, name = chain[0], sequence_of(chain)
        read, operands = self._read(chain)
        starts, before = self._starts(chain)
        layer_outputs = [f"{name}_{n}" for n in range(1 + len(starts))]
        inputs = (*operands, "", *starts)
        outputs = tuple(output for cell in chain for output in cell.outputs)
        before = [replace(node, steps=node.steps or outputs) for node in (*read, *before)]
        layer = Node(
            CELLS[first.op], first.name, inputs, tuple(layer_outputs), first.attributes, outputs
        )
        whole = Node("Squeeze", "", (layer_outputs[0], self._numbers(1)), (name,))
        steps = [self._step(name, n, cell.outputs[0]) for n, cell in enumerate(chain[:-1])]
        finals = zip(layer_outputs[1:], chain[-1].outputs, strict=True)
        ends = [self._flat(final, output) for final, output in finals]
        return [*before, layer, whole, *steps, *ends]

    def joined(self, node: Node) -> Node:
        """A node that puts all steps of a layer side by side, as one that moves an axis."""
        if node.op != "Concat" or node.attributes["axis"] not in (0, 1):
            return node
        axis, steps = node.attributes["axis"], [self.steps.get(part) for part in node.inputs]
        name = self._whole(steps)
        wide = all(len(self.sizes.get(part, ())) == 3 for part in node.inputs)
        if name is None or not wide or not name.endswith("_sequence"):
            return node
        order = [1, 0, 2] if axis else [0, 1, 2]
        return Node("Transpose", node.name, (name,), node.outputs, {"perm": order})

    def _whole(self, steps: Sequence[Step | None]) -> str | None:
        """The sequence that steps are all of, in their order."""
        first = steps[0]
        if first is None or len(self.sizes[first.sequence]) != 3 or first.axis not in (0, 1):
            return None
        count = self.sizes[first.sequence][first.axis]
        every = [Step(first.sequence, first.axis, n) for n in range(count)]
        return first.sequence if list(steps) == every else None

    def _read(self, chain: Sequence[Node]) -> tuple[list[Node], list[str]]:
        """What a layer reads, (time, batch, features), and its weights; nodes that make it."""
        name, weights = f"{sequence_of(chain)}_read", list(chain[0].inputs[1:4])
        steps = [self.steps.get(cell.inputs[0]) for cell in chain]
        whole = self._whole(steps)
        if whole is None or steps[0] is None:
            parts = [f"{name}_{n}" for n in range(len(chain))]
            wide = [
                Node("Unsqueeze", "", (cell.inputs[0], self._numbers(0)), (part,), {}, cell.outputs)
                for cell, part in zip(chain, parts, strict=True)
            ]
            return [*wide, Node("Concat", "", tuple(parts), (name,), {"axis": 0})], [name, *weights]
        whole, weights = self._before(whole, chain[0], weights)
        order = [1, 0, 2] if steps[0].axis else [0, 1, 2]
        return [Node("Transpose", "", (whole,), (name,), {"perm": order})], [name, *weights]

    def _before(self, whole: str, cell: Node, weights: list[str]) -> tuple[str, list[str]]:
        """A sequence that is multiplied before steps are taken of it: before that, and weights."""
        product, op = self.links.linear(whole), CELLS[cell.op]
        if product is None or "" in weights:
            return whole, weights
        kernel, state, bias = (self.constants[name][0] for name in weights)
        if not np.array_equal(kernel, np.eye(len(kernel))):
            return whole, weights
        both = np.concatenate([ordered(op, product.bias), bias[len(kernel) :]])
        new = [ordered(op, product.weights), state, both]
        return product.source, [kept(self.constants, array[None]) for array in new]

    def _starts(self, chain: Sequence[Node]) -> tuple[list[str], list[Node]]:
        """First states, (1, batch, units), and nodes that make them of (batch, units)."""
        starts, nodes = [], []
        for name in chain[0].inputs[5:]:
            if name in self.constants:
                shape = (1, -1, _units(chain))
                starts.append(kept(self.constants, self.constants[name].reshape(shape)))
            elif len(self.sizes.get(name, (0, 0))) == 3:
                starts.append(name)
            else:
                starts.append(f"{name}_start")
                nodes.append(Node("Unsqueeze", "", (name, self._numbers(0)), (starts[-1],)))
        return starts, nodes

    def _step(self, sequence: str, index: int, output: str) -> Node:
        if len(self.sizes.get(output, (0, 0))) == 3:
            bounds = (self._numbers(n) for n in (index, index + 1, 0))
            return Node("Slice", "", (sequence, *bounds), (output,))
        place = kept(self.constants, np.array(index))
        return Node("Gather", "", (sequence, place), (output,), {"axis": 0})

    def _flat(self, final: str, output: str) -> Node:
        if len(self.sizes.get(output, (0, 0))) == 3:
            return Node("Identity", "", (final,), (output,))
        return Node("Squeeze", "", (final, self._numbers(0)), (output,))

    def _numbers(self, number: int) -> str:
        return kept(self.constants, np.array([number]))


def _in_order(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that outputs depend on, each behind those that it reads.

    Raises:
        UnspoolError: some read each other.
    """
    makers = {name: node for node in nodes for name in node.outputs}
    order: dict[int, Node] = {}
    open_: set[int] = set()
    stack = [(makers[name], False) for name in outputs if name in makers]
    while stack:
        node, is_ready = stack.pop()
        if is_ready:
            order.setdefault(id(node), node)
            open_.discard(id(node))
            continue
        if id(node) in order:
            continue
        if id(node) in open_:
            path = (one for one, _ in stack if id(one) in open_ and one.op in CELLS.values())
            cell = next(path, node)
            raise UnspoolError(
                f"node {cell.name or cell.outputs[0]!r}: a cell reads what its own outputs are "
                "computed into, step by step, which has no form yet; call nn.LSTM or nn.GRU on "
                "each step, of length one, in its place"
            )
        open_.add(id(node))
        stack.append((node, True))
        stack += [(makers[name], False) for name in node.inputs if name in makers]
    return tuple(order.values())
