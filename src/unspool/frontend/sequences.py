"""Which inputs of a Keras model are sequences, whose first dimension after the batch is time."""

from typing import Any

from unspool.frontend.graph import functional, is_graph, makes_mask, nodes, takes_ids
from unspool.support._tensorflow import keras


def in_time(model: Any) -> tuple[bool, ...]:
    """Whether each input of a model is a sequence.

    That is (batch, time, ...), or (batch, time) of a mask, or of ids, where a recurrence reads what
    is looked up or an output holds it step by step. One id beside longer sequences stands for all
    their steps.
    """
    inputs = functional(model).inputs
    longest = max((t.shape[1] or 2 for t in inputs if len(t.shape) > 1), default=1)
    return tuple(
        len(tensor.shape) > 2
        or (ids and len(tensor.shape) == 2 and _is_read_in_time(model, tensor, longest))
        or is_mask(model, tensor)
        for tensor, ids in zip(inputs, takes_ids(model), strict=True)
    )


def is_mask(model: Any, tensor: Any) -> bool:
    """Whether an input of a model, (batch, time), is read as a mask, and as nothing else."""
    if len(tensor.shape) != 2:
        return False
    whole = functional(model)
    reading = [n for n in nodes(whole) if any(read is tensor for read in n.input_tensors)]
    is_given = any(tensor is output for output in whole.outputs)
    return bool(reading) and not is_given and all(_reads_mask(whole, n, tensor) for n in reading)


def _reads_mask(model: Any, node: Any, tensor: Any) -> bool:
    """Whether a node reads a tensor as its mask, or as that of what it computes."""
    if is_graph(node.operation):
        own = zip(node.input_tensors, functional(node.operation).inputs, strict=True)
        return all(is_mask(node.operation, inner) for read, inner in own if read is tensor)
    is_argument = node.arguments.kwargs.get("mask") is tensor
    return makes_mask(model, node) or (
        is_argument and sum(read is tensor for read in node.input_tensors) == 1
    )


def _is_read_in_time(model: Any, ids: Any, longest: int) -> bool:
    if ids.shape[1] == 1 < longest:
        return False
    is_read, outputs = _followed(model, ids)
    return is_read or bool(outputs)


def _followed(model: Any, tensor: Any) -> tuple[bool, list[int]]:
    """Where the sequence of a tensor goes: whether a recurrence reads it; numbers of outputs."""
    whole = functional(model)
    carriers = {id(tensor)}
    for node in nodes(whole):
        if node.is_input or carriers.isdisjoint(map(id, node.input_tensors)):
            continue
        operation, outputs = node.operation, node.outputs
        if isinstance(operation, keras.layers.RNN | keras.layers.Bidirectional):
            if id(node.input_tensors[0]) in carriers:
                return True, []
            continue  # it is a state, or a mask
        if is_graph(operation):
            own = zip(node.input_tensors, functional(operation).inputs, strict=True)
            inside = [_followed(operation, inner) for read, inner in own if id(read) in carriers]
            if any(is_read for is_read, _ in inside):
                return True, []
            outputs = [outputs[number] for _, numbers in inside for number in numbers]
        carriers |= {id(output) for output in outputs if len(output.shape) > 2}
    positions = [n for n, output in enumerate(whole.outputs) if id(output) in carriers]
    return False, positions
