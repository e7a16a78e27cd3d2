"""Whatever an int8 network loses, its user is told of: before work, in the verdict, with a cure."""

import subprocess
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import worst_mean
from versions import OLD_KERAS

from unspool import Options, UnspoolError, UnspoolWarning, deploy, stages, target
from unspool.quantization.concerns import concerns
from unspool.remedies import fine_tuning_trial, trying
from unspool.report.commands import Request
from unspool.report.making import of_deployment
from unspool.report.report import Report
from unspool.support._tensorflow import keras
from unspool.support.samples import OpenInput

L = keras.layers
X = OpenInput("x", (None, 20, 3), "float32")


def normal(
    count: int = 50,
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0),
    around: tuple[float, float, float] = (0.0, 0.0, 0.0),
    steps: int = 20,
) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(count, steps, 3))
    scaled: np.ndarray = values * scale + around
    return scaled.astype(np.float32)


def with_outlier() -> np.ndarray:
    x = normal()
    x[7, 3, 1] = 10_000
    return x


CONCERNS: dict[str, tuple[np.ndarray, list[str]]] = {
    "one sample": (normal(1), ["1 sample; ranges are taken from what they show"]),
    "nineteen": (normal(19), ["19 samples;"]),
    "zeros": (np.zeros((50, 20, 3), np.float32), ["input 'x' is 0 in all samples"]),
    "a reading 10,000 times too large": (
        with_outlier(),
        ["sample 7 of input 'x' reaches 10000, ", "features 0, 2 of input 'x' have fewer"],
    ),
    "a constant feature": (
        normal(scale=(1, 0, 1), around=(0, 0.5, 0)),
        ["feature 1 of input 'x' does not vary (0.5 in all samples)"],
    ),
    "features of other sizes": (
        normal(scale=(1, 100, 0.01)),
        ["features 0, 2 of input 'x' have fewer than 16 of its 256 levels"],
    ),
    "a feature far from 0": (
        normal(around=(0, 1013, 0)),
        ["features 0, 1, 2 of input 'x' have fewer than 16"],
    ),
    "good data": (normal(), []),
}


@pytest.mark.parametrize(("data", "expected"), CONCERNS.values(), ids=CONCERNS)
def test_calibration_data_is_looked_at_before_work(data: np.ndarray, expected: list[str]) -> None:
    texts = concerns([data], [X])
    assert len(texts) == len(expected)
    for text, part in zip(texts, expected, strict=True):
        assert text.startswith("calibration data: ")
        assert part in text


