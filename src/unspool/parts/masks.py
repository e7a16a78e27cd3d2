"""The masks of a trained model, each an input of the parts that read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from unspool.errors import UnspoolError
from unspool.frontend import graph, structure
from unspool.support._tensorflow import keras
from unspool.tflite.masks import Mask, renamed
from unspool.unrolling.masking import Masks, Source, reads_mask, values_of_masking_alone

Sources: TypeAlias = tuple[Source, ...]
"""A time step is valid where one of these says so."""


@dataclass(frozen=True)
class Masked:
    """What the layers of a model read of its masks.

    Attributes:
        masks: id of a tensor that says which steps are padded -> the mask.
        tensors: these tensors, by id: inputs of the model, or new ones for masks that are computed
            from them.
        read: id of a call of a layer -> ids of the masks of which one must be 1.
        outputs: the same for each of the model's outputs.
    """

    masks: Mapping[int, Mask] = field(default_factory=dict)
    tensors: Mapping[int, Any] = field(default_factory=dict)
    read: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    outputs: tuple[tuple[int, ...], ...] = ()

    @property
    def computed(self) -> tuple[int, ...]:
        """The masks that are computed from an input's samples."""
        return tuple(key for key, mask in self.masks.items() if mask.source)


def follow(model: Any) -> Masked:
    """Follow the masks of a model whose nested models are flattened.

    Raises:
        UnspoolError: a nested model is left that masks go through.
    """
    begun: dict[Source, Sources] = {}

    def begin(source: Source) -> Sources:
        return begun.setdefault(source, (source,))

    masks = Masks(model.inputs, begin, _either, values_of_masking_alone(model))
    read: dict[int, Sources] = {}
    for node in graph.nodes(model):
        if not node.is_input and not graph.makes_mask(model, node):
            read[id(node)] = _read(node, masks)
    output_sources = [masks.of(tensor) or () for tensor in model.outputs]
    return _named(model, tuple(begun), read, output_sources)


def _either(one: Sources, other: Sources) -> Sources:
    return tuple(dict.fromkeys((*one, *other)))


def _read(node: Any, masks: Masks) -> Sources:
    """What a call reads of the masks; those of its outputs are kept."""
    layer, args, kwargs = node.operation, node.arguments.args, node.arguments.kwargs
    received = masks.received(args, kwargs.get("mask"))
    if graph.is_graph(layer):
        if any(received):
            raise UnspoolError(
                f"model {layer.name!r} within the model: masks go through it, and its layers have "
                "names of others, so that it is no part by itself; name them apart, or expected "
                "`full_length`"
            )
        return ()
    masks.put(layer, args, received, node.outputs)
    source = masks.source(layer, args)
    if isinstance(layer, keras.layers.Masking) and source and not _is_cleared(source):
        return (source,)  # other layers read its input as it is, in any part
    is_read = bool(received) and reads_mask(layer, kwargs.get("mask"), args, kwargs)
    return received[0] or () if is_read else ()


def _is_cleared(source: Source) -> bool:
    """Whether what a Masking layer sets to 0 is 0 already."""
    return source.is_cleared or not source.value


def _named(
    model: Any,
    sources: Sequence[Source],
    read: Mapping[int, Sources],
    output_sources: Sequence[Sources],
) -> Masked:
    """The masks that are read, under names that no other input has."""
    names = [tensor.name for tensor in structure.inputs(model)]
    used = {source for each in (*read.values(), *output_sources) for source in each}
    mask_sources = sorted(used, key=lambda source: (source.position, sources.index(source)))
    masks = renamed([_mask(source, names) for source in mask_sources], names)
    tensors = [_tensor(model, source) for source in mask_sources]
    key = {source: id(tensor) for source, tensor in zip(mask_sources, tensors, strict=True)}
    return Masked(
        masks=dict(zip(map(id, tensors), masks, strict=True)),
        tensors={id(tensor): tensor for tensor in tensors},
        read={node: tuple(key[source] for source in each) for node, each in read.items()},
        outputs=tuple(tuple(key[source] for source in each) for each in output_sources),
    )


def _mask(source: Source, names: Sequence[str]) -> Mask:
    own = names[source.position]
    return Mask(own, "") if source.value is None else Mask("mask", own, source.value)


def _tensor(model: Any, source: Source) -> Any:
    """The input that a mask is, or a new one for it."""
    own = model.inputs[source.position]
    return own if source.value is None else keras.Input(own.shape[1:2], dtype="bool")


def joined(tensors: Sequence[Any]) -> Any:
    """A layer's argument `mask`, of the masks that it reads, each (batch, time steps)."""
    valid = [keras.ops.cast(t, "bool") if t.dtype != "bool" else t for t in tensors]
    whole, *others = valid
    for other in others:
        whole = keras.ops.logical_or(whole, other)
    return whole
