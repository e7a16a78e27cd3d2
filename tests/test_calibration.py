"""Ranges: by hand where the tensor is known, tied over the steps, never empty."""

import numpy as np
import pytest

from unspool import flatbuffer
from unspool._tensorflow import keras
from unspool.calibration import calibrate
from unspool.conversion import convert
from unspool.errors import UnspoolError
from unspool.ranges import METHODS, Range, mse, roles, tie, usable
from unspool.unrolling import unroll


def test_an_inputs_range_is_its_datas(calibration, data):
    assert calibration.samples == 40
    assert calibration.observed["x"].minimum == pytest.approx(data.min())
    assert calibration.observed["x"].maximum == pytest.approx(data.max())


def test_a_states_range_is_that_of_keras(calibration, data, model):
    """The last step's `h` is the GRU layer's output, which Keras can say."""
    h = keras.Model(model.inputs, model.get_layer("gru").output).predict(data, verbose=0)
    observed = calibration.observed["gru/step_005/h"]
    assert (observed.minimum, observed.maximum) == pytest.approx((h.min(), h.max()), abs=1e-6)


def test_ranges_are_tied_over_the_steps(calibration):
    for name in ("h", "zr", "c"):
        ranges = {calibration.ranges[f"gru/step_{step:03d}/{name}"] for step in range(6)}
        assert len(ranges) == 1


def test_a_role_is_a_name_without_the_step(float_tflite):
    found = roles(flatbuffer.read(float_tflite))
    assert found["gru/step_003/h"] == found["gru/step_005/h"] == "gru/step/h"
    assert found["x"] == "x"


def test_an_output_of_the_graph_that_is_a_state_has_the_states_role():
    """The signature's name takes the place of `gru/step_003/h`; the tie must not be lost."""
    x = keras.Input((4, 3), name="x")
    model = keras.Model(x, keras.layers.GRU(5, name="gru")(x))
    found = roles(flatbuffer.read(convert(unroll(model))))
    assert found["gru"] == found["gru/step_001/h"] == "gru/step/h"


def test_a_tie_holds_all_observations_and_zero():
    names = {"l/step_000/h": "l/step/h", "l/step_001/h": "l/step/h", "m/step_000/h": "m/step/h"}
    tied = tie(
        {
            "l/step_000/h": Range(0.5, 1.0),
            "l/step_001/h": Range(0.25, 3.0),
            "m/step_000/h": Range(-2.0, -1.0),
        },
        names,
    )
    assert tied == {"l/step/h": Range(0.0, 3.0), "m/step/h": Range(-2.0, 0.0)}


def test_a_tensor_that_is_constant_over_the_data_gets_a_usable_range():
    assert usable(Range(0.0, 0.0)) == usable(Range(-1e-9, 1e-9)) == Range(-1.0, 1.0)
    assert usable(Range(0.0, 5.0)) == Range(0.0, 5.0)


def test_least_squares_clips_an_outlier_that_costs_less_than_coarse_levels():
    """By hand: 999 values in [-1, 1] and one at 3. Levels of 6/255 against 2/255."""
    values = np.concatenate([np.linspace(-1, 1, 9999), [3.0]])
    chosen = mse(values, Range(-3.0, 3.0))
    assert 1.0 <= chosen.maximum < 3.0
    assert chosen.minimum == -chosen.maximum


def test_least_squares_keeps_a_range_that_is_used_evenly():
    assert mse(np.linspace(-1, 1, 10_000), Range(-1.0, 1.0)).maximum > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_no_method_leaves_what_was_observed(float_tflite, data, method):
    found = calibrate(float_tflite, data, method)
    assert found.method == method
    tied = tie(found.observed, found.roles)
    for name, chosen in found.ranges.items():
        whole = usable(tied[found.roles[name]])
        assert whole.minimum <= chosen.minimum <= 0 <= chosen.maximum <= whole.maximum


def test_minmax_is_what_was_observed(float_tflite, data):
    found = calibrate(float_tflite, data, "minmax")
    assert found.ranges["x"] == found.observed["x"]


def test_an_unknown_method_is_answered_with_the_known_ones(float_tflite, data):
    with pytest.raises(UnspoolError, match="'magic': expected minmax, percentile, mse"):
        calibrate(float_tflite, data, "magic")


def test_a_quantized_file_is_refused(int8_tflite, data):
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
def test_data_that_does_not_fit_says_what_does(float_tflite, bad, message):
    with pytest.raises(UnspoolError, match=f"calibration data: .*{message}"):
        calibrate(float_tflite, bad)