def regression(
    kernel: list[float], bias: list[float], units: int = 16, steps: int | None = 20
) -> Any:
    """A GRU whose Dense head is given, so that its outputs are what a test is about."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((steps, 3), name="x"), L.GRU(units), L.Dense(len(bias), name="y")]
    )
    weights = np.tile(np.asarray(kernel), (units, 1)) * model.layers[-1].get_weights()[0]
    model.layers[-1].set_weights([weights, np.array(bias)])
    return model


def reported(model: Any, **options: Any) -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnspoolWarning)
        x = normal(steps=model.input_shape[1])
        done = deploy(model, x, options=Options(**options))
    request = Request("model_int8.tflite", "out", "model.keras", "unspool deploy model.keras")
    return of_deployment(done, {}, request)


def test_a_target_around_a_large_constant_is_named_with_its_cure() -> None:
    report = reported(regression([1.0], [500.0]), remedy_seconds=0)
    first = report.verdict[0]
    assert first.state == "bad"
    assert first.text.startswith("Output 'y' errs by ")
    assert "far from 0, which every range holds" in first.text
    assert "normalised target" in first.text


def test_a_small_column_beside_a_large_one_is_named_with_its_cure() -> None:
    report = reported(regression([100.0, 0.1, 0.1], [0.0, 0.0, 0.0]), remedy_seconds=0)
    texts = [check.text for check in report.verdict if check.state == "bad"]
    assert texts[0].startswith(("Column 1 of output 'y'", "Column 2 of output 'y'"))
    assert "column 0 of the same output reaches from" in texts[0]
    assert "split the head" in texts[0]


def test_rows_too_unlike_to_be_normalised_are_named_with_their_cure() -> None:
    keras.utils.set_random_seed(2)
    x = keras.Input((20, 3))
    model = keras.Model(x, L.Dense(1, name="y")(L.GRU(8)(L.LayerNormalization()(x))))
    data = normal(150) * 10.0 ** np.random.default_rng(1).uniform(-2, 2, (150, 20, 1))
    report = of_deployment(
        deploy(model, data.astype(np.float32), options=Options(remedy_seconds=0)),
        {},
        Request("model.keras", "out"),
    )
    assert report.verdict[0].text.startswith("Output 'y' errs by ")
    assert "what is normalised for " in report.verdict[0].text
    assert "Bound what is normalised" in report.verdict[0].text


@pytest.fixture(params=["here", pytest.param("in a process", marks=pytest.mark.slow)])
def fine_tuning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a remedy fine-tunes: here it does so for two epochs, not thirty."""
    if request.param == "here":
        monkeypatch.setattr(fine_tuning_trial, "_EPOCHS", 2)
        here = SimpleNamespace(run=_fine_tuned_here, TimeoutExpired=subprocess.TimeoutExpired)
        monkeypatch.setattr(trying, "subprocess", here)


def _fine_tuned_here(command: Sequence[str], **_: object) -> SimpleNamespace:
    fine_tuning_trial.main(Path(command[-1]))
    return SimpleNamespace(returncode=0)


def test_what_helps_was_tried_and_stands_in_the_order_of_its_gain(fine_tuning: None) -> None:
    model = regression([100.0, 0.1], [0.0, 0.0], steps=5)
    report = reported(model, remedy_seconds=1200)
    assert [remedy.name for remedy in report.remedies if remedy.quality is None] == []
    names = [remedy.name for remedy in report.remedies]
    assert names == [
        *("int16 activations", "weights rounded by what layers compute"),
        *("calibration by minmax", "calibration by percentile"),
        "quantization-aware fine-tuning",
    ]
    by_name = dict(zip(names, report.remedies, strict=True))
    assert report.measured is not None
    before = worst_mean(report.measured.quality)
    assert worst_mean(by_name["int16 activations"].quality) < before / 5
    helps = [advice for advice in report.advice if "tried" in advice.text]
    assert helps[0].command == "unspool deploy model.keras --activations int16"
    assert [advice.gain for advice in helps] == sorted((a.gain for a in helps), reverse=True)
    assert all(advice.gain >= 0.1 for advice in helps)
    again = reported(model, activations="int16", remedy_seconds=0)
    assert again.measured is not None
    assert worst_mean(again.measured.quality) == pytest.approx(
        worst_mean(by_name["int16 activations"].quality)
    )


@pytest.mark.slow
@pytest.mark.parametrize("is_open", [True, False])
def test_a_stream_is_fine_tuned_on_whole_sequences(is_open: bool, fine_tuning: None) -> None:
    """Of 8 time steps; a call of the binary takes 2."""
    model = regression([100.0, 0.1], [0.0, 0.0], steps=None if is_open else 8)
    data = normal(steps=8)
    options: dict[str, Any] = {"method": "mse", "activations": "int8", "allow_cpu": True}
    way = stages.stream(2, rounds=3, carry_states=False, **options)
    made, _ = stages.quantized(model, data, way)
    reference = model.predict(data, verbose=0)
    network = trying.Network(model, made, way, target(), [data], [reference])
    tuned = trying.try_remedies(network, 1200)[-1]
    assert (tuned.name, tuned.reason) == ("quantization-aware fine-tuning", "")
    assert tuned.quality is not None


