"""What is written once for each step of a sequence, as one node for all steps.

So does a Python loop around a cell: a Dense in front of it or behind it is there for every step.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from unspool.frontend.onnx.cells import kept
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.steps import Step

_ENTRY_BY_ENTRY = (
    *("Abs", "Add", "Clip", "Div", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish"),
    *("Mul", "Neg", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sub", "Swish", "Tanh"),
)
_OF_ROWS = ("Gemm", "MatMul", "LayerNormalization")
"""Operators that work on the last axis alone, whatever stands in front of it."""


def spread(
    nodes: Sequence[Node],
    constants: dict[str, np.ndarray],
    sizes: dict[str, tuple[int, ...]],
    steps: dict[str, Step],
) -> list[Node]:
    """The same nodes, those of all steps of a sequence as one on the sequence.

    Args:
        nodes: of a graph, in their order.
        constants: name -> value; numbers of steps are added.
        sizes: value -> shape; those of new sequences are added.
        steps: value -> which step of which sequence it is; those of new ones are added.
    """
    current_nodes, changed = list(nodes), True
    while changed:
        changed = False
        for group in _groups(current_nodes, constants, sizes, steps):
            gone = {id(node) for node in group}
            place = next(n for n, node in enumerate(current_nodes) if id(node) in gone)
            current_nodes = [node for node in current_nodes if id(node) not in gone]
            current_nodes[place:place] = _whole(group, constants, sizes, steps)
            changed = True
    return current_nodes


def _groups(
    nodes: Sequence[Node],
    constants: Mapping[str, np.ndarray],
    sizes: Mapping[str, tuple[int, ...]],
    steps: Mapping[str, Step],
) -> list[list[Node]]:
    """Nodes that do the same to each step of a sequence, in the order of the steps."""
    groups: dict[object, dict[int, Node]] = {}
    for node in nodes:
        operands = [name for name in node.inputs if name and name not in constants]
        read = [steps.get(name) for name in operands]
        first = read[0] if read else None
        if first is None or not _is_per_step(node, constants) or len(node.outputs) > 1:
            continue
        if any(step is None or step.index != first.index for step in read):
            continue
        if all(_is_row(sizes, name, steps[name]) for name in operands) and node.outputs[0] in sizes:
            ends = tuple(steps[n].sequence if n in operands else n for n in node.inputs)
            axes = tuple(step.axis for step in read if step)
            key = (node.op, ends, axes, repr(sorted(node.attributes.items())))
            groups.setdefault(key, {})[first.index] = node
    whole = []
    for group in groups.values():
        step = next(steps[name] for name in group[min(group)].inputs if name in steps)
        count = sizes[step.sequence][step.axis]
        if len(group) == count > 1:
            whole.append([group[n] for n in range(count)])
    return whole


def _is_per_step(node: Node, constants: Mapping[str, np.ndarray]) -> bool:
    """Whether a node does to a sequence what it does to each of its steps, (batch, features)."""
    if node.op in _ENTRY_BY_ENTRY:
        return all(np.ndim(constants[n]) < 2 for n in node.inputs if n in constants)
    if node.op not in _OF_ROWS or node.inputs[0] in constants or node.attributes.get("transA"):
        return False
    others_known = all(name in constants for name in node.inputs[1:] if name)
    return others_known and node.attributes.get("axis", -1) in (-1, 1)


def _is_row(sizes: Mapping[str, tuple[int, ...]], name: str, step: Step) -> bool:
    """Whether a step has the axes of its sequence, (batch, features) of three, but its own."""
    whole = sizes.get(step.sequence, ())
    return len(whole) == 3 and step.axis < 2 and len(sizes.get(name, ())) == 2


def _whole(
    group: Sequence[Node],
    constants: dict[str, np.ndarray],
    sizes: dict[str, tuple[int, ...]],
    steps: dict[str, Step],
) -> Iterator[Node]:
    """One node for all steps, and what takes these of it."""
    first, outputs = group[0], tuple(node.outputs[0] for node in group)
    name, inputs, axis = f"{outputs[0]}_sequence", list[str](), 0
    before: tuple[int, ...] = (0,)
    for source in first.inputs:
        step = None if source in constants else steps.get(source)
        if step is None:
            inputs.append(source)
        elif before == (0,) or step.axis == axis:
            inputs.append(step.sequence)
            axis, before = step.axis, sizes[step.sequence]
        else:  # with time where the first has it
            inputs.append(f"{name}_of_{step.sequence}")
            yield Node("Transpose", "", (step.sequence,), (inputs[-1],), {"perm": [1, 0, 2]})
    sizes[name] = (*before[:-1], sizes[outputs[0]][-1])
    attributes = {**first.attributes, **({"axis": -1} if "axis" in first.attributes else {})}
    yield Node(first.op, first.name, tuple(inputs), (name,), attributes, outputs)
    for index, output in enumerate(outputs):
        steps[output] = Step(name, axis, index)
        place = kept(constants, np.array(index))
        yield Node("Gather", "", (name, place), (output,), {"axis": axis})
