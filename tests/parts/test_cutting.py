"""A model cut into parts: float parts, one after the other in Keras, give what the model gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow

from unspool import UnspoolError
from unspool.frontend.structure import predict
from unspool.parts.cutting import Cut, cut
from unspool.runtime.linked import fed, given_by, taken
from unspool.support._tensorflow import keras
from unspool.unrolling.stream_checks import is_one_loop

L = keras.layers
T, F = 36, 5


def both(
    units: int = 4,
    cell: Any = L.GRU,
    merge: str | None = "concat",
    name: str | None = None,
    **kinds: Any,
) -> Any:
    return L.Bidirectional(cell(units, **kinds), merge_mode=merge, name=name)


def sequences(units: int = 4, **kinds: Any) -> Any:
    return both(units, return_sequences=True, **kinds)


def states(x: Any) -> list[Any]:
    y, *after = both(3, L.LSTM, return_sequences=True, return_state=True)(x)
    return [y, after[0], L.Dense(2)(after[3])]


def two_sequences(x: Any) -> list[Any]:
    forward, backward = both(3, merge=None, return_sequences=True)(x)
    return [L.GRU(3)(forward), L.GRU(2)(backward)]


def encoder_and_decoder(x: Any) -> Any:
    last, state = L.GRU(6, return_state=True)(x)
    return L.GRU(6, return_sequences=True)(L.RepeatVector(7)(last), initial_state=state)


def decoder_of_features(x: Any) -> Any:
    """Features of each step, which take no binary of their own."""
    _, state = L.GRU(6, return_state=True)(x)
    features = L.Dropout(0.2)(L.LayerNormalization()(L.Dense(3, "relu")(x)))
    return L.GRU(6, return_sequences=True)(features, initial_state=state)


def states_both_ways(x: Any) -> Any:
    _, *after = both(4, L.LSTM, return_state=True)(x)
    return sequences(4, cell=L.LSTM)(x, initial_state=after)


def state_read_twice(x: Any) -> Any:
    """Each call of the decoder's loop changes its state, and not what the Dense reads."""
    _, state = L.GRU(6, return_state=True)(x)
    y = L.GRU(6, return_sequences=True)(x, initial_state=state)
    return L.Concatenate()([y[:, -1], state])


def state_given_twice(x: Any) -> Any:
    _, state = L.GRU(6, return_state=True)(x)
    return [L.GRU(6)(x, initial_state=state), L.SimpleRNN(6)(x, initial_state=state)]


def one_value_for_two_states(x: Any) -> Any:
    value = L.Dense(6)(L.GRU(5)(x))
    return L.LSTM(6)(x, initial_state=[value, value])


def states_backwards(x: Any) -> Any:
    _, *state = L.LSTM(6, return_state=True, go_backwards=True)(x)
    return L.LSTM(6, go_backwards=True, return_sequences=True)(x, initial_state=state)


def states_of_a_stack(x: Any) -> Any:
    _, *state = L.RNN([L.GRUCell(4), L.LSTMCell(3)], return_state=True)(x)
    return L.RNN([L.GRUCell(4), L.LSTMCell(3)])(x, initial_state=state)


def autoencoder(x: Any) -> Any:
    decoded = L.LSTM(6, return_sequences=True)(L.RepeatVector(T)(L.LSTM(6)(x)))
    return L.TimeDistributed(L.Dense(F))(decoded)


def attention(x: Any) -> Any:
    y = sequences(4)(x)
    y = L.LayerNormalization()(L.Add()([y, L.MultiHeadAttention(2, 4)(y, y)]))
    return L.Dense(3)(L.GlobalAveragePooling1D()(y))


def pooled_attention(x: Any) -> Any:
    y = L.LSTM(6, return_sequences=True)(x)
    shares = L.Softmax(axis=1)(L.Dense(1)(y))
    return L.Dense(2)(L.Flatten()(L.Dot(axes=1)([shares, y])))


def backwards(x: Any) -> list[Any]:
    y = L.LSTM(6, go_backwards=True, return_sequences=True)(x)
    return [L.GRU(3)(y), L.Dense(2)(y)]


def crnn(x: Any) -> Any:
    y = L.MaxPooling1D(2)(L.BatchNormalization()(L.Conv1D(6, 5)(x)))
    return L.Dense(2)(both(8)(sequences(8)(y)))


