"""Recurrent states as a second target of fine-tuning: of units that stay, at each step."""

from typing import Any

import numpy as np
import pytest
from conftest import small_model

from unspool import FineTuning, KernelSetting, UnspoolError, compress
from unspool.compression.states import States
from unspool.compression.units import scores
from unspool.frontend.structure import predict
from unspool.support._tensorflow import keras

L = keras.layers
STEPS, FEATURES = 40, 5
X = np.random.default_rng(0).normal(size=(96, STEPS, FEATURES)).astype(np.float32)
FOLLOWED = FineTuning(epochs=2, state_distillation=1.0)


def states(model: Any, layer: str, data: np.ndarray) -> np.ndarray:
    """Of a GRU that gives its last one alone, (samples, steps, units), by Keras."""
    gru = model.get_layer(layer)
    whole = L.GRU.from_config(gru.get_config() | {"return_sequences": True})
    whole.build(data.shape)
    whole.set_weights(gru.get_weights())
    return np.asarray(whole(data))


def test_the_distance_by_hand() -> None:
    """Of two models of one shape, the second without half of the first one's units."""
    trained, student = small_model(units=8, steps=STEPS), small_model(units=4, steps=STEPS)
    student.set_weights([0.7 * weight for weight in student.get_weights()])
    kept = np.array([1, 2, 5, 7])
    compared = States(trained, student, [kept], 2.0)
    right, got = (predict(each, [X], 96) for each in (compared.of_trained, compared.of_student))
    wanted = states(trained, "gru", X)[..., kept]
    expected = ((wanted - states(student, "gru", X)) ** 2).mean() / (wanted**2).mean()
    assert float(compared.distance(right, got)) == pytest.approx(2 * expected, rel=1e-4)
    np.testing.assert_allclose(compared.outputs(right)[0], predict(trained, [X], 96)[0], atol=1e-6)


def test_padded_steps_count_in_no_distance() -> None:
    x = keras.Input((STEPS, FEATURES))
    valid = np.arange(STEPS) < np.arange(1, 97)[:, None] % STEPS + 1
    padded = np.where(valid[..., None], X, 0).astype(np.float32)

    def model(seed: int) -> Any:
        keras.utils.set_random_seed(seed)
        return keras.Model(x, L.Dense(2)(L.GRU(6, name="gru")(L.Masking()(x))))

    compared = States(model(1), model(2), [np.arange(6)], 1.0)
    right, got = (each(padded) for each in (compared.of_trained, compared.of_student))
    a, b = np.asarray(right[1])[valid], np.asarray(got[1])[valid]
    every = (np.asarray(right[1]) ** 2).mean()  # what a state keeps in padded steps included
    assert float(compared.distance(right, got)) == pytest.approx(
        ((a - b) ** 2).mean() / every, 1e-4
    )


@pytest.mark.parametrize("zero", [False, True])
def test_outputs_are_those_of_the_model_where_padded_steps_give_zeros(zero: bool) -> None:
    x = keras.Input((STEPS, FEATURES))
    hidden = L.LSTM(6, return_sequences=True)(L.Masking()(x))
    model = keras.Model(x, L.Dense(2)(L.GRU(5, zero_output_for_mask=zero)(hidden)))
    padded = X.copy()
    padded[::2, 30:] = 0
    compared = States(model, model, [np.arange(6), np.arange(5)], 1.0)
    given = compared.outputs(predict(compared.of_trained, [padded], 96))
    np.testing.assert_allclose(given[0], predict(model, [padded], 96)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("labelled", "mixup"),
    [(True, False), (False, True)],
    ids=["labels and samples", "mixtures alone"],
)
@pytest.mark.one_in(2)
def test_states_come_nearer_when_they_count(
    labelled: bool, mixup: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "_DRAWS", 8)
    x = X[:64, :8]
    trained = small_model(units=16, steps=8)
    trained.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = trained.predict(x, verbose=0).argmax(1) if labelled else None
    setting = KernelSetting(0.0, None, units=8)

    def far(weight: float) -> float:
        tuning = FineTuning(
            *(3, 1, 16, 3e-3), mixup=mixup, state_distillation=weight, distillation=1.0
        )
        smaller = compress(trained, x, labels, setting=setting, fine_tuning=tuning).model
        ours, theirs = states(smaller, "gru", x), states(trained, "gru", x)
        # Each state of ours beside the one of theirs that it is nearest to.
        return float(((ours[..., None, :] - theirs[..., None]) ** 2).mean((0, 1)).min(0).mean())

    assert far(30.0) < 0.9 * far(0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state_distillation": -1}, "state distillation -1: expected a weight, 0 or more"),
        ({"state_distillation": float("nan")}, "state distillation nan: expected a weight"),
        ({"state_distillation": 1, "distillation": 0}, "state distillation with distillation 0"),
    ],
)
def test_a_weight_that_is_none_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        FineTuning(**options)  # type: ignore[arg-type]


def test_a_model_without_states_is_refused() -> None:
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, L.Dense(2)(L.Flatten()(L.Conv1D(4, 3)(x))), name="convolutions")
    with pytest.raises(UnspoolError, match="state distillation: model 'convolutions' has no recur"):
        compress(model, X, fine_tuning=FOLLOWED)
