"""Networks in parts, quantized: TFLM, the simulator, and the same parts in one call decide."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import worst_mean
from hypothesis import given, settings
from hypothesis import strategies as st
from repeated_ranges import repeated

import unspool
from unspool import DeploymentInParts, Options, Session, UnspoolError, npu
from unspool.frontend.structure import predict
from unspool.parts.cutting import Cut, cut
from unspool.quantization.quantizer import quantize
from unspool.remedies.remedy import possible
from unspool.report.commands import Request
from unspool.report.making import of_parts
from unspool.runtime.linked import given_by, taken
from unspool.support._tensorflow import keras
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_model import unroll_calls

L = keras.layers
QUICK = Options(remedy_seconds=0)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(6).normal(0, 1, shape).astype(np.float32)


def deployed(model: Any, data: Any, steps: int, options: Options = QUICK) -> DeploymentInParts:
    return unspool.deploy_in_parts(model, data, steps_per_call=steps, options=options)


def classifier(steps: int, merge: str = "concat") -> Any:
    keras.utils.set_random_seed(2)
    x = keras.Input((steps, 5), name="x")
    y = L.Bidirectional(L.GRU(6, return_sequences=True), merge_mode=merge)(x)
    return keras.Model(x, L.Dense(4, "softmax")(L.Bidirectional(L.LSTM(5))(y)))


def is_good(done: DeploymentInParts, samples: int) -> None:
    """All on the NPU, with TFLM's bytes, and near the trained model."""
    measured = done.measured
    assert done.compiled.cpu_operators == ()
    assert (measured.simulation.samples, measured.simulation.equal) == (samples, samples)
    assert measured.quality is not None
    assert max(column.mean for column in measured.quality.columns) < 3
    assert measured.not_measured == ()


def test_two_bidirectional_layers_of_ninety_steps() -> None:
    done = deployed(classifier(90), normal(30, 90, 5), 15)
    is_good(done, 30)
    assert [part.compiled.calls for part in done.compiled.parts] == [6, 6]
    assert done.compiled.calls == 12


@pytest.mark.slow  # the command's test has a smaller one
def test_weights_that_repeat_are_advised_to_be_kept_and_take_what_was_said() -> None:
    model, data = classifier(90), normal(30, 90, 5)
    request = Request("", "out", again="unspool deploy m.keras --steps-per-call 15")
    done = deployed(model, data, 15)
    (advice,) = of_parts(done, {}, request).advice
    assert advice.command == f"{request.again} --resident-weights"
    sram_kib = float(advice.text.partition(" KiB of SRAM in all")[0].rpartition(" ")[2])
    kept = deployed(model, data, 15, Options(remedy_seconds=0, resident_weights=math.inf))
    assert kept.resident and kept.resident.cycles
    assert kept.resident.sram_kib <= sram_kib + 0.1
    assert kept.resident.cycles < done.compiled.cycles
    assert not of_parts(kept, {}, request).advice


def test_a_decoder_begins_with_the_states_of_an_encoder() -> None:
    """Of 120 steps, which a loop each reads in 12 calls."""
    keras.utils.set_random_seed(2)
    x, before = keras.Input((120, 5), name="x"), keras.Input((120, 3), name="before")
    _, *states = L.LSTM(12, return_state=True, name="encoder")(x)
    y = L.LSTM(12, return_sequences=True, name="decoder")(before, initial_state=states)
    model = keras.Model([x, before], L.Dense(2)(y))
    data = [normal(24, 120, 5), normal(24, 120, 3)]
    done = deployed(model, data, 10)
    is_good(done, 24)
    assert [(part.compiled.calls, part.steps_per_call) for part in done.compiled.parts] == [
        (12, 10),
        (12, 10),
    ]
    fed = [*data[:1], np.roll(data[1], 1, axis=0)]  # whose decoders begin with other states
    chain = done.chain
    for got, wanted in zip(chain.run("tflm", fed), chain.run("keras", fed), strict=True):
        assert np.abs(got - wanted).mean() < 0.03 * np.ptp(wanted)


def test_int16() -> None:
    done = deployed(
        classifier(24, "sum"), normal(20, 24, 5), 8, Options(remedy_seconds=0, activations="int16")
    )
    is_good(done, 20)
    assert done.measured.quality is not None
    assert max(column.mean for column in done.measured.quality.columns) < 0.3