def around_a_loop(x: Any) -> Any:
    y = L.GRU(6, return_sequences=True)(L.Conv1D(6, 3, padding="same")(x))
    return L.Dense(3)(L.GlobalMaxPooling1D()(L.Conv1D(4, 3, padding="same")(y)))


def shared(x: Any) -> Any:
    dense = L.Dense(4)
    return dense(L.Conv1D(F, 3, padding="same")(L.GRU(4, return_sequences=True)(dense(x))))


def stacked_cells(x: Any) -> Any:
    cells = [L.GRUCell(4), L.LSTMCell(3)]
    return L.Dense(2)(L.Bidirectional(L.RNN(cells, return_sequences=True), merge_mode="ave")(x))


def nested(x: Any) -> Any:
    within = keras.Input((T, F))
    encoder = keras.Model(within, L.GRU(4, return_sequences=True)(L.Dense(3)(within)))
    return L.Dense(2)(both(3)(encoder(x)))


def same_names(x: Any) -> Any:
    within = keras.Input((T, F))
    encoder = keras.Model(within, sequences(3, name="both")(within))
    return L.Bidirectional(L.GRU(4), name="both")(encoder(x))


Build = Callable[[Any], Any]
MODELS: dict[str, tuple[Build, str]] = {
    "bidirectional": (lambda x: L.Dense(3)(both()(x)), "loop"),
    "two of them": (lambda x: L.Dense(3)(both(5)(L.Dense(6)(sequences()(x)))), "loop, loop"),
    "of each step": (lambda x: L.Dense(3)(sequences(5)(sequences()(x))), "loop, loop, once"),
    "summed": (lambda x: L.Dense(3)(sequences(merge="sum")(x))[:, -1], "loop, once"),
    "states": (states, "loop, once"),
    "two sequences": (two_sequences, "loop, loop"),
    "encoder and decoder": (encoder_and_decoder, "loop, once, loop"),
    "a decoder of features": (decoder_of_features, "loop, loop"),
    "a decoder both ways": (states_both_ways, "loop, loop, once"),
    "a state that is read twice": (state_read_twice, "loop, loop"),
    "a state that is given twice": (state_given_twice, "loop, loop"),
    "a state that is given, backwards": (states_backwards, "loop, loop"),
    "states that a stack is given": (states_of_a_stack, "loop, loop"),
    "one value for two states": (one_value_for_two_states, "loop, once"),
    "autoencoder": (autoencoder, "loop, once, loop"),
    "attention": (attention, "loop, once"),
    "pooled by attention": (pooled_attention, "loop, once"),
    "backwards": (backwards, "loop"),
    "convolution first": (crnn, "once, loop, loop"),
    "around a loop": (around_a_loop, "once, loop, once"),
    "a layer in two parts": (shared, "loop, once"),
    "stacked cells": (stacked_cells, "loop, once"),
    "nested": (nested, "loop, loop"),
    "nested, with names that are there twice": (same_names, "once, loop"),
    "a loop alone": (lambda x: L.Dense(3)(L.GRU(4)(x)), "loop"),
}


def run(made: Cut, data: list[np.ndarray]) -> list[np.ndarray]:
    """The parts in Keras, one after the other."""
    values = fed(made.ends, data)
    for part in made.parts:
        values |= given_by(part.outputs, predict(part.model, taken(part.inputs, values), 32))
    return [values[name] for name in made.ends.outputs]


def kinds(made: Cut) -> str:
    return ", ".join("loop" if part.is_loop else "once" for part in made.parts)


ALIKE = (
    *("two of them", "nested", "around a loop", "pooled by attention", "summed"),
    *("a state that is given twice", "encoder and decoder"),
)
"""Near to others, such as `of each step` and `nested, with names that are there twice`."""


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", slow.unless(MODELS.keys() - ALIKE, MODELS))
def test_parts_give_what_the_model_gives(name: str) -> None:
    build, expected = MODELS[name]
    keras.utils.set_random_seed(1)
    x = keras.Input((T, F), name="x")
    model = keras.Model(x, build(x))
    data = np.random.default_rng(0).normal(size=(3, T, F)).astype(np.float32)
    made = cut(model)
    assert kinds(made) == expected
    for got, each in zip(run(made, [data]), predict(model, [data], 32), strict=True):
        np.testing.assert_allclose(got, each, atol=2e-6)


