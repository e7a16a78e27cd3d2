"""What a trained model does with masks, and whether it can be deployed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import graph, structure
from unspool.frontend.graph import is_graph
from unspool.frontend.sequences import in_time
from unspool.support._tensorflow import keras
from unspool.tflite.masks import Mask
from unspool.unrolling.masking import (
    Clearing,
    Masks,
    Source,
    reads_mask,
    values_of_masking_alone,
)

_BY_VALUE = (
    keras.layers.Attention,
    keras.layers.AdditiveAttention,
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Softmax,
)
"""Keras's layers, but for recurrent ones, whose values depend on a mask."""

_LAST = "channels_last"

_CONV_RNN = tuple(getattr(keras.layers, f"ConvLSTM{n}D") for n in (1, 2, 3))


@dataclass(frozen=True)
class Findings:
    """What a trained model does with masks.

    Attributes:
        sources: where they begin.
        refused: layers, by id, that cannot be deployed; and why.
        notes: layers, by id, of which there is something to say; and what.
    """

    sources: list[Source] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)


def findings(model: Any) -> Findings:
    """Follow the masks of a trained model; its own are known by their sources alone."""
    record = Findings()

    def begun(source: Source) -> Source:
        if source not in record.sources:
            record.sources.append(source)
        return source

    cleared = values_of_masking_alone(model)
    _follow(model, Masks(model.inputs, begun, lambda a, b: (a, b), cleared), record)
    return record


def begins_mask(layer: Any) -> bool:
    """Whether a layer, or one in it, is a Masking or an Embedding with `mask_zero`."""
    if is_graph(layer):
        return any(map(begins_mask, layer.layers))
    is_table = isinstance(layer, keras.layers.Embedding) and layer.mask_zero
    return is_table or isinstance(layer, keras.layers.Masking)


def check_full_length(model: Any) -> None:
    """Check that a model can do without its masks.

    Raises:
        UnspoolError: one is an input, which nothing else would read.
    """
    mask_inputs = [mask.input for mask in masks_of(model) if not mask.source]
    if mask_inputs:
        raise UnspoolError(
            f"input {mask_inputs[0]!r} is a mask itself, which cannot be left out (`full_length`); "
            "build the model without it, or deploy it with its mask"
        )


def check_masks(model: Any, of: str, otherwise: str) -> None:
    """Check that the masks of a model can be cut into chunks.

    A mask that is an input, (time,), can, where nothing reads it as anything else.

    Args:
        model: the trained model.
        of: what takes the chunks, for messages.
        otherwise: how the model can be deployed all the same.

    Raises:
        UnspoolError: something does.
    """
    names = [tensor.name for tensor in structure.inputs(model)]
    timed = {name for name, has_time in zip(names, in_time(model), strict=True) if has_time}
    mask_inputs = [mask.input for mask in masks_of(model) if not mask.source]
    for name in mask_inputs:
        if name not in timed:
            raise UnspoolError(
                f"input {name!r} is read as a mask and as something else, which {of} does not cut "
                f"into chunks; give two inputs in its place, or deploy it {otherwise}"
            )


def masks_of(model: Any) -> list[Mask]:
    """What a trained model calls padded; the masks have no names of their own yet."""
    names = [tensor.name for tensor in structure.inputs(model)]
    return [
        Mask(names[source.position], "")
        if source.value is None
        else Mask("", names[source.position], source.value, source.is_cleared)
        for source in findings(model).sources
    ]


def _follow(model: Any, masks: Masks, record: Findings) -> None:
    for node in graph.nodes(model):
        if not node.is_input:
            _follow_node(node, masks, record)


def _follow_node(node: Any, masks: Masks, record: Findings) -> None:
    layer, args, kwargs = node.operation, node.arguments.args, node.arguments.kwargs
    try:
        if is_graph(layer):
            _follow_nested(node, masks, record)
            return
        received = masks.received(args, kwargs.get("mask"))
        input_masks = [*received, *(masks.of(tensor) for tensor in keras.tree.flatten(args))]
        problem = _problem(layer, input_masks)
        if problem:
            record.refused[id(layer)] = problem
        is_masked = any(mask is not None for mask in received)
        if is_masked and isinstance(layer, keras.layers.GlobalAveragePooling1D):
            record.notes[id(layer)] = "averages the valid steps alone"
        elif is_masked and isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            is_read = reads_mask(layer, kwargs.get("mask"), args, kwargs)
            record.notes[id(layer)] = (
                "keeps its states in padded steps"
                if is_read
                else "runs through padded steps: Keras gives no mask to a layer that is called "
                "with initial states"
            )
        elif is_masked and not getattr(layer, "supports_masking", False):
            record.notes[id(layer)] = "the mask ends here, as it does in Keras"
        masks.put(layer, args, received, node.outputs)
    except UnspoolError as error:
        record.refused[id(layer)] = str(error)


def _follow_nested(node: Any, masks: Masks, record: Findings) -> None:
    inner = graph.functional(node.operation)
    for tensor, outer in zip(inner.inputs, keras.tree.flatten(node.arguments.args), strict=False):
        masks.alias(tensor, outer)
    _follow(node.operation, masks, record)
    for tensor, outer in zip(inner.outputs, node.outputs, strict=True):
        masks.alias(outer, tensor)


def _problem(layer: Any, masks: Sequence[Any]) -> str:
    if not any(mask is not None for mask in masks):
        return ""
    of_each = isinstance(layer, keras.layers.TimeDistributed) and layer.layer._call_has_mask_arg
    if of_each or isinstance(layer, _BY_VALUE + _CONV_RNN):
        return (
            "its input is masked, and without the padded steps it would have to compute something "
            "else in every call, which the NPU has no operator for; take the recurrent layer's "
            "last output, or accept sequences that are always full (`full_length`)"
        )
    if isinstance(layer, keras.layers.GlobalAveragePooling1D) and layer.data_format != _LAST:
        return "it averages masked steps of the last axis (channels_first); use channels_last"
    if isinstance(layer, keras.layers.Concatenate) and layer.axis in (1, -2):
        return "it joins masked sequences one after the other; join their features instead"
    is_own = not (type(layer).__module__.startswith("keras.") or isinstance(layer, Clearing))
    if is_own and (
        type(layer).compute_mask is not keras.layers.Layer.compute_mask or layer._call_has_mask_arg
    ):
        return (
            f"its class {type(layer).__name__} handles masks by itself, which cannot be followed; "
            "accept sequences that are always full (`full_length`), or use Keras's layers"
        )
    return ""
