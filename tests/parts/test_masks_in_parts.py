"""Padded sequences in parts: each part that a mask reaches takes it beside the sequence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import unspool
from unspool import Options, Session, UnspoolError
from unspool.frontend.structure import predict
from unspool.parts.cutting import Cut, cut
from unspool.runtime import linked
from unspool.support._tensorflow import keras

L = keras.layers
T, F = 60, 5
QUICK = Options(remedy_seconds=0)
SEQUENCES = {"return_sequences": True}


def padded(value: float = -1.0, count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of any length from 1 on, and which of their steps are not padded."""
    rng = np.random.default_rng(1)
    valid = np.arange(T) < rng.integers(1, T + 1, count)[:, None]
    x = rng.normal(0, 1, (count, T, F)).astype(np.float32)
    return np.where(valid[..., None], x, np.float32(value)), valid


def both(cell: Any, **kinds: Any) -> Any:
    return L.Bidirectional(cell, **kinds)


def residual(x: Any) -> Any:
    a = both(L.GRU(4, **SEQUENCES))(L.Masking(-1.0)(x))
    b = both(L.LSTM(4, **SEQUENCES))(a)
    return both(L.GRU(3))(L.Add()([a, b]))


def behind_a_convolution(x: Any) -> Any:
    """Which ends the mask: what it reads of padded steps are zeros."""
    y = L.Conv1D(4, 5, padding="same")(both(L.GRU(4, **SEQUENCES))(L.Masking(-1.0)(x)))
    return L.GRU(3)(y)


def by_a_mean(x: Any) -> Any:
    y = both(L.GRU(4, **SEQUENCES))(L.Masking(-1.0)(x))
    return L.Dense(3)(L.GlobalAveragePooling1D()(y))


def computed(x: Any) -> Any:
    """By the user, as an argument of the layer that reads it."""
    valid = keras.ops.any(keras.ops.not_equal(x, -1.0), axis=-1)
    y = both(L.GRU(4, **SEQUENCES))(L.Masking(-1.0)(x), mask=valid)
    return L.Dense(2)(y)


MODELS: dict[str, Callable[[Any], Any]] = {
    "a mask for two layers": lambda x: L.Dense(3)(
        both(L.LSTM(4))(both(L.GRU(4, **SEQUENCES))(L.Masking(-1.0)(x)))
    ),
    "of each step": lambda x: L.Dense(3)(
        both(L.GRU(4, **SEQUENCES), merge_mode="sum")(L.Masking(-1.0)(x))
    ),
    "a residual sum": residual,
    "a convolution behind": behind_a_convolution,
    "the mean of valid steps": by_a_mean,
    "backwards": lambda x: L.GRU(3)(L.LSTM(4, go_backwards=True, **SEQUENCES)(L.Masking(-1.0)(x))),
    "two sequences": lambda x: L.Concatenate()(both(L.GRU(4), merge_mode=None)(L.Masking(-1.0)(x))),
}


def run(made: Cut, data: list[np.ndarray]) -> list[np.ndarray]:
    """The parts in Keras, one after the other."""
    values = linked.fed(made.ends, data)
    for part in made.parts:
        read = linked.taken(part.inputs, values)
        values |= linked.given_by(part.outputs, predict(part.model, read, 32))
    return [values[name] for name in made.ends.outputs]


def same(model: Any, data: list[np.ndarray]) -> Cut:
    made = cut(model)
    for got, wanted in zip(run(made, data), predict(model, data, 32), strict=True):
        np.testing.assert_allclose(got, wanted, atol=2e-6)
    return made


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.one_in(2)
def test_parts_give_what_the_model_gives(name: str) -> None:
    keras.utils.set_random_seed(1)
    x = keras.Input((T, F), name="x")
    made = same(keras.Model(x, MODELS[name](x)), [padded()[0]])
    assert [(mask.source, mask.value) for mask in made.ends.masks] == [("x", -1.0)]


def test_two_masks_of_which_one_is_enough() -> None:
    keras.utils.set_random_seed(1)
    one, other = keras.Input((T, F), name="one"), keras.Input((T, F), name="other")
    sides = [
        both(L.GRU(4, **SEQUENCES))(L.Masking(value)(each))
        for value, each in ((-1.0, one), (0.0, other))
    ]
    model = keras.Model([one, other], both(L.LSTM(3))(L.Concatenate()(sides)))
    made = same(model, [padded()[0], padded(0.0)[0][::-1].copy()])
    assert [mask.input for mask in made.ends.masks] == ["one_mask", "other_mask"]


