"""Examples that stream sound: quick forms that run, and what they make and count."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import detecting
import keyword_spotter
import noise_suppressor
import numpy as np
import pytest
import sounds
import trigger_word
import words
from commands import here
from conftest import computing_at_once
from sounds import RATE
from words import TESTED, TRAINED, Scene, Word

from unspool import UnspoolError
from unspool.support._tensorflow import keras

needs_speech = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng speaks")


@pytest.fixture
def at_once() -> Iterator[None]:
    with computing_at_once():
        yield


@needs_speech
@pytest.mark.parametrize(
    ("example", "inputs", "calls"),
    [
        # two scenes of 4 s, 40 ms a call
        pytest.param(
            *(keyword_spotter, ["bands", "spectral/rows_in", "temporal/rows_in", "gru/h_in"], 200),
            marks=pytest.mark.slow,
        ),
        # two mixtures of a second, 10 ms a call
        (
            noise_suppressor,
            ["bands", "conv1/rows_in", "conv2/rows_in", "gru1/h_in", "gru2/h_in", "gru3/h_in"],
            2 * 100,
        ),
        # two scenes of 2 s, 100 ms a call
        pytest.param(
            *(trigger_word, ["spectrogram", "conv/rows_in", "gru1/h_in", "gru2/h_in"], 2 * 20),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda given: given.__name__ if isinstance(given, ModuleType) else "",
)
def test_a_quick_form_runs(
    at_once: None, example: Any, inputs: list[str], calls: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = here(example.__name__, example.main, "--quick", "--out", out)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr and "WARNING" not in run.stderr
    assert f"calls with TFLM's bytes: {calls} of {calls} (simulated)" in run.stdout
    assert "Operators on the CPU: 0 " in run.stdout
    assert re.search(r"cycles a second: [1-9][\d,]+ \(estimated\)", run.stdout)
    report = json.loads((out / "report.json").read_text())
    assert sorted(port["name"] for port in report["model"]["inputs"]) == sorted(inputs)
    assert list((out / "firmware").glob("*_io.c"))
    (picture,) = out.glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_espeak_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UnspoolError, match="espeak-ng, which speaks, is not installed"):
        sounds.check_speaker()


def test_nobody_and_no_other_word_is_trained_on_and_tested() -> None:
    assert set(TRAINED.accents).isdisjoint(TESTED.accents)
    assert set(TRAINED.variants).isdisjoint(TESTED.variants)
    assert set(words.OTHERS).isdisjoint(words.TEST_OTHERS)
    others = {*words.OTHERS, *words.TEST_OTHERS}
    assert others.isdisjoint((*keyword_spotter.WORDS, trigger_word.WORD))
    sentences = noise_suppressor.TRAINED_SENTENCES
    assert set(sentences).isdisjoint(noise_suppressor.TESTED_SENTENCES)


@needs_speech
@pytest.mark.parametrize("voices", [TRAINED, TESTED], ids=["trained", "tested"])
def test_each_voice_is_one_of_its_own(voices: words.Voices) -> None:
    """espeak-ng speaks with another one where it does not know a voice or a variant."""
    names = [f"{accent}+{variant}" for accent in voices.accents for variant in voices.variants]
    assert len({sounds.speak("right", name, 150).tobytes() for name in names}) == len(names)


@needs_speech
def test_a_scene_knows_where_its_words_are() -> None:
    made = words.scene(6, ("stop", "left"), ("water",), TRAINED, np.random.default_rng(1), share=1)
    assert len(made.sound) == 6 * RATE and len(made.words) >= 3
    spoken = np.zeros(len(made.sound), bool)
    for word in made.words:
        spoken[round(word.start * RATE) : round(word.end * RATE)] = True
    assert not made.sound[~spoken].any()
    assert 0.15 <= np.abs(made.sound).max() <= 0.9


def scene_of(*said: Word) -> Scene:
    """A minute in which words are said; they need not be heard here."""
    return Scene(np.zeros(60 * RATE, np.float32), said)


def test_labels_follow_a_word() -> None:
    """At 10 steps a second, 0.3 s from the end at 1.0 s are the steps 10, 11 and 12."""
    scene = scene_of(Word("stop", 0.5, 1.0), Word("water", 1.5, 1.8))
    labels = scene.labels(["left", "stop"], 20, 10, 0.3)
    assert labels.tolist() == [0] * 10 + [2, 2, 2] + [0] * 7


def test_a_word_is_detected_once_and_what_is_none_is_a_false_alarm() -> None:
    """Four peaks of 0.3 s at 10 steps a second: two in a word's time, one wrong, one too late."""
    keywords = ("stop", "left")
    scene = scene_of(Word("stop", 1.0, 2.0), Word("left", 10.0, 10.5), Word("left", 30.0, 30.5))
    given = np.zeros((1, 600, 2))
    for start, keyword in ((15, 0), (24, 0), (106, 0), (313, 1)):
        given[0, start : start + 3, keyword] = 1
    assert [time for time, _ in detecting.detections(given[0], 10, 0.5)] == [1.6, 2.5, 10.7, 31.4]
    score = detecting.score(keywords, [scene], given, 10, 0.5)
    assert (score.said, score.detected) == ({"stop": 1, "left": 2}, {"stop": 1})
    assert score.alarms == {"stop": 1, "left": 2}
    assert str(score).endswith("1 of 3 words detected, 33.3 %; 3 false alarms, 180 an hour")