def test_a_normalization_in_front_is_done_where_the_input_is_quantized() -> None:
    x = keras.Input((24, 3), name="x")
    raw = L.Normalization(mean=[1.0, 20.0, 300.0], variance=[1.0, 4.0, 900.0])(x)
    model = keras.Model(x, L.Dense(2)(L.Bidirectional(L.GRU(4))(raw)))
    data = (normal(20, 24, 3) * [1, 2, 30] + [1, 20, 300]).astype(np.float32)
    done = deployed(model, data, 6)
    is_good(done, 20)
    far = unspool.deploy_in_parts(
        *(model, data),
        steps_per_call=6,
        test=(data * 9, np.zeros((20, 2), np.float32)),
        options=QUICK,
    )
    assert [(outside.input, outside.samples) for outside in far.measured.outside] == [("x", 20)]


def test_time_steps_behind_channels_come_first() -> None:
    """As PyTorch's models have them."""
    x = keras.Input((5, 24), name="x")
    y = L.Bidirectional(L.GRU(4))(L.Permute((2, 1))(x))
    with pytest.warns(unspool.UnspoolWarning, match=r"'x': its time steps come first, \(24, 5\)"):
        done = deployed(keras.Model(x, L.Dense(2)(y)), normal(20, 5, 24), 6)
    is_good(done, 20)


def test_an_open_length_and_a_loop_of_another_length() -> None:
    x = keras.Input((None, 5), name="x")
    y = L.Conv1D(6, 4)(x)  # 33 steps of 36
    model = keras.Model(x, L.Dense(3)(L.Bidirectional(L.GRU(5))(y)))
    data = normal(20, 36, 5)
    done = unspool.deploy_in_parts(model, data, steps_per_call=12, time_steps=36, options=QUICK)
    is_good(done, 20)
    assert [part.steps_per_call for part in done.compiled.parts] == [None, 11]


def test_accuracies_are_of_the_whole_network() -> None:
    model, data = classifier(24), normal(40, 24, 5)
    labels = model.predict(data, verbose=0).argmax(1)
    done = unspool.deploy_in_parts(
        *(model, data[:20]), steps_per_call=8, test=(data, labels), options=QUICK
    )
    by_runtime = {each.runtime: each.percent for each in done.measured.accuracies}
    assert by_runtime["keras"] == 100
    assert by_runtime["tflm"] == by_runtime["npu"] >= 90
    assert set(by_runtime) == {"keras", "litert", "tflm", "npu"}


def test_what_helps_against_an_error_is_tried_and_helps_when_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Acceleration beside air pressure, 40 steps: all levels are the pressure's."""
    x = normal(20, 40, 3) * [1, 1, 20] + [0, 0, 101_325]
    mean, deviation = x.mean((0, 1)), x.std((0, 1))
    keras.utils.set_random_seed(2)
    given_ = keras.Input((40, 3), name="x")
    layer = L.Bidirectional(L.GRU(6, reset_after=False, return_sequences=True))
    model = keras.Model(given_, L.Dense(4, "softmax")(L.Bidirectional(L.LSTM(5))(layer(given_))))
    raw = []
    for kernel, recurrent, bias in (layer.get_weights()[:3], layer.get_weights()[3:]):
        raw += [kernel / deviation[:, None], recurrent, bias - (mean / deviation) @ kernel]
    layer.set_weights(raw)
    monkeypatch.setattr(
        "unspool.parts.remedies.possible", lambda *given, **more: possible(*given, **more)[:2]
    )
    with pytest.warns(UserWarning, match="fewer than 16 of its 256 levels"):
        done = deployed(model, x.astype(np.float32), 8, Options())
    assert worst_mean(done.measured.quality) > 2
    scales, wider = done.remedies
    assert (scales.choice, wider.choice) == (("feature_scales", ""), ("activations", "int16"))
    assert worst_mean(scales.quality) < 2
    assert wider.cycles and wider.sram_kib and not wider.on_cpu
    request = Request("", "out", again="unspool deploy m.keras --steps-per-call 8")
    advice = of_parts(done, {}, request).advice
    assert f"{request.again} --feature-scales" in [each.command for each in advice]
    followed = deployed(model, x.astype(np.float32), 8, Options(feature_scales=True))
    assert worst_mean(followed.measured.quality) == worst_mean(scales.quality)
    assert followed.remedies == ()


PARTS: dict[str, Any] = {
    "cells": st.lists(st.sampled_from(["GRU", "LSTM", "SimpleRNN"]), min_size=1, max_size=2),
    "merge": st.sampled_from(["concat", "sum"]),
    "ways": st.lists(st.sampled_from(["both", "forward", "backward"]), min_size=2, max_size=2),
    "calls": st.integers(2, 5),
    "per_call": st.integers(2, 6),
    "in_time": st.booleans(),
    "activations": st.sampled_from(["int8", "int16"]),
    "begins": st.booleans(),
    "seed": st.integers(0, 9),
}
"""What is drawn for each network."""