def test_ids_of_which_0_is_none() -> None:
    keras.utils.set_random_seed(1)
    ids = keras.Input((T,), dtype="int32", name="ids")
    y = both(L.GRU(4, **SEQUENCES))(L.Embedding(20, 6, mask_zero=True)(ids))
    data = np.random.default_rng(0).integers(1, 20, (8, T)).astype(np.int32) * padded(count=8)[1]
    same(keras.Model(ids, L.Dense(2)(both(L.GRU(3))(y))), [data])


@pytest.mark.parametrize("dtype", ["bool", "float32"])
def test_a_mask_that_the_model_takes(dtype: str) -> None:
    keras.utils.set_random_seed(1)
    x, given = keras.Input((T, F), name="x"), keras.Input((T,), dtype=dtype, name="mask")
    valid = given if dtype == "bool" else keras.ops.cast(given, "bool")
    y = both(L.GRU(4, **SEQUENCES))(x, mask=valid)
    model = keras.Model([x, given], L.Dense(3)(both(L.LSTM(4))(y, mask=valid)))
    values, is_valid = padded(count=20)
    data = [values, is_valid.astype(dtype)]
    same(model, data)
    if dtype == "bool":
        done = unspool.deploy_in_parts(model, data, steps_per_call=12, options=QUICK)
        assert (done.measured.simulation.equal, done.compiled.cpu_operators) == (20, ())


@pytest.fixture(scope="module")
def model() -> Any:
    """A tagger: is the sum of all steps so far, and of all that are left, the larger?"""
    keras.utils.set_random_seed(3)
    x = keras.Input((T, F), name="x")
    y = both(L.GRU(8, **SEQUENCES))(L.Masking(-1000.0)(x))
    return keras.Model(x, L.Dense(2, "softmax", name="y")(both(L.GRU(6, **SEQUENCES))(y)))


def tags(data: np.ndarray, valid: np.ndarray) -> np.ndarray:
    so_far = np.cumsum(np.where(valid, data[..., 0], 0), axis=1)
    return (2 * so_far > so_far[:, -1:]).astype(np.int64)


def test_padded_steps_neither_count_nor_cost_any_precision(model: Any) -> None:
    """Their value, -1000, is none that the network has to store; nor are their tags any."""
    data, valid = padded(-1000.0, 30)
    labels = tags(data, valid)
    done = unspool.deploy_in_parts(
        model, data, steps_per_call=10, test=(data, labels), options=QUICK
    )
    assert (done.measured.simulation.equal, done.compiled.cpu_operators) == (30, ())
    by_runtime = {each.runtime: each for each in done.measured.accuracies}
    tagged = model.predict(data, verbose=0).argmax(-1)
    assert by_runtime["keras"].correct == (tagged == labels)[valid].sum()
    assert by_runtime["keras"].samples == valid.sum()
    assert by_runtime["npu"].percent > by_runtime["keras"].percent - 2
    (stored, *_) = Session(done.chain.parts[0].quantized_tflite, "tflm").inputs
    assert stored.scale < np.ptp(data[valid]) / 250
    assert done.measured.outside == ()


def read_by_others() -> Any:
    """What reads its input reads padded steps, what reads its Masking layer zeros."""
    keras.utils.set_random_seed(3)
    x = keras.Input((T, F), name="x")
    cleared = L.Masking(-1.0, name="pads")(x)
    y = both(L.GRU(4, **SEQUENCES))(cleared)
    z = L.Conv1D(3, 5, padding="same")(cleared)
    w = both(L.GRU(3, **SEQUENCES))(L.Concatenate()([y, x]))
    return keras.Model(x, [w, L.GRU(4, go_backwards=True)(z)])


def test_a_step_that_something_else_reads_too_is_not_cleared() -> None:
    same(read_by_others(), [padded(count=20)[0]])


@pytest.mark.slow
def test_it_is_not_cleared_in_the_binaries_either() -> None:
    data = [padded(count=20)[0]]
    done = unspool.deploy_in_parts(read_by_others(), data, steps_per_call=10, options=QUICK)
    assert (done.measured.simulation.equal, done.compiled.cpu_operators) == (20, ())
    assert done.measured.quality is not None
    assert max(column.mean for column in done.measured.quality.columns) < 3


def test_a_mask_within_a_model_whose_layers_have_names_of_others() -> None:
    x = keras.Input((T, F))
    within = keras.Input((T, F))
    encoder = keras.Model(within, both(L.GRU(3, **SEQUENCES), name="both")(within), name="inner")
    model = keras.Model(x, both(L.GRU(4), name="both")(encoder(L.Masking(-1.0)(x))))
    with pytest.raises(UnspoolError, match="model 'inner' within the model: masks go through it"):
        cut(model)
