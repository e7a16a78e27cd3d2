"""A `Network` of `random_networks` -> a Keras model with weights, and data for it."""

from typing import Any

import numpy as np
from random_networks import Network, Recurrence

from unspool.support._tensorflow import keras

L = keras.layers

_LAYERS = {"simple": L.SimpleRNN, "gru": L.GRU, "lstm": L.LSTM}
_CELLS = {"simple": L.SimpleRNNCell, "gru": L.GRUCell, "lstm": L.LSTMCell}
_MERGES = {
    "add": L.Add,
    "concat": L.Concatenate,
    "multiply": L.Multiply,
    "subtract": L.Subtract,
    "maximum": L.Maximum,
    "average": L.Average,
}
_FRONTS = {
    "dense": lambda: [L.Dense(6, activation="relu")],
    "conv": lambda: [L.Conv1D(8, 3, padding="same", activation="relu")],
    "strided": lambda: [L.Conv1D(6, 3, 2, padding="same")],
    "causal": lambda: [L.Conv1D(6, 3, padding="causal", activation="tanh")],
    "separable": lambda: [L.SeparableConv1D(7, 3, padding="same")],
    "depthwise": lambda: [L.DepthwiseConv1D(3, padding="same", activation="relu")],
    "maximum": lambda: [L.MaxPooling1D(2, padding="same")],
    "average": lambda: [L.AveragePooling1D(2, padding="same")],
    "batch": lambda: [L.BatchNormalization()],
    "layer": lambda: [L.LayerNormalization()],
    "normal": lambda: [L.Normalization(mean=0.5, variance=2.0)],
    "rescaled": lambda: [L.Rescaling(0.5, 0.25)],
    "dropout": lambda: [L.Dropout(0.3)],
    "noise": lambda: [L.GaussianNoise(0.1)],
    "leaky": lambda: [L.Dense(5), L.LeakyReLU()],
    "padded": lambda: [L.ZeroPadding1D(1)],
}


def model(network: Network) -> Any:
    """The network as a Keras model with weights."""
    keras.backend.clear_session(free_memory=False)  # which would look through all that there is
    keras.utils.set_random_seed(network.seed)
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(network.policy)
    try:
        made = _model(network)
    finally:
        keras.config.set_dtype_policy(usual)
    _give_weights(made, network)
    return made


def _model(network: Network) -> Any:
    length = None if network.is_open else network.steps
    x = keras.Input((length, network.features), name=network.name)
    z = None
    if network.extra in ("static", "state"):
        z = keras.Input((4,), name="static")
    elif network.extra:
        z = keras.Input((length, network.features), name="second")
    states: list[Any] = []
    if network.extra == "shared":
        inner = keras.Input((length, network.features))
        tower = keras.Model(inner, _tower(network, inner, None)[0], name="tower")
        y = L.Concatenate()([tower(x), tower(z)])
    else:
        first = L.Concatenate()([x, L.Dense(3)(z)]) if network.extra == "sequence" else x
        y, states = _tower(network, first, z)
    if network.extra == "static" or (network.extra == "state" and not _takes_state(network)):
        beside = L.Dense(int(y.shape[-1]), activation="tanh")(z)
        y = L.Add()([y, L.Reshape((1, -1))(beside) if len(y.shape) > 2 else beside])
    outputs = [
        tensor
        for number, (kind, width) in enumerate(network.heads)
        for tensor in _head(kind, width, y, states, f"head_{number}")
    ]
    if network.extra and states and all(kind == "states" for kind, _ in network.heads):
        outputs.append(L.Dense(2)(y))  # or nothing might read the second input
    inputs = x if z is None else [x, z]
    if network.name == "x":
        return keras.Model(inputs, outputs)
    # Keras itself runs no layers of such names; the keys of a dictionary may be anything.
    return keras.Model(inputs, {f"{network.name}_{n}": t for n, t in enumerate(outputs)})


def _takes_state(network: Network) -> bool:
    return network.recurrences[0].direction in ("forward", "backward")


def _tower(network: Network, y: Any, z: Any) -> tuple[Any, list[Any]]:
    """From an input to what the heads read, and the states of the last recurrent layer."""
    for kind in network.front:
        for layer in _FRONTS[kind]():
            y = layer(y)
    states: list[Any] = []
    for number, each in enumerate(network.recurrences):
        is_last = number == len(network.recurrences) - 1
        whole = not is_last or network.rest != "last"
        initial = {}
        if network.extra == "state" and number == 0 and _takes_state(network):
            starts = [L.Dense(each.units, "tanh")(z) for _ in range(1 + (each.cell == "lstm"))]
            initial = {"initial_state": starts}
        before = y
        y, *states = _layer(each, whole)(before, **initial)
        if network.merge and whole:
            y = _MERGES[network.merge]()([y, L.Dense(int(y.shape[-1]))(before)])
        if "norm" in each.options:
            y = L.LayerNormalization()(y)
    return _rest(network.rest, y), states


