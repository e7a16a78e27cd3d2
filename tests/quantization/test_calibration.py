"""Ranges: by hand where the tensor is known, tied over the steps, never empty."""

from typing import Any

import numpy as np
import pytest
from conftest import random_samples, small_model

from unspool.errors import UnspoolError
from unspool.quantization.calibration import Calibration, calibrate, choose
from unspool.quantization.ranges import METHODS, UNIT, Range, mse
from unspool.support._tensorflow import keras
from unspool.tflite import flatbuffer
from unspool.tflite.roles import roles
from unspool.unrolling.conversion import convert
from unspool.unrolling.deploy_model import unroll


def test_an_inputs_range_is_its_datas(calibration: Calibration, data: np.ndarray) -> None:
    assert calibration.samples == 40
    assert calibration.observed["x"].minimum == pytest.approx(data.min())
    assert calibration.observed["x"].maximum == pytest.approx(data.max())


def test_a_states_range_is_that_of_keras(
    calibration: Calibration, data: np.ndarray, model: Any
) -> None:
    """The last step's `h` is the GRU layer's output, which Keras can say."""
    h = keras.Model(model.inputs, model.get_layer("gru").output).predict(data, verbose=0)
    observed = calibration.observed["gru/step_005/h"]
    assert (observed.minimum, observed.maximum) == pytest.approx((h.min(), h.max()), abs=1e-6)


def test_ranges_of_what_weights_read_and_give_are_tied_over_the_steps(
    calibration: Calibration,
) -> None:
    for name in ("h", "hproj_c"):
        steps = [f"gru/step_{step:03d}/{name}" for step in range(1, 6)]
        assert len({calibration.ranges[step] for step in steps}) == 1


def test_ranges_of_others_are_their_own_in_each_step(calibration: Calibration) -> None:
    assert len({calibration.ranges[f"gru/step_{step:03d}/rh"] for step in range(1, 6)}) == 5


def test_a_role_is_a_name_without_the_step(float_tflite: bytes) -> None:
    tensor_roles = roles(flatbuffer.read(float_tflite))
    assert tensor_roles["gru/step_003/h"] == tensor_roles["gru/step_005/h"] == "gru/step/h"
    assert tensor_roles["x"] == "x"


def test_an_output_of_the_graph_that_is_a_state_has_the_states_role() -> None:
    """The signature's name takes the place of `gru/step_003/h`; the tie must not be lost."""
    x = keras.Input((4, 3), name="x")
    model = keras.Model(x, keras.layers.GRU(5, name="gru")(x))
    tensor_roles = roles(flatbuffer.read(convert(unroll(model))))
    assert tensor_roles["gru"] == tensor_roles["gru/step_001/h"] == "gru/step/h"


def test_a_tie_holds_all_observations_and_zero(calibration: Calibration) -> None:
    """A role's range by minmax, from what was observed of its steps."""
    steps = [calibration.observed[f"gru/step_{step:03d}/h"] for step in range(6)]
    whole = Range(min(0.0, *(r.minimum for r in steps)), max(0.0, *(r.maximum for r in steps)))
    assert calibration.observations is not None
    chosen = choose(calibration.observations, "minmax")
    assert {chosen.ranges[f"gru/step_{step:03d}/h"] for step in range(6)} == {whole}


def test_a_tensor_that_is_zero_in_all_of_the_data_gets_a_usable_range(float_tflite: bytes) -> None:
    calibration = calibrate(float_tflite, np.zeros((30, 6, 5)))
    assert calibration.ranges["x"] == UNIT
    assert "x" in calibration.empty


@pytest.mark.parametrize("unit", [1e-7, 1e-3, 1e7])
def test_a_networks_unit_does_not_matter(unit: float) -> None:
    """Amperes, tesla, strain: a narrow range is a range."""
    model = small_model("gru")
    data = random_samples(40)
    weights = model.get_weights()
    scaled = small_model("gru")
    scaled.set_weights([weights[0] / unit, *weights[1:]])
    plain, other = (convert(unroll(m)) for m in (model, scaled))
    expected = calibrate(plain, data).ranges
    ranges = calibrate(other, data * unit).ranges
    assert ranges["x"].maximum == pytest.approx(unit * expected["x"].maximum, rel=1e-3)
    assert ranges["gru/step_003/h"].width == pytest.approx(
        expected["gru/step_003/h"].width, rel=0.1
    )


