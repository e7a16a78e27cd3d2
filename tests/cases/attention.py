"""Cases: attention over the sequence of a recurrent layer."""

from collections.abc import Callable
from typing import Any

from cases.core import Build, Case, L, functional
from unspool.support._tensorflow import keras

ATTENTION = "Attention"
ops = keras.ops


FAR_APART = keras.initializers.RandomNormal(stddev=1.0, seed=3)
"""Of kernels that tell steps apart, as training does: untrained weights are all about 1 / steps."""


def weighted_sum(x: Any) -> Any:
    """Attention as Bahdanau's of one query: a softmax over the steps weighs them."""
    h = L.GRU(6, return_sequences=True)(x)
    scores = L.Dense(1)(L.Dense(4, activation="tanh")(h))
    return L.Dense(3)(ops.sum(h * L.Softmax(axis=1)(scores), axis=1))


def weighted_by_layers(x: Any) -> Any:
    """The same as tutorials write it."""
    h = L.LSTM(6, return_sequences=True)(x)
    weights = L.Activation("softmax")(L.Flatten()(L.Dense(1, activation="tanh")(h)))
    weights = L.Permute((2, 1))(L.RepeatVector(6)(weights))
    return L.Dense(3)(L.GlobalAveragePooling1D()(L.Multiply()([h, weights])))


def dot(x: Any) -> Any:
    h = L.GRU(6, return_sequences=True)(x)
    return L.Dense(3)(L.Flatten()(L.Dot(axes=1)([L.Softmax(axis=1)(L.Dense(1)(h)), h])))


def attended(attend: Callable[[Any], Any]) -> Build:
    """A GRU's sequence, (steps, 6), attended to and averaged over the steps."""

    def build(x: Any) -> Any:
        h = L.GRU(6, return_sequences=True)(x)
        return L.Dense(3)(L.GlobalAveragePooling1D()(attend(h)))

    return functional(build)


def crossed(attend: Callable[[Any, Any], Any]) -> Build:
    """Queries of a GRU, (steps, 6), keys and values of a convolution, (steps - 2, 4)."""

    def build(x: Any) -> Any:
        h, z = L.GRU(6, return_sequences=True)(x), L.Conv1D(4, 3, activation="relu")(x)
        return L.Dense(3)(L.GlobalAveragePooling1D()(attend(h, z)))

    return functional(build)


def with_scores(attend: Callable[[Any], Any]) -> Build:
    """Two outputs: what is attended to, and the weight of each step over all queries."""

    def build(x: Any) -> Any:
        h = L.GRU(6, return_sequences=True)(x)
        y, scores = attend(h)
        seen = L.Flatten(name="scores")(ops.mean(scores, axis=2))
        return [L.Dense(3, name="head")(L.Flatten()(y)), seen]

    return functional(build)


def of_the_last_step(x: Any) -> Any:
    """Luong's (2015) and Bahdanau's (2014): the last state asks all steps."""
    h, last = L.GRU(6, return_sequences=True, return_state=True)(x)
    query = L.Reshape((1, 6))(last)
    context = L.AdditiveAttention()([L.Dense(6)(query), L.Dense(6)(h)])
    return L.Dense(3)(
        L.Concatenate()([L.Flatten()(L.Attention()([query, h])), L.Flatten()(context)])
    )


def transformer_block(x: Any) -> Any:
    """Attention and a feed-forward layer, each added to what goes in and normalised."""
    h = L.GRU(8, return_sequences=True)(x)
    h = L.LayerNormalization()(L.Add()([h, L.MultiHeadAttention(2, 4)(h, h)]))
    h = L.LayerNormalization()(L.Add()([h, L.Dense(8)(L.Dense(16, "relu")(h))]))
    return L.Dense(3)(L.GlobalAveragePooling1D()(h))


_OF_KERAS = [
    ("Attention", attended(lambda h: L.Attention()([h, h]))),
    ("Attention, use_scale", attended(lambda h: L.Attention(use_scale=True)([h, h]))),
    (
        "Attention, score_mode concat",
        attended(lambda h: L.Attention(use_scale=True, score_mode="concat")([h, h])),
    ),
    (
        "Attention of a query, a value and a key",
        crossed(lambda h, z: L.Attention()([h, L.Dense(5)(z), L.Dense(6)(z)])),
    ),
    ("AdditiveAttention", attended(lambda h: L.AdditiveAttention()([h, h]))),
    (
        "AdditiveAttention, use_scale=False",
        crossed(lambda h, z: L.AdditiveAttention(use_scale=False)([h, L.Dense(6)(z)])),
    ),
    ("Attention and AdditiveAttention of the last step", functional(of_the_last_step)),
    ("MultiHeadAttention", attended(lambda h: L.MultiHeadAttention(2, 4)(h, h))),
    (
        "MultiHeadAttention, cross, value_dim, use_bias=False",
        crossed(lambda h, z: L.MultiHeadAttention(3, 4, value_dim=5, use_bias=False)(h, z)),
    ),
    (
        "MultiHeadAttention, output_shape, dropout, use_gate",
        crossed(
            lambda h, z: L.MultiHeadAttention(2, 4, output_shape=5, dropout=0.2, use_gate=True)(
                h, L.Dense(5)(z), key=z
            )
        ),
    ),
    ("GroupQueryAttention", attended(lambda h: L.GroupQueryAttention(4, 4, 2)(h, h))),
    (
        "GroupQueryAttention, one group, cross",
        crossed(lambda h, z: L.GroupQueryAttention(4, 3, 1, use_bias=False)(h, L.Dense(6)(z))),
    ),
]

ATTENTIONS = [
    Case(ATTENTION, "softmax over steps, weighted sum", functional(weighted_sum), often=True),
    Case(
        ATTENTION,
        "RepeatVector, Permute, Multiply",
        functional(weighted_by_layers),
        mean=0.035,  # at 33 steps a column ranges over 6 levels, and Keras's own answers, rounded
        # to them, err as much: a softmax's weights, averaged, are divided by the steps twice
    ),
    Case(ATTENTION, "Dot of weights and steps", functional(dot)),
    # Averages of averages range over little: int8 weights are what errs in int16.
    *(
        Case(ATTENTION, name, build, mean=0.03, mean_int16=0.025, largest_int16=0.04)
        for name, build in _OF_KERAS
    ),
    Case(
        ATTENTION,
        "MultiHeadAttention, return_attention_scores",
        with_scores(
            lambda h: L.MultiHeadAttention(2, 4, kernel_initializer=FAR_APART)(
                h, h, return_attention_scores=True
            )
        ),
        mean=0.03,  # weights are stored in 256ths
    ),
    Case(
        ATTENTION,
        "a transformer block",
        functional(transformer_block),
        mean=0.03,
        mean_int16=0.03,
        largest_int16=0.04,
    ),
]
