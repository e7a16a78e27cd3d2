"""A trained model -> the models of its parts, which hand sequences on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from unspool.compilation.in_parts import Ends, Port
from unspool.frontend import graph, structure
from unspool.frontend.graph import admitted, functional
from unspool.parts import masks, reading
from unspool.parts.masks import Masked
from unspool.parts.operations import Form, Graph, Key, Operation, Way
from unspool.parts.places import Places, first, input_form, output_form, places
from unspool.support._tensorflow import keras
from unspool.tflite.masks import Mask
from unspool.unrolling import taken as taken_by
from unspool.unrolling.rebuilding import Scopes, alone


@dataclass(frozen=True)
class Part:
    """A part of a trained model.

    Attributes:
        model: of its own, with the weights of the trained one.
        inputs: one for each of the model's.
        outputs: one for each of the model's.
        is_loop: whether it is called several times for a sequence; else once.
    """

    model: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    is_loop: bool


@dataclass(frozen=True)
class Cut:
    """A trained model in parts.

    Attributes:
        model: the trained model, of a fixed length.
        parts: in the order in which they run.
        ends: what it takes and gives.
    """

    model: Any
    parts: tuple[Part, ...]
    ends: Ends


def cut(model: Any, time_steps: int | None = None, *, full_length: bool = False) -> Cut:
    """Cut a model into parts: a loop for each run over its sequences, and what is done at once.

    A layer is done in the first part in which all that it reads is there: recurrent layers in
    loops, forward and backward ones side by side; what reads a whole sequence at once, such as
    attention, in a part that is called once.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: length of the sequence where the model leaves it open.
        full_length: no sequence is ever padded, so that masks are left out.

    Raises:
        UnspoolError: a mask cannot be handed on, or the length stays open.
    """
    whole = _of_length(model, time_steps)
    operation_graph = reading.read(whole, Masked() if full_length else masks.follow(whole))
    return _Cutting(whole, operation_graph, places(operation_graph)).as_cut()


def _of_length(model: Any, time_steps: int | None) -> Any:
    """The model as a Functional one whose sequences have a fixed length."""
    whole = functional(model)
    inputs = [
        keras.Input(t.shape[1:], dtype=tensor.dtype, name=t.name)
        for t, tensor in zip(taken_by.sequences(model, time_steps), whole.inputs, strict=True)
    ]
    try:
        return _run(model, inputs, _flat)
    except ValueError:  # layers of nested models have the names of others
        return _run(model, inputs, lambda layer: layer)


def _run(model: Any, inputs: list[Any], instead: Callable[[Any], Any]) -> Any:
    """The model on new inputs, with `instead(layer)` called in place of each layer."""
    tensors = functional(model)._run_through_graph(admitted(inputs), operation_fn=instead)
    outputs: list[Any] = []
    for tensor in keras.tree.flatten(tensors):
        is_there = any(tensor is other for other in (*inputs, *outputs))
        outputs.append(keras.layers.Identity()(tensor) if is_there else tensor)
    return keras.Model(alone(inputs), alone(outputs), name=model.name)


def _flat(layer: Any) -> Any:
    """What is called in place of a layer: of a nested model, its layers."""
    if not graph.is_graph(layer):
        return layer
    inner = functional(layer)

    def call(*inputs: Any, **_: Any) -> Any:
        arguments = keras.tree.pack_sequence_as(inner._inputs_struct, keras.tree.flatten(inputs))
        return inner._run_through_graph(arguments, operation_fn=_flat)

    return call


@dataclass
class _Open:
    """A part while it is made.

    Attributes:
        scopes: gives its inputs their names.
        inputs: by what they take, and the layer that begins with it as a state, else "".
        tensors: those that it has, by what they stand for and their form.
        outputs: what it hands on.
    """

    scopes: Scopes
    inputs: dict[tuple[Port, str], Any] = field(default_factory=dict)
    tensors: dict[tuple[Key, Form], Any] = field(default_factory=dict)
    outputs: dict[Port, Any] = field(default_factory=dict)


class _Cutting:
    """Makes parts from what is asked of them, from the model's outputs on."""

    def __init__(self, model: Any, operation_graph: Graph, where: Places) -> None:
        self.model, self.graph, self.where = model, operation_graph, where
        self.parts: dict[int, _Open] = {}
        inputs = [described.name for described in structure.inputs(model)]
        computed = operation_graph.masks.computed
        new = (operation_graph.masks.masks[key].input for key in computed)
        ends = (*inputs, *structure.output_names(model), *new)
        keys = (*map(id, (*model.inputs, *model.outputs)), *computed)
        self.names = dict(zip(keys, _apart(ends), strict=True))
        self.giving = {key: each for each in operation_graph.operations for key in each.outputs}

    def as_cut(self) -> Cut:
        """The model, cut."""
        outputs = tuple(self._handed_on(key).value for key in self.graph.outputs)
        parts = tuple(self._part(number) for number in sorted(self.parts))
        inputs = tuple(self.names[key] for key in self.graph.inputs)
        masks = {key: self._mask(key) for key in self.graph.masks.masks}
        padding = tuple(tuple(masks[key] for key in each) for each in self.graph.masks.outputs)
        return Cut(self.model, parts, Ends(inputs, outputs, tuple(masks.values()), padding))

    def _mask(self, key: Key) -> Mask:
        return replace(self.graph.masks.masks[key], input=self.names[key])

    def _part(self, number: int) -> Part:
        part = self.parts[number]
        model = keras.Model(
            alone(admitted(list(part.inputs.values()))),
            alone(list(part.outputs.values())),
            name=f"{self.model.name}_part_{sorted(self.parts).index(number) + 1}",
        )
        ports = tuple(port for port, _ in part.inputs)
        return Part(model, ports, tuple(part.outputs), bool(number % 2))

    def _handed_on(self, key: Key) -> Port:
        """A tensor as the part gives it that has it first; an input of the model as it is."""
        is_sequence = key in self.graph.timed
        if key not in self.giving:
            return Port(self.names[key], is_sequence)
        form, number = first(self.where[key])
        tensor = self._value(key, form, number)
        if key not in self.names:
            self.names[key] = _apart((*self.names.values(), self.giving[key].name))[-1]
        name = self.names[key]
        port = Port(name, is_sequence, form == "backward")
        self.parts[number].outputs[port] = tensor
        return port

    def _value(self, key: Key, form: Form, number: int) -> Any:
        """A tensor in a part, in one of the forms."""
        part = self._open(number)
        if (key, form) not in part.tensors:
            if (repeated := self.graph.repeated.get(key)) is not None:
                way = Way(form, form)
                read = [
                    self._value(k, input_form(self.graph, way, k), number) for k in repeated.inputs
                ]
                (part.tensors[key, form],) = repeated.call(read)
            elif self.where[key].get(form) == number:
                self._run(self.giving[key], self._way(key, form), number)
            else:
                part.tensors[key, form] = self._read(key, form == "backward", number)
        return part.tensors[key, form]

    def _open(self, number: int) -> _Open:
        """A part, in which no input gets the name of a layer."""
        if number not in self.parts:
            scopes = Scopes()
            for operation in self.graph.operations:
                scopes.give(operation.name)
            self.parts[number] = _Open(scopes)
        return self.parts[number]

    def _way(self, key: Key, form: Form) -> Way:
        ways = self.giving[key].ways
        return next(way for way in ways if output_form(self.graph, way, key) == form)

    def _run(self, operation: Operation, way: Way, number: int) -> None:
        read = [
            self._first_state(k, operation, number)
            if k in operation.states and number % 2
            else self._value(k, input_form(self.graph, way, k), number)
            for k in operation.inputs
        ]
        for key, tensor in zip(operation.outputs, operation.call(read), strict=True):
            self.parts[number].tensors[key, output_form(self.graph, way, key)] = tensor

    def _first_state(self, key: Key, operation: Operation, number: int) -> Any:
        """What a layer in a loop begins with: an input of its own, which may be scaled."""
        if (scaled := self.graph.repeated.get(key)) is None:
            return self._read(key, False, number, operation.name)
        return scaled.call([self._first_state(scaled.inputs[0], operation, number)])[0]

    def _read(self, key: Key, backwards: bool, number: int, begins: str = "") -> Any:
        """An input of a part: what an earlier one gave.

        A layer that begins with it as a state has an input of its own for it: the calls of a loop
        change that.
        """
        handed_on, part = self._handed_on(key), self.parts[number]
        port = Port(handed_on.value, handed_on.is_sequence, backwards)
        if (port, begins) not in part.inputs:
            name = port.value if key not in self.giving else f"{port.value}_in"
            name = f"{name}_backwards" if backwards else name
            shape, dtype = self.graph.shapes[key], self.graph.dtypes[key]
            tensor = keras.Input(shape[1:], dtype=dtype, name=part.scopes.give(name))
            part.inputs[port, begins] = tensor
        return part.inputs[port, begins]


def _apart(names: Sequence[str]) -> list[str]:
    """Names made distinct: later ones get a number where they are taken."""
    unique_names: list[str] = []
    for name in names:
        number, chosen = 1, name
        while chosen in unique_names:
            number += 1
            chosen = f"{name}_{number}"
        unique_names.append(chosen)
    return unique_names
