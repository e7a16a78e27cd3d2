"""The inputs by which a deploy model is told which time steps are padded."""

from collections.abc import Callable, Sequence
from typing import Any

from unspool.frontend import graph, structure
from unspool.support._tensorflow import keras
from unspool.tflite.masks import Mask, renamed
from unspool.unrolling.masking import Masks, Source, values_of_masking_alone


class MaskInputs(Masks):
    """The masks of a deploy model, each an input, made when a layer first asks for it."""

    def __init__(self, model: Any, inputs: Sequence[Any], give: Callable[[str], str]) -> None:
        """Start without any.

        Args:
            model: the trained model.
            inputs: of the deploy model.
            give: turns a name into one that no other tensor or layer has.
        """
        super().__init__(inputs, self._begun, self._joined_by_layer, values_of_masking_alone(model))
        self._names = [tensor.name for tensor in structure.inputs(model)]
        self._give = give
        self._tensors: dict[Source, Any] = {}
        self._parts: dict[int, set[Source]] = {}  # of the masks, by id

    def _begun(self, source: Source) -> Any:
        """The mask, (1, time steps)."""
        own = self.inputs[source.position]
        if source.value is None:
            self._tensors[source] = own
        elif source not in self._tensors:
            self._tensors[source] = keras.Input(
                (own.shape[1],), batch_size=1, name=self._give("mask")
            )
        self._parts[id(self._tensors[source])] = {source}
        return self._tensors[source]

    def _joined_by_layer(self, a: Any, b: Any) -> Any:
        joined = keras.layers.Maximum(name=self._give("mask_joined"))([a, b])
        self._parts[id(joined)] = self._parts[id(a)] | self._parts[id(b)]
        return joined

    def padding(self, tensors: Sequence[Any]) -> tuple[tuple[Mask, ...], ...]:
        """For each tensor, the masks of which one is 1 in every step that is not padded."""
        return tuple(tuple(map(self._sample_mask, self._sources_of(tensor))) for tensor in tensors)

    def _sources_of(self, tensor: Any) -> list[Source]:
        sources = self._parts.get(id(self.of(tensor)), set())
        return [source for source in self._tensors if source in sources]

    def _sample_mask(self, source: Source) -> Mask:
        """What samples say of a mask, whether or not the network reads it."""
        name = self._names[source.position]
        return Mask(name, "") if source.value is None else Mask("", name, source.value)

    def read(
        self, states: Sequence[Any], outputs: Sequence[Any]
    ) -> tuple[tuple[Mask, ...], list[Any]]:
        """The masks that outputs depend on, and those of them that are inputs of their own.

        Args:
            states: further inputs of the deploy model.
            outputs: of the deploy model.

        Returns:
            what there is to know of each; the tensors of those that are computed from samples.
        """
        inputs = graph.admitted([*self.inputs, *self._own_inputs(), *states])
        whole = keras.Model(inputs, list(outputs))
        described, tensors = [], []
        for source, tensor in self._tensors.items():
            is_read = bool(graph.readers(whole, tensor))
            if source.value is None:
                described.append(Mask(self._names[source.position], ""))
            elif is_read or source.is_cleared:
                own = self._names[source.position]
                described.append(
                    Mask("mask" if is_read else "", own, source.value, source.is_cleared)
                )
                tensors += [tensor] * is_read
        return renamed(described, self._names), tensors

    def _own_inputs(self) -> list[Any]:
        return [tensor for source, tensor in self._tensors.items() if source.value is not None]