def test_outputs_and_states_are_not_cut(model: Any, data: np.ndarray) -> None:
    """Least squares would cut an outlier off; inputs and outputs are taken as they are."""
    x = keras.Input((6, 5), name="x")
    linear = keras.Model(x, keras.layers.Dense(1, name="y")(keras.layers.GRU(4)(x)))
    spiky = np.tanh(np.tile(data, (10, 1, 1)))
    spiky[7, 2, 3] = 3.0
    calibration = calibrate(convert(unroll(linear)), spiky)
    seen = calibration.observed["y"]
    assert calibration.ranges["y"] == Range(min(0.0, seen.minimum), max(0.0, seen.maximum))
    assert calibration.ranges["x"].maximum == 3.0
    inner = [
        name
        for name in calibration.ranges
        if calibration.ranges[name].width < calibration.observed[name].width
    ]
    assert inner, "some range between them is narrower than what was met"


def test_least_squares_clips_an_outlier_that_costs_less_than_coarse_levels() -> None:
    """By hand: 999 values in [-1, 1] and one at 3. Levels of 6/255 against 2/255."""
    values = np.concatenate([np.linspace(-1, 1, 9999), [3.0]])
    chosen = mse(values, Range(-3.0, 3.0), 255)
    assert 1.0 <= chosen.maximum < 3.0
    assert chosen.minimum == -chosen.maximum


def test_least_squares_keeps_a_range_that_is_used_evenly() -> None:
    assert mse(np.linspace(-1, 1, 10_000), Range(-1.0, 1.0), 255).maximum > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_no_method_leaves_what_was_observed(
    float_tflite: bytes, data: np.ndarray, method: str
) -> None:
    calibration = calibrate(float_tflite, data, method)
    assert calibration.method == method
    assert calibration.observations is not None
    for tie in calibration.observations.ties:
        seen = [calibration.observed[name] for name in tie]
        low, high = min(0, *(r.minimum for r in seen)), max(0, *(r.maximum for r in seen))
        for chosen in (calibration.ranges[name] for name in tie):
            assert low <= chosen.minimum <= 0 <= chosen.maximum <= high


def test_minmax_is_what_was_observed(float_tflite: bytes, data: np.ndarray) -> None:
    calibration = calibrate(float_tflite, data, "minmax")
    assert calibration.ranges["x"] == calibration.observed["x"]


def test_an_unknown_method_is_answered_with_the_known_ones(
    float_tflite: bytes, data: np.ndarray
) -> None:
    with pytest.raises(UnspoolError, match="'magic': expected minmax, percentile, mse"):
        calibrate(float_tflite, data, "magic")


def test_a_quantized_file_is_refused(int8_tflite: bytes, data: np.ndarray) -> None:
    with pytest.raises(UnspoolError, match="quantized already"):
        calibrate(int8_tflite, data)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((3, 5, 5)), r"shape \(3, 5, 5\), expected \(samples, 6, 5\)"),
        (np.zeros((0, 6, 5)), "zero samples"),
        (np.full((2, 6, 5), np.nan), "60 of 60 values .* NaN"),
        (np.full((2, 6, 5), np.inf), "NaN or infinite"),
        (np.full((2, 6, 5), "a"), "expected numbers"),
        ({"y": np.zeros((2, 6, 5)), "z": np.zeros((2, 6, 5))}, "named y, z, expected x"),
        ([np.zeros((2, 6, 5))] * 2, "has 2 arrays, but the model has 1 input: x"),
    ],
)
def test_data_that_does_not_fit_says_what_does(float_tflite: bytes, bad: Any, message: str) -> None:
    with pytest.raises(UnspoolError, match=f"calibration data: .*{message}"):
        calibrate(float_tflite, bad)


def test_a_model_that_overflows_on_a_sample_is_told_with_the_sample() -> None:
    x = keras.Input((60, 4), name="x")
    model = keras.Model(x, keras.layers.SimpleRNN(8, activation="relu", name="rnn")(x))
    model.set_weights([10 * np.ones(w.shape) for w in model.get_weights()])
    data = np.zeros((30, 60, 4))
    data[2] = 1.0
    message = (
        r"calibration data, run \d+: the trained model computes NaN or infinity \(first in 'rnn"
    )
    with pytest.raises(UnspoolError, match=message) as refused:
        calibrate(convert(unroll(model)), data)
    assert "\n" not in str(refused.value)