def test_trying_ends_when_the_time_is_over() -> None:
    report = reported(regression([100.0, 0.1], [0.0, 0.0]), remedy_seconds=0.001)
    assert {remedy.reason for remedy in report.remedies[1:]} == {"the 0.001 s for it were over"}


def test_small_errors_are_told_too() -> None:
    report = reported(regression([1.0], [0.0]))
    assert report.remedies == ()
    assert report.verdict[0].state == "good"
    assert "errs by at most " in report.verdict[0].text


BROKEN: dict[str, tuple[Callable[[Any], object], str]] = {
    "NaN weights": (
        lambda m: m.layers[0].set_weights([np.full_like(w, np.nan) for w in m.layers[0].weights]),
        r"weight '.*gru.*/kernel': 144 of 144 values are NaN or infinite",
    ),
    "an infinite one": (
        lambda m: m.layers[1].set_weights([np.full((16, 1), np.inf), np.zeros(1)]),
        r"weight '.*y/kernel': 16 of 16",
    ),
}


@pytest.mark.slow
def test_fine_tuning_is_tried_of_a_model_that_looks_up_ids(fine_tuning: None) -> None:
    """What runs on the CPU was accepted before any remedy is tried."""
    x = keras.Input((4,), dtype="int32")
    model = keras.Model(x, L.Dense(2)(L.GRU(4)(L.Embedding(9, 3)(x))))
    ids = [np.random.default_rng(0).integers(0, 9, (32, 4)).astype(np.int32)]
    way = stages.sequences(allow_cpu=True)
    made, _ = stages.quantized(model, ids, way)
    reference = [model.predict(ids[0], verbose=0)]
    network = trying.Network(model, made, way, target(), ids, reference)
    *_, tuned = trying.try_remedies(network, 1200)
    assert tuned.name == "quantization-aware fine-tuning"
    assert (tuned.reason, tuned.quality is None) == ("", False)


@pytest.mark.parametrize(("breaks", "message"), BROKEN.values(), ids=BROKEN)
def test_weights_that_are_not_numbers_are_refused_by_name(
    breaks: Callable[[Any], object], message: str
) -> None:
    model = regression([1.0], [0.0])
    breaks(model)
    with pytest.raises(UnspoolError, match=message):
        deploy(model, normal())


def unread() -> Any:
    a, b = keras.Input((20, 3), name="a"), keras.Input((20, 3), name="b")
    return keras.Model([a, b], L.Dense(1)(L.GRU(4)(a)))


def classes() -> Any:
    x = keras.Input((20, 3))
    return keras.Model(x, keras.ops.argmax(L.Dense(4, "softmax")(L.GRU(4)(x)), axis=-1))


def marked_classes() -> Any:
    x = keras.Input((20, 3))
    best = keras.ops.argmax(L.Dense(4, "softmax")(L.GRU(4)(x)), axis=-1)
    return keras.Model(x, keras.ops.one_hot(best, 4, dtype="int32"))


def sorted_outputs() -> Any:
    x = keras.Input((20, 3))
    return keras.Model(x, keras.ops.fft2((L.GRU(4)(x)[:, None], L.GRU(4)(x)[:, None]))[0])


REFUSED = {
    "an input that nothing reads": (unread, r"input 'b': no layer reads it"),
    "an output of classes": (
        classes,
        r"output 'argmax\w*': holds int32, but a deployed network gives",
    ),
    "an output made of classes": (
        marked_classes,
        r"output 'one_hot\w*': holds int32, .*; give out what 'argmax\w*' reads, and let firmware",
    ),
    "no form in LiteRT": (sorted_outputs, r"no (LiteRT|int8) form"),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_deployed_is_refused_by_name(build: Callable[[], Any], message: str) -> None:
    if build is unread and OLD_KERAS:
        with pytest.raises(ValueError, match="not connected"):
            build()
        return
    model = build()
    with pytest.raises(UnspoolError, match=message) as refused:
        deploy(model, [normal()] * len(model.inputs))
    assert "\n" not in str(refused.value)