def test_the_threshold_is_where_most_is_right() -> None:
    """A word at 0.8, and noise at 0.6 that a lower threshold would take for one."""
    given = np.full((1, 600, 1), 0.1)
    given[0, 20:23], given[0, 400:403] = 0.8, 0.6
    scene = scene_of(Word("stop", 1.5, 2.0))
    threshold = detecting.best_threshold(["stop"], [scene], given, 10)
    assert 0.6 <= threshold < 0.8


def test_what_is_trained_with_valid_windows_is_the_same_in_causal_ones() -> None:
    data = np.random.default_rng(0).normal(0, 1, (2, 12, noise_suppressor.BANDS))
    keras.utils.set_random_seed(0)
    valid, causal = (
        noise_suppressor.build(noise_suppressor.QUICK, data, padding)
        for padding in ("valid", "causal")
    )
    causal.set_weights(valid.get_weights())
    # GRUs begin at another frame, so what is compared is what they are given.
    given = [
        keras.Model(model.input, model.get_layer("conv2").output)(data) for model in (valid, causal)
    ]
    np.testing.assert_allclose(given[0], given[1][:, noise_suppressor.LATE :], atol=1e-6)


def test_gains_of_one_give_the_sound_back() -> None:
    """But for the mean, which has no band, and the last frame, which a next one would complete."""
    sound = np.sin(0.3 * np.arange(3200)) + np.sin(2.1 * np.arange(3200))
    given = noise_suppressor.suppressed(sound, np.ones((20, noise_suppressor.BANDS)))
    np.testing.assert_allclose(given[:-160], sound[:-160], atol=0.02)


def test_si_sdr_is_that_of_the_noise_whatever_the_loudness() -> None:
    """Noise at a tenth of the amplitude, in places where the sound is 0: 20 dB."""
    clean, distortion = np.tile([1.0, 0.0], 50), np.tile([0.0, 0.1], 50)
    assert noise_suppressor.si_sdr(3 * (clean + distortion), clean) == pytest.approx(20)


@pytest.mark.parametrize("decibels", [-5, 15])
def test_noise_is_as_loud_as_it_is_to_be(decibels: float) -> None:
    sound = np.concatenate([np.zeros(RATE), 0.2 * np.sin(0.1 * np.arange(RATE))])
    added = sounds.noisy(sound, decibels, np.random.default_rng(0)) - sound
    ratio = 10 * np.log10((sound[RATE + 1 :] ** 2).mean() / (added**2).mean())
    assert ratio == pytest.approx(decibels, abs=0.1)