def test_several_inputs_one_of_them_without_time() -> None:
    keras.utils.set_random_seed(1)
    x, still = keras.Input((T, F), name="x"), keras.Input((3,), name="still")
    y = L.GRU(6, return_sequences=True)(x)
    z = L.Concatenate()([L.RepeatVector(T)(L.Dense(2)(still)), y])
    model = keras.Model([x, still], L.Dense(2)(L.Concatenate()([both(3)(z), still])))
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    (got,) = run(cut(model), data)
    np.testing.assert_allclose(got, model(data), atol=2e-6)


def test_a_state_that_is_an_input_may_be_scaled() -> None:
    keras.utils.set_random_seed(1)
    x, first = keras.Input((T, F), name="x"), keras.Input((4,), name="first")
    y = L.GRU(4, return_sequences=True)(x, initial_state=L.Rescaling(0.1, 0.2)(first))
    model = keras.Model([x, first], both(3)(y))
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    made = cut(model)
    assert kinds(made) == "loop, loop"
    (got,) = run(made, data)
    np.testing.assert_allclose(got, model(data), atol=2e-6)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((160, 50), "once, loop, loop"), ((160, 79), "once, loop"), ((160, 158), "once, loop")],
)
@pytest.mark.one_in(2)
def test_sequences_of_no_common_length_have_loops_of_their_own(
    steps: tuple[int, int], expected: str
) -> None:
    """A call takes whole time steps of each: of 79, as a convolution leaves them, and of 50 not."""
    keras.utils.set_random_seed(1)
    sound, motion = keras.Input((steps[0], F), name="sound"), keras.Input((steps[1], 3))
    heard = L.GRU(6)(L.Conv1D(6, 4, strides=2)(sound))
    model = keras.Model([sound, motion], L.Dense(2)(L.Concatenate()([heard, both(4)(motion)])))
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    made = cut(model)
    assert kinds(made) == expected
    (got,) = run(made, data)
    np.testing.assert_allclose(got, model(data), atol=2e-6)


def test_forward_layers_over_sequences_of_no_common_length_are_no_one_loop() -> None:
    inputs = [keras.Input((160, F)), keras.Input((50, 3))]
    model = keras.Model(inputs, L.Concatenate()([L.GRU(4)(x) for x in inputs]))
    assert not is_one_loop(model)
    assert kinds(cut(model)) == "loop, loop"
    inputs = [keras.Input((150, F)), keras.Input((50, 3))]
    assert is_one_loop(keras.Model(inputs, L.Concatenate()([L.GRU(4)(x) for x in inputs])))


def test_an_open_length_is_given() -> None:
    x = keras.Input((None, F), name="x")
    model = keras.Model(x, L.Dense(3)(both()(L.Conv1D(4, 3, padding="same")(x))))
    data = np.random.default_rng(0).normal(size=(2, 90, F)).astype(np.float32)
    (got,) = run(cut(model, 90), [data])
    np.testing.assert_allclose(got, model(data), atol=2e-6)
    with pytest.raises(UnspoolError, match=r"say how many time steps to unroll \(`time_steps`\)"):
        cut(model)


def test_ids_are_looked_up_in_both_directions() -> None:
    ids = keras.Input((T,), dtype="int32", name="ids")
    model = keras.Model(ids, L.Dense(3)(both()(L.Embedding(20, 6)(ids))))
    made = cut(model)
    data = np.random.default_rng(0).integers(0, 20, (3, T)).astype(np.int32)
    assert kinds(made) == "loop"
    (got,) = run(made, [data])
    np.testing.assert_allclose(got, model(data), atol=2e-6)


def test_odd_names_and_names_that_meet() -> None:
    x, other = keras.Input((T, F), name="x"), keras.Input((T, F), name="x_backwards")
    y = L.Concatenate(name="a b")([both(name="gru(1)", return_sequences=True)(x), other])
    z = L.Bidirectional(L.GRU(3), name="gru_1_forward_in")(y)
    model = keras.Model([x, other], [L.Dense(2, name="x_")(z), x, y])
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(3, T, F)).astype(np.float32) for _ in range(2)]
    made = cut(model)
    assert made.ends.inputs == ("x", "x_backwards")
    assert len(set(made.ends.outputs)) == 3
    for got, wanted in zip(run(made, data), predict(model, data, 32), strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-6)
