"""Models that are built in ways that people have and examples do not show: they work, or say why.

Their expected values are Keras's: a deployment compares its deploy model with the trained one, and
the bytes of its binary with TFLM's.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pytest
import slow
from conftest import computing_at_once, worst_mean

from unspool import Options, Session, UnspoolError, deploy, deploy_stream
from unspool.support._tensorflow import keras
from unspool.support.samples import Samples

L, ops = keras.layers, keras.ops
QUICK = Options(remedy_seconds=0)
STEPS, LONG = 9, 33


Build: TypeAlias = Callable[[], Any]
"""Makes a Keras model."""


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


LONG_X = normal(24, LONG, 4)
X = LONG_X[:, :STEPS]


def sequence(name: str = "x", **kwargs: Any) -> Any:
    return keras.Input((STEPS, 4), name=name, **kwargs)


def inputs_by_keys() -> Any:
    a, b = sequence("acceleration_in"), keras.Input((5,), name="load_in")
    y = L.Dense(3)(L.Concatenate()([L.GRU(8)(a), b]))
    return keras.Model({"acceleration": a, "load": b}, y)


def nested() -> Any:
    x = sequence()
    y = L.GRU(8)(x)
    inner = keras.Model(x, {"p": L.Dense(2)(y), "q": L.Dense(3)(y)}, name="inner")
    x = sequence()
    given = inner(x)
    return keras.Model(x, [given["q"], L.Dense(2)(given["p"])])


def nested_name_met_again() -> Any:
    x = sequence()
    inner = keras.Model(x, L.GRU(6, name="gru", return_sequences=True)(x), name="a")
    x = sequence()
    return keras.Model(x, L.Dense(2)(L.GRU(5, name="a_gru")(inner(x))))


def states_of_both_directions() -> Any:
    x = sequence()
    return keras.Model(x, list(L.Bidirectional(L.LSTM(6, return_state=True))(x)))


def state_given() -> Any:
    x, state = sequence(), keras.Input((6,), name="state")
    return keras.Model([x, state], L.Dense(2)(L.GRU(6)(x, initial_state=state)))


def own_names_like_ours() -> Any:
    x = sequence("cell_in")
    y = L.GRU(6)(x)
    return keras.Model(x, [L.Dense(4, name="cell_out")(y), L.Dense(1, name="step_6")(y)])


def given_out_again() -> Any:
    x = sequence()
    y = L.Dense(2)(L.GRU(6)(x))
    return keras.Model(x, [x, y, y])


def single_number_per_step() -> Any:
    x = sequence()
    y = L.Bidirectional(L.LSTM(1, return_sequences=True), merge_mode="ave")(x)
    return keras.Model(x, L.Flatten()(y + y))


def of(*layers: Any, **kwargs: Any) -> Build:
    return lambda: keras.Sequential([sequence(**kwargs), *layers])


def in_policy(policy: str) -> Build:
    def build() -> Any:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return of(L.GRU(8), L.Dense(2))()
        finally:
            keras.config.set_dtype_policy(before)

    return build


WORKS: dict[str, tuple[Build, Samples]] = {
    "a batch size": (of(L.GRU(8), batch_size=7), LONG_X),
    "stateful": (of(L.GRU(8, stateful=True), batch_size=7), LONG_X),
    "inputs by keys": (inputs_by_keys, {"acceleration": LONG_X, "load": normal(24, 5)}),
    "inputs of a dictionary by names": (
        inputs_by_keys,
        {"acceleration_in": LONG_X, "load_in": normal(24, 5)},
    ),
    "a nested model with a dictionary": (nested, LONG_X),
    "a nested model's name met again": (nested_name_met_again, LONG_X),
    "states of both directions": (states_of_both_directions, LONG_X),
    "an initial state as an input": (state_given, [LONG_X, normal(24, 6)]),
    "a user's cell_in, cell_out and step_6": (own_names_like_ours, LONG_X),
    "an input given out, an output twice": (given_out_again, LONG_X),
    "a single number per step": (single_number_per_step, LONG_X),
    "a layer as an activation": (lambda: of(L.GRU(8, activation=L.ReLU()), L.Dense(2))(), LONG_X),
    "LeakyReLU in a cell": (of(L.GRU(8, activation=L.LeakyReLU()), L.Dense(2)), LONG_X),
    "relu6 in a cell and behind it": (of(L.SimpleRNN(4, "relu6"), L.ReLU(6), L.Dense(2)), LONG_X),
    "inputs of yes and no": (of(L.GRU(6), L.Dense(2), dtype="bool"), LONG_X > 0),
    "mixed_float16": (in_policy("mixed_float16"), LONG_X),
    "mixed_bfloat16": (in_policy("mixed_bfloat16"), LONG_X),
    "inputs in units of 1e-8": (of(L.Rescaling(1e8), L.LSTM(8), L.Dense(2)), LONG_X * 1e-8),
    "sums far beyond what tanh tells apart": (of(L.GRU(6), L.Dense(2)), LONG_X * 1e8),
    "all samples zero": (of(L.GRU(6), L.Dense(2)), LONG_X * 0),
}


OFTEN = (
    *("a batch size", "a nested model with a dictionary", "mixed_float16"),
    *("states of both directions", "a user's cell_in, cell_out and step_6", "all samples zero"),
    "an input given out, an output twice",
)

OfSteps: TypeAlias = Callable[[Build, Samples], tuple[Any, Samples]]


@pytest.fixture(params=[STEPS, pytest.param(LONG, marks=pytest.mark.slow)])
def of_steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OfSteps]:
    """Builds a model whose sequences have as many steps, and cuts its data to them.

    Keras's answers come from its graph where there are many steps.
    """
    monkeypatch.setitem(globals(), "STEPS", request.param)

    def cut(array: np.ndarray) -> np.ndarray:
        return array[:, : request.param] if array.ndim > 2 else array

    with computing_at_once(request.param == STEPS):
        yield lambda build, data: (build(), keras.tree.map_structure(cut, data))


@pytest.mark.filterwarnings("ignore:calibration data")
@pytest.mark.parametrize("name", slow.unless(OFTEN, WORKS))
@pytest.mark.one_in(2)
def test_works(name: str, of_steps: OfSteps) -> None:
    build, data = WORKS[name]
    keras.utils.set_random_seed(1)
    done = deploy(*of_steps(build, data), options=QUICK)
    assert done.measured.not_measured == ()
    assert done.simulation.equal == done.simulation.samples == 24
    assert done.compiled.cpu_operators == ()
    assert done.measured.quality is not None


def test_names_of_states_are_marked_not_read() -> None:
    """cell_in and cell_out would be tied like a state: an error of 14.9 % instead of 0.3 %."""
    keras.utils.set_random_seed(1)
    done = deploy(own_names_like_ours(), X, options=QUICK)
    assert Session(done.quantized_tflite).pairs == ()
    assert worst_mean(done.measured.quality) < 2


def out_is_the_state() -> Any:
    x = sequence()
    y, h, c = L.LSTM(6, return_state=True)(x)
    return keras.Model(x, [y, h, c])


def shared() -> Any:
    a, b = sequence("a"), sequence("b")
    gru = L.GRU(6, return_sequences=True)
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([gru(a), gru(b)])))


STREAMS: dict[str, tuple[Build, Samples, int, int]] = {
    "the output is the state": (out_is_the_state, X, 3, 2),
    "a layer that two inputs share": (shared, [X, X[::-1]], 3, 2),
}


@pytest.mark.parametrize(("build", "data", "steps", "states"), STREAMS.values(), ids=STREAMS)
def test_streams(build: Build, data: Samples, steps: int, states: int) -> None:
    keras.utils.set_random_seed(1)
    done = deploy_stream(build(), data, time_steps=steps, options=QUICK)
    assert len(Session(done.quantized_tflite).state_names) == states
    assert done.simulation.equal == done.simulation.samples == 24


def repeated() -> Any:
    x = sequence()
    y = L.RepeatVector(10)(L.LSTM(6)(x))
    return keras.Model(x, L.LSTM(6, return_sequences=True)(y))


REFUSED = {
    "Softmax in a cell": (
        of(L.GRU(8, activation=L.Softmax())),
        "is 'Softmax', which has no form in a cell; use one of",
    ),
    "numbers of another kind": (of(L.GRU(8)), "type complex64, expected numbers"),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_a_line(build: Build, message: str) -> None:
    data = X.astype(np.complex64) if "complex" in message else X
    with pytest.raises(UnspoolError, match=message) as refused:
        deploy(build(), data, options=QUICK)
    assert "\n" not in str(refused.value)


def test_a_sequence_that_begins_in_every_call_is_no_stream() -> None:
    with pytest.raises(UnspoolError, match=r"'repeat_vector.*' .*: begins a sequence of its own"):
        deploy_stream(repeated(), X, options=QUICK)


def test_what_tflm_stops_at_is_not_measured_but_deployed() -> None:
    keras.utils.set_random_seed(1)
    done = deploy(of(L.GRU(6), L.Dense(600, "softmax"))(), X, options=QUICK)
    reasons = [each.reason for each in done.measured.not_measured]
    assert any("SOFTMAX stops the process with 512 classes or more" in each for each in reasons)
    assert done.measured.ran_in == "litert"
    assert done.measured.quality is not None
    assert done.compiled.cpu_operators == ()


def test_weights_and_bias_of_other_sizes_keep_the_bias() -> None:
    """A channel that is nearly nothing beside its bias: its bias would not fit int32."""
    keras.utils.set_random_seed(1)
    model = of(L.GRU(6), L.Dense(4))()
    kernel, _ = model.layers[-1].get_weights()
    kernel[:, 1] *= 1e-9
    kernel[:, 2] = 0
    model.layers[-1].set_weights([kernel, np.array([0.0, 1.0, -0.5, 0.0])])
    for activations in ("int8", "int16"):
        done = deploy(model, X, options=Options(activations=activations, remedy_seconds=0))
        (y,) = Session(done.quantized_tflite, "tflm").predict(X)
        step = float(np.ptp(y)) / 250
        assert y[:, 1] == pytest.approx(1.0, abs=step)
        assert y[:, 2] == pytest.approx(-0.5, abs=step)
        assert done.simulation.equal == 24


@pytest.mark.parametrize("activations", ["int8", pytest.param("int16", marks=pytest.mark.slow)])
def test_a_state_that_has_come_to_rest_is_no_reason_to_refuse(activations: str) -> None:
    """After 80 steps of one value `h - c` of a GRU is nothing beside either of them."""
    keras.utils.set_random_seed(50)
    x = keras.Input((80, 3))
    model = keras.Model(x, L.Dense(2)(L.GRU(12)(x)))
    data = np.repeat(normal(24, 1, 3), 80, axis=1)
    done = deploy(model, data, options=Options(activations=activations, remedy_seconds=0))
    assert done.simulation.equal == done.simulation.samples == 24
    assert worst_mean(done.measured.quality) < 3


@keras.saving.register_keras_serializable("tests")
class NormalizedCell(keras.layers.Layer):  # type: ignore[misc]
    """A cell that normalises what it adds up (Ba et al. 2016): its graph has a NEG."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = self.output_size = units
        self.cell = L.SimpleRNNCell(units, activation=None)
        self.normalization = L.LayerNormalization()

    def build(self, shape: Any) -> None:
        self.cell.build(shape)
        self.normalization.build((None, self.state_size))

    def call(self, x: Any, states: Any) -> Any:
        output, _ = self.cell(x, states)
        output = ops.tanh(self.normalization(output))
        return output, [output]


@pytest.mark.parametrize("activations", slow.unless(["int8"], ["int8", "int16"]))
def test_a_layer_normalization_inside_a_cell(activations: str) -> None:
    keras.utils.set_random_seed(3)
    x = sequence()
    model = keras.Model(x, L.Dense(2)(L.RNN(NormalizedCell(12))(x)))
    done = deploy(model, X, options=Options(activations=activations, remedy_seconds=0))
    assert not done.compiled.cpu_operators
    assert worst_mean(done.measured.quality) < 5
    if activations == "int8":
        assert done.simulation.equal == done.simulation.samples == len(X)
    else:  # cases/exceptions.py: Vela interpolates int16 RSQRT
        assert done.simulation.first_difference.endswith("Rsqrt")
