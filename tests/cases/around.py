"""Cases: what stands around the recurrent layers."""

from collections.abc import Callable
from typing import Any

from cases.core import Build, Case, L, Shape, chain, functional, timed
from unspool.support._tensorflow import keras

LAYERS, OVER_TIME = "Around the recurrent layers", "Over time"
ops = keras.ops


def longer(times: int, plus: int = 0, *rest: int) -> Callable[[int], Shape]:
    """Number of steps -> the shape of an input that is cut down to it."""
    return lambda steps: (steps * times + plus, *(rest or (5,)))


def per_frame(x: Any) -> Any:
    frame = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten()]
    )
    return L.Dense(2)(L.GRU(6)(L.TimeDistributed(frame)(x)))


def per_frame_layers(x: Any) -> Any:
    y = L.TimeDistributed(L.Conv2D(4, 3, strides=2, activation="relu"))(x)
    y = L.TimeDistributed(L.Flatten())(y)
    return L.Dense(2)(L.LSTM(6)(y))


def crnn(x: Any) -> Any:
    y = L.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = L.ReLU()(L.BatchNormalization()(y))
    y = L.MaxPooling2D((1, 2))(y)
    y = L.Reshape((x.shape[1], 6 * 8))(y)
    y = L.Bidirectional(L.GRU(8, return_sequences=True))(y)
    return L.Dense(5, activation="softmax")(y)


def crnn_deep(x: Any) -> Any:
    y = L.MaxPooling2D(2)(L.Conv2D(6, 3, padding="same", activation="relu")(x))
    y = L.MaxPooling2D((1, 2))(L.Conv2D(8, 3, padding="same", activation="relu")(y))
    y = L.Reshape((y.shape[1], y.shape[2] * y.shape[3]))(y)
    return L.Dense(4)(L.GRU(8)(y))


def depthwise(x: Any) -> Any:
    y = L.DepthwiseConv2D(3, padding="same", activation="relu")(L.Conv2D(4, 3, padding="same")(x))
    return L.GRU(4)(L.Reshape((x.shape[1], 24))(y))


def merges(x: Any) -> Any:
    h = L.GRU(5, return_sequences=True)(x)
    return L.Maximum()([L.Multiply()([h, x]), L.Subtract()([h, x])])


def more_merges(x: Any) -> Any:
    h = L.GRU(5, return_sequences=True)(x)
    return L.Minimum()([L.Average()([h, x]), h])


def cuts(x: Any) -> Any:
    return L.Cropping1D(1)(L.GRU(5, return_sequences=True)(L.ZeroPadding1D(1)(x)))[:, -2:]


def residual(x: Any) -> Any:
    y = L.Conv1D(5, 3, padding="same", activation="relu")(x)
    return L.GRU(6)(L.Add()([x, L.Conv1D(5, 3, padding="same", dilation_rate=2)(y)]))


def gated_blocks(x: Any) -> Any:
    y = L.Dense(6)(x)
    for rate in (1, 2, 4):
        gates = [
            L.Conv1D(6, 2, padding="causal", dilation_rate=rate, activation=activation)(y)
            for activation in ("tanh", "sigmoid")
        ]
        y = L.Add()([y, L.Multiply()(gates)])
    return L.GRU(6)(y)


def functions(x: Any) -> Any:
    act = keras.activations
    y = act.elu(act.softplus(L.Dense(6)(x)), 0.5)
    return L.Dense(3)(L.GRU(5)(act.glu(act.leaky_relu(act.gelu(y), 0.1))))


def functions_of_a_value(x: Any) -> Any:
    """Operators that only float has, each on its own; a logarithm and a root away from 0."""
    h = L.GRU(8)(x)
    size = ops.abs(h)
    parts = [size, ops.sqrt(size + 0.1), ops.log(size + 0.1), ops.sin(3 * h), ops.cos(3 * h)]
    return L.Dense(3)(ops.concatenate(parts, axis=-1))


def over_time(reduce: Callable[[Any], Any]) -> Build:
    """A GRU's sequence, reduced over the steps."""
    return functional(lambda x: L.Dense(3)(reduce(L.GRU(6, return_sequences=True)(x))))


def span(h: Any) -> Any:
    names = ("min", "amin", "nanmin")  # Keras 3.12 has no nanmin
    least = [getattr(ops, name)(h, axis=1) for name in names if hasattr(ops, name)]
    return ops.concatenate([ops.max(h, axis=1), *least], axis=-1)


def both_pools(x: Any) -> Any:
    h = L.Bidirectional(L.LSTM(6, return_sequences=True))(x)
    return L.Dense(3)(L.Concatenate()([L.GlobalMaxPooling1D()(h), L.GlobalAveragePooling1D()(h)]))


def autoencoder(x: Any) -> Any:
    y = L.RepeatVector(x.shape[1])(L.LSTM(6)(x))
    return L.TimeDistributed(L.Dense(5))(L.LSTM(8, return_sequences=True)(y))


