"""Networks as people publish them: those of the zoo that take seconds; `make zoo` runs all."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from zoo import ZOO, Architecture, trained
from zoo.measure import deployed, in_keras, judged, ordered, said
from zoo.page import recorded

from unspool import inspect
from unspool.deployed import Deployment
from unspool.runtime import prediction
from unspool.runtime.quality import MOST_ERROR
from unspool.unrolling.stream_checks import smallest_chunk

AS_A_CASE = (
    *("noise-suppression-rnnoise", "sentences-lstm-64-with-attention"),
    *("intensive-care-gru-simple", "activity-cnn-lstm-100"),
)
"""What `cases` has, smaller, in every run."""

QUICK = [
    pytest.param(entry, id=entry.slug, marks=[pytest.mark.slow] * (entry.slug in AS_A_CASE))
    for entry in ZOO
    if entry.quick
]


def shortly(entry: Architecture) -> Architecture:
    """The same network, with fewer samples and epochs."""
    return replace(entry, samples=320, epochs=2, tested=40, calibration=40)


def test_the_zoo_is_large_and_says_where_each_comes_from() -> None:
    assert len(ZOO) >= 40
    assert len({entry.slug for entry in ZOO}) == len(ZOO)
    for entry in ZOO:
        assert re.match(r"https://\S+\.\S+/\S+$", entry.source), entry.name
        assert entry.note, entry.name


def test_the_zoo_has_the_networks_that_the_guide_is_measured_with() -> None:
    names = {entry.name for entry in ZOO}
    assert names >= {
        "remaining flights, LSTM(100) and LSTM(50)",
        "activity, two LSTM(64)",
        "heartbeat, two BiLSTM(32)",
    }


@pytest.mark.parametrize("entry", QUICK)
def test_a_network_of_the_zoo_goes_to_the_npu_and_loses_nothing_unsaid(
    entry: Architecture,
) -> None:
    entry = shortly(entry)
    model = trained(entry)
    foretold = inspected(entry, model)
    done = deployed(entry, model)
    assert foretold == ("cpu" if done.compiled.cpu_operators else "npu")
    quality = done.measured.quality
    assert quality is not None
    assert not done.measured.not_measured
    assert entry.allow_cpu or not done.compiled.cpu_operators
    simulation = done.simulation
    assert (simulation.equal, simulation.samples) == (entry.calibration, entry.calibration)
    assert quality.is_poor == bool(said(done))
    if quality.values and not entry.states:
        assert quality.is_poor or fresh_error(entry, model, done) <= MOST_ERROR


@pytest.mark.slow
@pytest.mark.parametrize("entry", ZOO, ids=lambda entry: entry.slug)
def test_inspect_says_of_each_network_what_became_of_it(entry: Architecture) -> None:
    """What became of it is in docs/zoo.md: to deploy them all takes an hour."""
    became = recorded()[entry.slug]
    expected = "refused" if became is None else "cpu" if became.cpu_operators else "npu"
    assert inspected(entry, entry.build()) == expected


def test_the_page_has_every_network_of_the_zoo() -> None:
    assert list(recorded()) == [entry.slug for entry in ZOO]


def inspected(entry: Architecture, model: Any) -> str:
    """Where a network would run before anything is deployed: "npu", "cpu" (a part), "refused"."""
    actions = {verdict.action for verdict in inspect(model, time_steps=entry.time_steps)}
    if "refuse" in actions or (entry.states and not smallest_chunk(model)):
        return "refused"
    return "cpu" if "cpu" in actions else "npu"


def fresh_error(entry: Architecture, model: Any, done: Deployment) -> float:
    """Percent of a column's range that the worst column errs on samples that are new."""
    data, targets = entry.data(np.random.default_rng(3), entry.tested)
    arrays = ordered(model, data)
    outputs = prediction.predict(done.quantized_tflite, arrays, "tflm")
    rows = judged(entry, targets, in_keras(model, arrays), outputs)
    errors: list[float] = [row["error_percent"] for row in rows]
    return max(errors)
