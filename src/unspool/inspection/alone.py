"""One call of a trained model's graph as a deploy model of its own."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unspool.frontend import graph
from unspool.frontend.graph import is_real
from unspool.support._tensorflow import keras
from unspool.support.drawn import drawn
from unspool.unrolling.rebuilding import Rebuilder, alone
from unspool.unrolling.windows import padding


@dataclass(frozen=True)
class Alone:
    """A call of a layer or function, on inputs of its own.

    Attributes:
        deploy_model: batch size 1, with the shapes that the call has in the trained model.
    """

    deploy_model: Any

    def samples(self, low: float) -> list[np.ndarray]:
        """Values for each input, (samples, ...), as `drawn` gives them."""
        rng = np.random.default_rng(0)
        return [
            drawn(rng, (_SAMPLES, *tensor.shape[1:]), tensor.dtype, low)
            for tensor in self.deploy_model.inputs
        ]


_SAMPLES = 4


def call_alone(node: Any, time_steps: int) -> Alone:
    """Rebuild one call of a graph on new inputs.

    Truth values and positions are not inputs of a network: what computes them is rebuilt with it.
    They are no outputs either: a call that gives nothing else gives them as numbers.

    Args:
        node: the call, of a Keras graph.
        time_steps: in place of an open length; zeros that are put in front of it come on top.

    Raises:
        UnspoolError: as the deploy form of the layer does.
    """
    network = _Network(time_steps)
    outputs = network.call(node)
    if not any(map(is_real, outputs)):
        outputs = [keras.ops.cast(output, "float32") for output in outputs]
    return Alone(keras.Model(alone(network.inputs), alone(outputs), name="network"))


def rebuilt_with(node: Any) -> list[Any]:
    """The calls that are rebuilt with a call, in their order: they give it no real values."""
    makers = [graph.maker(tensor) for tensor in node.input_tensors if not _is_given(tensor)]
    return [each for maker in makers for each in (*rebuilt_with(maker), maker)]


def configuration(node: Any) -> str:
    """What decides how a call is deployed, but for weights; empty where it cannot be told.

    The configuration of a user's own class need not be all of it, and what is tried together with
    the call that reads it is not in it.
    """
    operation = node.operation
    if not type(operation).__module__.startswith("keras.") or not all(
        map(_is_given, node.input_tensors)
    ):
        return ""
    try:
        config = {**operation.get_config(), "name": ""}
    except NotImplementedError:  # a function with arguments that Keras cannot write into a file
        return ""
    arguments = keras.tree.map_structure(
        lambda x: f"{x.shape} {x.dtype}" if keras.utils.is_keras_tensor(x) else x,
        (node.arguments.args, node.arguments.kwargs),
    )
    description = f"{type(operation).__module__} {type(operation).__name__} {config} {arguments}"
    return "" if _ADDRESS in description or "..." in description else description


_ADDRESS = " at 0x"  # of an object without a text of its own


def _is_given(tensor: Any) -> bool:
    """Whether a tensor is an input where its reader is tried."""
    return is_real(tensor) or graph.maker(tensor).is_input


@dataclass
class _Network:
    """New tensors in place of those of the trained model's graph."""

    time_steps: int
    inputs: list[Any] = field(default_factory=list)
    _tensors: dict[int, Any] = field(default_factory=dict)
    _rebuilder: Rebuilder = field(default_factory=Rebuilder)

    def call(self, node: Any) -> list[Any]:
        tensors = {id(tensor): self._new(tensor, node) for tensor in node.input_tensors}
        args, kwargs = node.arguments.fill_in(tensors)
        outputs = keras.tree.flatten(self._rebuilder.copied(node.operation)(*args, **kwargs))
        self._tensors.update({id(t): new for t, new in zip(node.outputs, outputs, strict=True)})
        return outputs  # type: ignore[no-any-return]

    def _new(self, tensor: Any, reader: Any) -> Any:
        if id(tensor) not in self._tensors:
            if _is_given(tensor):
                self._tensors[id(tensor)] = self._input(tensor, reader)
            else:
                self.call(graph.maker(tensor))
        return self._tensors[id(tensor)]

    def _input(self, tensor: Any, reader: Any) -> Any:
        steps = self.time_steps + sum(padding(graph.maker(tensor).operation) or ())
        shape = [steps if size is None else size for size in tensor.shape[1:]]
        whole = graph.is_whole(reader.outputs[0]) and graph.hands_on(reader, tensor)
        dtype = "int32" if whole or graph.looks_up(reader, tensor) else "float32"
        self.inputs.append(keras.Input(shape, batch_size=1, dtype=dtype))
        return self.inputs[-1]