AROUND = [
    Case(
        LAYERS,
        "Dense before and after",
        chain(L.Dense(7, "relu"), L.GRU(6), L.Dense(3)),
    ),
    Case(
        LAYERS,
        "TimeDistributed(Dense)",
        chain(L.GRU(6, return_sequences=True), L.TimeDistributed(L.Dense(3))),
    ),
    Case(
        LAYERS,
        "TimeDistributed(model of Conv2D)",
        functional(per_frame, timed(8, 8, 1)),
        lengths=(4, 33),
    ),
    Case(
        LAYERS,
        "TimeDistributed(Conv2D), TimeDistributed(Flatten)",
        functional(per_frame_layers, timed(8, 8, 1)),
        lengths=(4, 33),
    ),
    Case(
        LAYERS,
        "Conv1D, strides, causal padding",
        chain(
            L.Conv1D(8, 3, 2, padding="same", activation="relu"),
            L.Conv1D(8, 3, padding="causal"),
            L.GRU(6),
            shape=longer(2),
        ),
        lengths=(8, 33),
    ),
    Case(
        LAYERS,
        "Conv1D with strides beyond 3",
        chain(
            L.Conv1D(8, 12, strides=4, padding="same", activation="relu"),
            L.GRU(6),
            shape=longer(4),
        ),
        lengths=(6, 33),
    ),
    Case(
        LAYERS,
        "Conv2D, padded, with strides beyond 3",
        chain(
            L.Reshape((-1, 5, 1)),
            L.Conv2D(3, (3, 5), strides=(1, 4), padding="same", activation="relu"),
            L.Reshape((-1, 6)),
            L.GRU(6),
        ),
        lengths=(6, 33),
    ),
    Case(
        LAYERS,
        "MaxPooling1D, padded, with strides beyond 3",
        chain(L.MaxPooling1D(5, padding="same"), L.GRU(6), shape=longer(4)),
        lengths=(6, 33),
    ),
    Case(
        LAYERS,
        "Conv2D + Reshape (a CRNN)",
        functional(crnn, timed(12, 1)),
        lengths=(10, 33),
        largest=0.2,
    ),
    Case(
        LAYERS,
        "two Conv2D and MaxPooling2D + Reshape",
        functional(crnn_deep, longer(2, 0, 12, 1)),
    ),
    Case(
        LAYERS,
        "DepthwiseConv1D, SeparableConv1D",
        chain(
            L.DepthwiseConv1D(3, activation="relu"),
            L.SeparableConv1D(8, 3, activation="relu"),
            L.GRU(6),
            shape=longer(1, 4),
        ),
        lengths=(8, 33),
        mean=0.031,  # columns range over 25 levels of 256 at 33 steps
        mean_int16=0.016,  # int8 kernels
    ),
    Case(
        LAYERS,
        "Conv2D, DepthwiseConv2D, padding",
        functional(depthwise, timed(6, 1)),
        lengths=(8, 33),
    ),
    Case(LAYERS, "Conv1D dilated, residual", functional(residual)),
    Case(LAYERS, "Conv1D dilated, gated (a WaveNet)", functional(gated_blocks)),
    Case(
        LAYERS,
        "Conv1DTranspose",
        chain(L.GRU(6, return_sequences=True), L.Conv1DTranspose(3, 3, 2)),
    ),
    Case(LAYERS, "UpSampling1D", chain(L.GRU(6, return_sequences=True), L.UpSampling1D(2))),
    Case(
        LAYERS,
        "LayerNormalization",
        chain(L.GRU(8, return_sequences=True), L.LayerNormalization(), L.GRU(4)),
        largest=0.2,
    ),
    Case(
        LAYERS,
        "BatchNormalization, folded",
        chain(L.Conv1D(8, 3), L.BatchNormalization(), L.ReLU(), L.GRU(6), shape=longer(1, 2)),
        lengths=(7, 33),
    ),
    Case(
        LAYERS,
        "BatchNormalization between recurrent layers",
        chain(L.GRU(8, return_sequences=True), L.BatchNormalization(), L.GRU(4), L.Dense(3)),
    ),
    Case(
        LAYERS,
        "MaxPooling1D, AveragePooling1D",
        chain(
            L.MaxPooling1D(2),
            L.GRU(6, return_sequences=True),
            L.AveragePooling1D(2),
            shape=longer(2),
        ),
        lengths=(3, 33),
    ),
    *(
        # one column ranges over a third of what its output does
        Case(LAYERS, name, chain(L.Dense(6), layer, L.GRU(5)), mean=0.03)
        for name, layer in (
            ("ReLU(6)", L.ReLU(6)),
            ("LeakyReLU", L.LeakyReLU()),
            ("PReLU", L.PReLU(shared_axes=[1])),
            ("ELU", L.ELU()),
            ("ELU, alpha 0.7", L.ELU(0.7)),
            ("selu", L.Activation("selu")),
            ("celu", L.Activation("celu")),
            ("hard_tanh", L.Activation("hard_tanh")),
            ("relu6 for each step", L.TimeDistributed(L.Activation("relu6"))),
            ("hard_swish", L.Activation("hard_swish")),
            ("swish", L.Activation("swish")),
            ("gelu", L.Activation("gelu")),
            ("softsign", L.Activation("softsign")),
            ("mish", L.Activation("mish")),
        )
    ),
    # It grows by a factor of e, and with it what its input is off; a column takes 16 levels.
    Case(LAYERS, "exponential", chain(L.Dense(6, activation="exponential"), L.GRU(5)), mean=0.05),
    Case(
        LAYERS,
        "softplus",  # at 33 steps a column takes 15 levels
        chain(L.Dense(6), L.Activation("softplus"), L.GRU(5)),
        mean=0.04,
        mean_int16=0.02,
    ),
    # They jump: an input is taken for one on the other side.
    *(
        Case(
            LAYERS,
            name,
            chain(L.Dense(6), layer, L.GRU(5)),
            mean=0.03,
            largest=0.25,
            largest_int16=0.08,
        )
        for name, layer in (
            ("hard_shrink", L.Activation("hard_shrink")),
            ("ReLU with a threshold, a slope and a limit", L.ReLU(2.0, 0.1, 0.3)),
        )
    ),
    Case(LAYERS, "glu head", chain(L.GRU(5), L.Dense(6, activation="glu"))),
    Case(
        LAYERS,
        "functions of keras.activations",  # a column takes 13 levels
        functional(functions),
        mean=0.04,
        mean_int16=0.03,
        largest_int16=0.05,
    ),
    Case(
        LAYERS,
        "Dense and Conv1D with selu, elu, relu6",
        chain(
            L.Dense(6, activation="selu"),
            L.Conv1D(6, 3, padding="same", activation="elu"),
            L.GRU(6, return_sequences=True),
            L.Dense(4, activation="relu6"),
            L.GRU(5),
        ),
        mean=0.026,
    ),
    Case(LAYERS, "Multiply, Subtract, Maximum", functional(merges)),
    Case(LAYERS, "Average, Minimum", functional(more_merges)),
    Case(LAYERS, "slices, cropping, zero padding", functional(cuts)),
    Case(
        LAYERS,
        "Dropout, removed",
        chain(L.Dropout(0.5), L.GRU(6, dropout=0.2, recurrent_dropout=0.2), L.GaussianNoise(1.0)),
    ),
    Case(LAYERS, "Rescaling", chain(L.Rescaling(0.5, -0.1), L.GRU(6), L.Dense(3))),
    Case(LAYERS, "softmax head", chain(L.GRU(6), L.Dense(4), L.Softmax())),
    Case(LAYERS, "sigmoid head", chain(L.GRU(6), L.Dense(1, activation="sigmoid"))),
    Case(
        LAYERS,
        "softmax head for each step",
        chain(L.GRU(6, return_sequences=True), L.Dense(4, activation="softmax")),
    ),
    Case(
        OVER_TIME,
        "GlobalAveragePooling1D",
        chain(L.GRU(6, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(3)),
    ),
    Case(
        OVER_TIME,
        "GlobalMaxPooling1D",
        chain(L.GRU(6, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(3)),
        often=True,
    ),
    Case(OVER_TIME, "both pools of a Bidirectional", functional(both_pools)),
    Case(OVER_TIME, "Flatten", chain(L.GRU(6, return_sequences=True), L.Flatten())),
    Case(
        OVER_TIME,
        "Flatten, Dense",
        chain(L.LSTM(6, return_sequences=True), L.Flatten(), L.Dense(3)),
    ),
    # A logarithm is steep where few levels of its input are: 2.2 % in 33 steps.
    Case(
        LAYERS,
        "keras.ops abs, sqrt, log, sin, cos",
        functional(functions_of_a_value),
        mean=0.03,
    ),
    Case(OVER_TIME, "keras.ops.std over time", over_time(lambda h: ops.std(h, axis=1))),
    Case(OVER_TIME, "keras.ops.sum", over_time(lambda h: ops.sum(h, axis=1))),
    Case(OVER_TIME, "keras.ops.mean", over_time(lambda h: ops.mean(h, axis=1))),
    Case(OVER_TIME, "keras.ops.max", over_time(lambda h: ops.max(h, axis=1))),
    # Vela's REDUCE_MIN gave other values where a pooling reads the same sequence.
    Case(OVER_TIME, "keras.ops.max beside keras.ops.min", over_time(span)),
    Case(OVER_TIME, "the last step of a sequence", over_time(lambda h: h[:, -1])),
    Case(OVER_TIME, "RepeatVector (an autoencoder)", functional(autoencoder)),
]