def _layer(each: Recurrence, whole: bool) -> Any:
    """A Keras layer that gives its states, too."""
    given: dict[str, Any] = {
        "activation": each.activation,
        "use_bias": "no_bias" not in each.options,
    }
    if each.cell != "simple":
        given["recurrent_activation"] = each.gates
    if each.cell == "gru":
        given["reset_after"] = "reset_before" not in each.options
    if "dropout" in each.options:
        given |= {"dropout": 0.2, "recurrent_dropout": 0.1}
    around: dict[str, Any] = {"return_sequences": whole, "return_state": True}
    around["go_backwards"] = each.direction == "backward"
    if "by_cell" in each.options:
        layer = L.RNN(_CELLS[each.cell](each.units, **given), **around)
    else:
        layer = _LAYERS[each.cell](each.units, **given, **around)
    if each.direction in ("forward", "backward"):
        return layer
    return L.Bidirectional(layer, merge_mode=each.direction)


def _rest(rest: str, y: Any) -> Any:
    """What becomes of a sequence (batch, time, width); a vector stays one."""
    match rest:
        case "flatten" if y.shape[1] is not None:
            return L.Flatten()(y)
        case "average":
            return L.GlobalAveragePooling1D()(y)
        case "maximum":
            return L.GlobalMaxPooling1D()(y)
        case "pooled":
            return L.AveragePooling1D(2, padding="same")(y)
        case "slice":
            return y[:, -1]
    return y


def _head(kind: str, width: int, y: Any, states: list[Any], name: str) -> list[Any]:
    match kind:
        case "given":
            return [L.Activation("linear", name=name)(y)]
        case "states" if states:
            return states
        case "distributed" if len(y.shape) > 2:
            return [L.TimeDistributed(L.Dense(width), name=name)(y)]
        case "softmax" | "sigmoid" | "tanh" | "relu":
            return [L.Dense(width, activation=kind, name=name)(y)]
    return [L.Dense(width, name=name)(y)]


def _give_weights(made: Any, network: Network) -> None:
    """Weights as training leaves them, no bias at zero, or stranger ones."""
    rng = np.random.default_rng(network.seed)
    factors = {"large": 2.0, "small": 0.05}
    for weight in made.weights:
        values: np.ndarray = np.asarray(weight, np.float32)
        if "variance" in weight.name:
            values = rng.uniform(0.5, 2.0, values.shape)
        elif (
            values.dtype == np.float32 and "count" not in weight.name and "seed" not in weight.name
        ):
            rows = values.shape[0] if values.ndim > 1 else 30
            if network.weights != "fresh":
                values = values + rng.normal(0, min(0.1, 0.3 / rows**0.5), values.shape)
            values = values * factors.get(network.weights, 1.0)
            if network.weights == "zeros":
                values = values * (rng.random(values.shape) < 0.2)
            if network.weights == "two":
                values = np.where(values > 0, 0.25, -0.25) / max(1.0, rows / 8)
        weight.assign(values)


def samples(network: Network, made: Any, count: int, number: int) -> list[np.ndarray]:
    """Samples for each input of the model, (count, ...); another number gives others."""
    rng = np.random.default_rng([network.seed, number])
    arrays = []
    for tensor in made.inputs:
        shape = [network.steps if size is None else size for size in tensor.shape[1:]]
        arrays.append(_values(network.data, (count, *shape), rng).astype(network.dtype))
    return arrays


def _values(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(0, 1, shape)
    features = np.arange(shape[-1])
    match kind:
        case "uniform":
            return rng.uniform(0, 1, shape)
        case "huge" | "tiny":
            return x * {"huge": 1e4, "tiny": 1e-4}[kind]
        case "offset":
            return x + 100
        case "sparse":
            return x * (rng.random(shape) < 0.05)
        case "columns":  # every other one does not vary
            return np.where(features % 2, x, 3.0)
        case "outlier":
            x[shape[0] // 2] *= 50
        case "scales":
            return x * 10.0 ** (features % 5 - 2)
        case "skewed":
            return rng.exponential(1, shape) ** 2
        case "binary":
            return (x > 0).astype(float)
        case "alternating":
            return np.sign(x) * 0.5
        case "constant":
            return np.full(shape, 0.7)
    return x
