"""The graph of a functional model as Keras 2 wrote it -> as Keras 3 reads it.

Keras 2 writes a call of a layer as `[[layer, node, tensor, keywords], ...]`, a row per input, and
one of TensorFlow's functions as a layer around its name; Keras 3 has operations of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unspool.errors import UnspoolError

Config = dict[str, Any]

_TAKES_STATES = frozenset({"SimpleRNN", "GRU", "LSTM", "RNN", "Bidirectional"})


@dataclass(frozen=True)
class _Operation:
    """One of Keras 3's operations.

    Attributes:
        module: below `keras.src.ops`.
        name: its class.
        second: TensorFlow's name of a second operand.
        settings: TensorFlow's name of an argument -> the setting that it is in Keras 3.
    """

    module: str
    name: str
    second: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def _two(name: str) -> _Operation:
    return _Operation("numpy", name, "y")


def _over_axes(name: str) -> _Operation:
    return _Operation("numpy", name, settings={"axis": "axis", "keepdims": "keepdims"})


_OPERATIONS = {
    **dict.fromkeys(("math.add", "__operators__.add"), _two("Add")),
    **dict.fromkeys(("math.subtract", "__operators__.sub"), _two("Subtract")),
    **dict.fromkeys(("math.multiply", "__operators__.mul"), _two("Multiply")),
    **dict.fromkeys(("math.divide", "math.truediv", "__operators__.truediv"), _two("TrueDivide")),
    "math.maximum": _two("Maximum"),
    "math.minimum": _two("Minimum"),
    "math.abs": _Operation("numpy", "Absolute"),
    "math.exp": _Operation("numpy", "Exp"),
    "math.negative": _Operation("numpy", "Negative"),
    "math.sqrt": _Operation("numpy", "Sqrt"),
    "math.square": _Operation("numpy", "Square"),
    "math.tanh": _Operation("numpy", "Tanh"),
    **dict.fromkeys(("math.sigmoid", "nn.sigmoid"), _Operation("nn", "Sigmoid")),
    "nn.relu": _Operation("nn", "Relu"),
    "nn.relu6": _Operation("nn", "Relu6"),
    "nn.softmax": _Operation("nn", "Softmax", settings={"axis": "axis"}),
    "math.reduce_max": _over_axes("Max"),
    "math.reduce_mean": _over_axes("Mean"),
    "math.reduce_sum": _over_axes("Sum"),
    "concat": _Operation("numpy", "Concatenate", settings={"axis": "axis"}),
    "expand_dims": _Operation("numpy", "ExpandDims", settings={"axis": "axis"}),
    "reshape": _Operation("numpy", "Reshape", settings={"shape": "newshape"}),
    "squeeze": _Operation("numpy", "Squeeze", settings={"axis": "axis"}),
    "transpose": _Operation("numpy", "Transpose", settings={"perm": "axes"}),
}
"""Functions of TensorFlow in a graph of layers, of which Keras 3 has its own."""


def modernized(config: Config, layers: Sequence[Config]) -> Config:
    """A functional model's configuration.

    Args:
        config: as it stands in the file.
        layers: its layers, modernized but for their calls.
    """
    sequentials = {
        layer["name"] for layer in config["layers"] if layer["class_name"] == "Sequential"
    }
    graph = _Graph(frozenset(layer["name"] for layer in layers), frozenset(sequentials))
    called = [graph.called(layer) for layer in layers]
    ends = {key: graph.ends(config[key]) for key in ("input_layers", "output_layers")}
    return {**config, "layers": called, **ends}


@dataclass(frozen=True)
class _Graph:
    """How layers are referred to.

    Attributes:
        names: of the layers.
        sequentials: those that are a Sequential: Keras 2 counts its building as its first call.
    """

    names: frozenset[str]
    sequentials: frozenset[str]

    def is_reference(self, value: Any) -> bool:
        """Whether a value of the file stands for a tensor of the graph."""
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and value[0] in self.names
            and isinstance(value[1], int)
        )

    def history(self, reference: Sequence[Any]) -> list[Any]:
        """Layer, call and output, as Keras 3 counts them."""
        name, node, output = reference[:3]
        return [name, node - 1 if name in self.sequentials else node, output]

    def ends(self, value: Any) -> Any:
        """The inputs or outputs of the whole model."""
        if self.is_reference(value):
            return self.history(value)
        if isinstance(value, dict):
            return {key: self.ends(part) for key, part in value.items()}
        return [self.ends(part) for part in value]

    def value(self, value: Any) -> Any:
        """An argument of a call: a tensor, a constant, or several."""
        if isinstance(value, list) and value[:2] == ["_CONSTANT_VALUE", -1]:
            return value[2]
        if self.is_reference(value):
            config = {"shape": [], "dtype": "float32", "keras_history": self.history(value)}
            return {"class_name": "__keras_tensor__", "config": config}
        if isinstance(value, dict):
            return {key: self.value(part) for key, part in value.items()}
        return [self.value(part) for part in value] if isinstance(value, list) else value

    def called(self, layer: Config) -> Config:
        """A layer with its calls."""
        calls = [self.call(node) for node in layer["inbound_nodes"]]
        kind = layer["class_name"]
        if kind == "SlicingOpLambda":
            return _sliced(layer, calls)
        if kind == "TFOpLambda":
            return _operated(layer, calls)
        if kind in _TAKES_STATES:
            calls = [_with_states(*call) for call in calls]
        return {**layer, "inbound_nodes": [_node(*call) for call in calls]}

    def call(self, node: Any) -> tuple[list[Any], Config]:
        """(positional arguments, keywords) of a call."""
        if isinstance(node, list) and isinstance(node[0], str):
            node = [node]  # of a function there is one row alone
        rows = list(node.values()) if isinstance(node, dict) else node
        keywords: Config = {}
        for row in rows:
            keywords |= row[3] if len(row) > 3 else {}
        keywords = {key: value for key, value in keywords.items() if key != "name"}
        values = [self.value(row) for row in rows]
        first = dict(zip(node, values, strict=True)) if isinstance(node, dict) else values
        return [values[0] if len(values) == 1 else first], self.value(keywords)


def _node(args: Sequence[Any], kwargs: Config) -> Config:
    return {"args": args, "kwargs": kwargs}


def _with_states(args: list[Any], kwargs: Config) -> tuple[list[Any], Config]:
    """Keras 2 writes initial states as further inputs."""
    if isinstance(args[0], list):
        return [args[0][0]], {**kwargs, "initial_state": args[0][1:]}
    return args, kwargs


def _sliced(layer: Config, calls: Sequence[tuple[list[Any], Config]]) -> Config:
    """`x[...]`, with slices as Keras 3 writes them."""
    nodes = []
    for args, kwargs in calls:
        parts = [
            {"class_name": "__slice__", "config": part} if isinstance(part, dict) else part
            for part in kwargs["slice_spec"]
        ]
        nodes.append(_node([*args, parts], {}))
    return _as(_Operation("numpy", "GetItem"), layer, {}, nodes)


def _operated(layer: Config, calls: Sequence[tuple[list[Any], Config]]) -> Config:
    """One of TensorFlow's functions."""
    function = layer["config"]["function"]
    if function not in _OPERATIONS:
        raise UnspoolError(
            f"layer {layer['name']!r}: is TensorFlow's function {function!r}, for which Keras 3 "
            "has no layer; use one of Keras's layers or keras.ops in its place, and save again"
        )
    operation = _OPERATIONS[function]
    settings: Config = {}
    nodes = []
    for args, kwargs in calls:
        others = [kwargs[operation.second]] if operation.second in kwargs else []
        settings = {new: kwargs[old] for old, new in operation.settings.items() if old in kwargs}
        unknown = kwargs.keys() - {operation.second, *operation.settings}
        if unknown:
            raise UnspoolError(
                f"layer {layer['name']!r}: gives TensorFlow's function {function!r} the argument "
                f"{min(unknown)!r}, for which Keras 3 has no form; leave it out and save again"
            )
        nodes.append(_node([*args, *others], {}))
    return _as(operation, layer, settings, nodes)


def _as(operation: _Operation, layer: Config, settings: Config, nodes: list[Config]) -> Config:
    """A layer's description as that of an operation."""
    return {
        "module": f"keras.src.ops.{operation.module}",
        "class_name": operation.name,
        "registered_name": operation.name,
        "config": {"name": layer["name"], **settings},
        "name": layer["name"],
        "inbound_nodes": nodes,
    }
