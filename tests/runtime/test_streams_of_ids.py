"""Streams of token ids, looked up step by step: by an Ethos-U85's NPU, by the CPU of others."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from cases import L

from unspool import Deployment, Options, Session, deploy_stream, target
from unspool.compilation import vela
from unspool.errors import UnspoolError
from unspool.frontend.sequences import in_time
from unspool.frontend.structure import inputs
from unspool.runtime.drift import drift
from unspool.runtime.evaluation import predict
from unspool.support._tensorflow import keras
from unspool.unrolling.stream_checks import check_streams

STEPS, WORDS, SPEAKERS = 30, 50, 5
ON_CPU = Options(allow_cpu=True, remedy_seconds=0)


def table(rows: int, width: int, **options: Any) -> Any:
    normal = keras.initializers.RandomNormal(stddev=0.5)
    return L.Embedding(rows, width, embeddings_initializer=normal, **options)


def words_alone(steps: int | None, **options: Any) -> Any:
    ids = keras.Input((steps,), dtype="int32", name="words")
    h = L.GRU(16, return_sequences=True, name="gru")(table(WORDS, 8, **options)(ids))
    return keras.Model(ids, L.Dense(3, name="y")(L.LSTM(12, name="lstm")(h)))


def with_speaker(steps: int) -> Any:
    """Words as they come, and one id that holds for all of them."""
    ids = keras.Input((steps,), dtype="int32", name="words")
    speaker = keras.Input((1,), dtype="int32", name="speaker")
    who = L.Dense(16, "tanh")(L.Flatten()(table(SPEAKERS, 4)(speaker)))
    h = L.GRU(16, name="gru")(table(WORDS, 8)(ids))
    return keras.Model([ids, speaker], L.Dense(3, name="y")(L.Concatenate()([h, who])))


def beside_values(steps: int) -> Any:
    """Words, and measurements beside each; the look-up in a model of its own."""
    ids = keras.Input((steps,), name="words")  # Keras takes ids as floats, too
    x = keras.Input((steps, 3), name="x")
    inner = keras.Sequential([keras.Input((steps,)), table(WORDS, 8), L.Dense(6)])
    h = L.LSTM(10, name="lstm")(L.Concatenate()([inner(ids), x]))
    return keras.Model([ids, x], L.Dense(3, name="y")(h))


NETWORKS: dict[str, Callable[[], Any]] = {
    "words": lambda: words_alone(STEPS),
    "an open length": lambda: words_alone(None),
    "padded": lambda: words_alone(STEPS, mask_zero=True),
    "of a speaker": lambda: with_speaker(STEPS),
    "beside values": lambda: beside_values(STEPS),
}


def samples(network: str, count: int = 40, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    words = rng.integers(1, WORDS, (count, STEPS))
    if network == "padded":
        words[np.arange(STEPS) >= rng.integers(5, STEPS + 1, (count, 1))] = 0
    if network == "of a speaker":
        return [words, rng.integers(0, SPEAKERS, (count, 1))]
    if network == "beside values":
        return [words, rng.normal(size=(count, STEPS, 3)).astype(np.float32)]
    return [words]


@cache
def made(network: str, steps: int = 1) -> tuple[Any, Deployment]:
    """(trained model, deployment of a stream)."""
    keras.utils.set_random_seed(5)
    model: Any = NETWORKS[network]()
    return model, deploy_stream(model, samples(network), time_steps=steps, options=ON_CPU)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("network", "steps"),
    [
        pytest.param(
            name, steps, marks=[pytest.mark.slow] * ((steps == 1) != (name == "of a speaker"))
        )
        for name in NETWORKS
        for steps in (1, 5)
    ],
)
def test_word_by_word_it_computes_what_keras_computes(network: str, steps: int) -> None:
    model, done = made(network, steps)
    fresh = samples(network, seed=1)
    (expected,) = Session(done.float_tflite).predict(fresh)
    np.testing.assert_allclose(expected, predict(model, fresh)[0], atol=1e-5)
    (stored,) = Session(done.quantized_tflite, "tflm").predict(fresh)
    assert np.abs(stored - expected).mean() < 0.02 * np.ptp(expected)
    assert Session(done.quantized_tflite).inputs[0].shape == (1, steps)
    assert {operator.kind for operator in done.compiled.cpu_operators} == {"GatherV2"}


def test_inputs_are_sequences_or_hold_for_all_steps() -> None:
    networks = {name: make() for name, make in NETWORKS.items()}
    assert {name: in_time(model) for name, model in networks.items()} == {
        "words": (True,),
        "an open length": (True,),
        "padded": (True,),
        "of a speaker": (True, False),
        "beside values": (True, True),
    }
    assert [tensor.rows for tensor in inputs(networks["of a speaker"])] == [WORDS, SPEAKERS]
    assert [tensor.rows for tensor in inputs(networks["beside values"])] == [WORDS, 0]


def test_ids_that_no_recurrence_reads_are_no_sequence() -> None:
    ids, x = keras.Input((4,), dtype="int32"), keras.Input((STEPS, 3))
    bag = L.GlobalAveragePooling1D()(table(9, 5)(ids))
    model = keras.Model([ids, x], L.Dense(2)(L.Concatenate()([bag, L.GRU(4)(x)])))
    assert in_time(model) == (False, True)
    check_streams(model)


def test_ids_beside_what_a_recurrence_gives_are_a_sequence() -> None:
    ids, x = keras.Input((STEPS,), dtype="int32"), keras.Input((STEPS, 3))
    both = L.Concatenate()([table(9, 5)(ids), L.GRU(4, return_sequences=True)(x)])
    model = keras.Model([ids, x], L.Dense(2)(both))
    assert in_time(model) == (True, True)
    check_streams(model)


def test_states_words_and_masks_go_from_call_to_call() -> None:
    _, done = made("padded")
    (words,) = samples("padded", 6, seed=2)
    session = Session(done.quantized_tflite, "tflm")
    (calls,) = session.predict_calls([words])
    for number, sequence in enumerate(words):
        session.reset()
        (one,) = session.run(sequence)
        np.testing.assert_array_equal(one, calls[number])
        valid = int((sequence != 0).sum())
        assert (one[valid - 1 :] == one[valid - 1]).all()  # nothing moves in padded steps


def test_drift_over_a_long_text() -> None:
    _, done = made("words", 5)
    (words,) = samples("words", 20, seed=3)
    state_drift = drift(done.float_tflite, done.quantized_tflite, words.reshape(-1))
    assert (state_drift.calls, state_drift.time_steps) == (20 * STEPS // 5, 5)
    assert [curve.name for curve in state_drift.curves] == ["gru/h", "lstm/h", "lstm/c", "y"]


WRONG = {
    "beyond the table": (
        50,
        "1 of 30 values for input 'words', such as 50; expected whole numbers "
        "from 0 to 49, the rows of its table",
    ),
    "negative": (-1, "such as -1; expected whole numbers from 0 to 49"),
    "between two": (2.5, "such as 2.5; expected whole numbers from 0 to 49"),
    "not a number": (np.nan, "such as nan; expected whole numbers from 0 to 49"),
}


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG)
def test_ids_that_the_table_does_not_have_are_refused(value: float, message: str) -> None:
    model, done = made("words")
    words = np.ones((1, STEPS))
    words[0, 7] = value
    for run in (
        lambda: deploy_stream(model, words, options=ON_CPU),
        lambda: Session(done.quantized_tflite, "tflm").predict(words),
        lambda: Session(done.quantized_tflite, "tflm").run(words[0]),
    ):
        with pytest.raises(UnspoolError, match=message):
            run()


def test_the_u85_looks_words_up_itself() -> None:
    model, done = made("words")
    u85 = vela.compile(done.quantized_tflite, target("ethos-u85-256"))
    assert u85.cpu_operators == ()
    again = deploy_stream(
        model,
        samples("words"),
        options=Options(target=target("ethos-u85-256"), remedy_seconds=0),  # nothing to accept
    )
    assert again.quantized_tflite == done.quantized_tflite


def test_the_cpu_of_other_targets_is_to_be_accepted() -> None:
    model, _ = made("words")
    with pytest.raises(UnspoolError, match=r"\(Embedding\): looks up token ids: .*`allow_cpu`"):
        deploy_stream(model, samples("words"))