def calls_give_the_bytes_of_one_call_of_all_steps(
    cells: list[str],
    merge: str,
    ways: list[str],
    calls: int,
    per_call: int,
    in_time: bool,
    activations: str,
    begins: bool,
    seed: int,
) -> None:
    """Of each part, with the ranges of a call in each as many steps; what goes in is stored."""
    keras.utils.set_random_seed(seed)
    steps = calls * per_call
    x = h = keras.Input((steps, 3), name="x")
    for number, (cell, way) in enumerate(zip(cells, ways, strict=False)):
        sequence = in_time or number + 1 < len(cells)
        layer = getattr(L, cell)(4, return_sequences=sequence, go_backwards=way == "backward")
        states = (1 + (cell == "LSTM")) * (1 + (way == "both")) * begins
        first = [L.Dense(4, "tanh")(L.GlobalAveragePooling1D()(x)) for _ in range(states)]
        called = L.Bidirectional(layer, merge_mode=merge) if way == "both" else layer
        h = called(h, initial_state=first or None)
    made = cut(keras.Model(x, L.Dense(2)(h)))
    gives_the_same_bytes(made, steps, per_call, activations)


@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_calls_give_the_bytes_of_one_call_of_all_steps(count: int) -> None:
    settings(max_examples=count)(given(**PARTS)(calls_give_the_bytes_of_one_call_of_all_steps))()


def gives_the_same_bytes(made: Cut, steps: int, per_call: int, activations: str) -> None:
    values = {"x": normal(8, steps, 3)}
    for part in made.parts:
        read = taken(part.inputs, values)
        if not part.is_loop:
            values |= given_by(part.outputs, predict(part.model, read, 8))
            continue
        piece = convert(unroll_calls(part.model, per_call))
        whole = convert(unroll_calls(part.model, steps))
        ranges = unspool.calibrate(piece, read, activations=activations).ranges
        at_once = quantize(whole, repeated(piece, ranges, whole, per_call), activations)
        wanted = Session(at_once, "tflm").predict(read)
        outputs = Session(quantize(piece, ranges, activations), "tflm").predict(read)
        for got, each in zip(outputs, wanted, strict=True):
            np.testing.assert_array_equal(got, each)
        values |= given_by(part.outputs, outputs)


def test_a_layer_that_is_tried_step_by_step_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    x = keras.Input((24, 5), name="x")
    y = L.GRU(4, return_sequences=True)(x)
    shares = L.Softmax(axis=1)(L.Dense(1)(y))
    model = keras.Model(x, L.Flatten()(L.Dot(axes=1)([shares, y])))
    recwarn.clear()
    assert len(cut(model).parts) == 2
    assert [str(each.message) for each in recwarn] == []


def test_weights_that_are_kept_in_the_sram_of_the_npu_count_there() -> None:
    """Where the arena lies in DRAM, the copies lie in what the NPU has to itself."""
    options = replace(
        QUICK,
        resident_weights=math.inf,
        target=unspool.target("ethos-u65-512", "Ethos_U65_High_End", "Dedicated_Sram"),
    )
    x = keras.Input((36, 12), name="x")  # of smaller kernels, Vela makes copies itself
    y = L.Bidirectional(L.GRU(24, return_sequences=True))(x)
    model = keras.Model(x, L.Dense(4)(L.Bidirectional(L.GRU(32))(y)))
    done = deployed(model, normal(20, 36, 12), 12, options)
    assert done.resident is not None and not done.resident.reason
    fast = [npu.load(part.binary.compiled.tflite).fast_size or 0 for part in done.chain.parts]
    assert done.compiled.sram_kib == max(fast) / 1024 + done.compiled.handed_on_kib
    assert done.resident.sram_kib == done.compiled.sram_kib > done.resident.kept_kib


def test_states_that_the_model_takes_itself_are_refused() -> None:
    options = Options(fed_back={"a": "b"})
    with pytest.raises(UnspoolError, match="states that the model takes and gives itself"):
        deployed(classifier(24), normal(20, 24, 5), 8, options)


def test_a_network_without_any_loop_is_refused() -> None:
    """One value for two states, which each call would change."""
    x, state = keras.Input((24, 5), name="x"), keras.Input((4,), name="state")
    model = keras.Model([x, state], L.LSTM(4)(x, initial_state=[state, state]), name="given")
    line = "model 'given': no recurrent layer of it can be called several times for a sequence"
    with pytest.raises(UnspoolError, match=line):
        deployed(model, [normal(20, 24, 5), normal(20, 4)], 8)


def test_samples_of_another_length_are_refused_before_work() -> None:
    with pytest.raises(UnspoolError, match=r"\(20, 23, 5\), expected \(samples, 24, 5\)"):
        deployed(classifier(24), normal(20, 23, 5), 8)
