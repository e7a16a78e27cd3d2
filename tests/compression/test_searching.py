"""The search: the strongest setting that holds the accuracy, whatever happens on the way."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import shared
import slow
from conftest import CLASSES, FEATURES, STEPS, small_model

from unspool import (
    Build,
    Candidate,
    FineTuning,
    Goal,
    KernelSetting,
    Search,
    UnspoolError,
    search,
    target,
)
from unspool.compression import fewer_units, previews
from unspool.compression.previews import shortened
from unspool.compression.space import Evaluation, between, possible, proposed
from unspool.compression.training_data import held_out
from unspool.compression.trials import undecided
from unspool.compression.units import scores
from unspool.deployment import Deployment, Options, deploy, deploy_stream, stream_way_of, way_of
from unspool.errors import UnspoolWarning
from unspool.runtime.evaluation import accuracy
from unspool.stages import Way
from unspool.support._tensorflow import keras
from unspool.unrolling.pieces import STREAM

THOROUGH = FineTuning(epochs=2, batch_size=50)  # of 1,900 samples
QUICK = FineTuning(epochs=2, batch_size=190)
at_once = pytest.mark.usefixtures("computing")
LADDER = tuple(KernelSetting(sparsity / 10, 16) for sparsity in range(3, 10))
SETTINGS = tuple(KernelSetting(sparsity, 4) for sparsity in (0.1, 0.5, 0.98))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which units go matters little here, and is found out without graphs."""
    monkeypatch.setattr(scores, "_DRAWS", 8)


def task(count: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(4).normal(0, 1, (count, STEPS, FEATURES)).astype(np.float32)
    return x, (x[:, :, 0].sum(1) > 0) + 2 * (x[:, :, 1].sum(1) > 0)


@pytest.fixture(scope="session")
def trained() -> Any:
    def make() -> Any:
        model = small_model("simple", units=12)
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(1e-2), loss=loss, metrics=["accuracy"])
        model.fit(*task(2000), epochs=8, batch_size=50, verbose=0)
        return model

    return shared.value("trained to search", make)


def run(trained: Any, folder: Path, samples: int = 200, **options: Any) -> Search:
    options = {"settings": SETTINGS, "fine_tuning": QUICK, "goal": Goal(max_loss=10), **options}
    return search(trained, *task(samples), folder, **options)


@pytest.fixture(scope="session")
def thorough_search(trained: Any) -> Search:
    def fill(folder: Path) -> None:
        outcome = run(trained, folder, samples=2000, fine_tuning=THOROUGH)
        (folder / "found").write_bytes(pickle.dumps(outcome))

    search: Search = pickle.loads((shared.folder("found", fill) / "found").read_bytes())
    return search


def test_what_is_chosen_holds_the_accuracy_and_what_is_smaller_does_not(
    thorough_search: Search,
) -> None:
    # A SimpleRNN with 12 weights of 600 left cannot tell four classes.
    assert thorough_search.trained > 80
    assert thorough_search.samples == 100  # a twentieth
    by_setting = {candidate.setting: candidate for candidate in thorough_search.candidates}
    assert not thorough_search.holds(by_setting[SETTINGS[2]])
    assert thorough_search.chosen == by_setting[SETTINGS[1]]
    assert thorough_search.chosen.flash_kib <= thorough_search.before.flash_kib


def test_the_chosen_model_is_a_keras_file_with_that_accuracy(thorough_search: Search) -> None:
    assert thorough_search.chosen is not None
    model = keras.models.load_model(thorough_search.models[thorough_search.chosen.setting])
    kernel = next(np.array(w) for w in model.weights if w.name == "recurrent_kernel")
    assert (kernel == 0).sum() == 72  # half of 12 x 12


@at_once
def test_a_search_begun_again_tries_nothing_twice(trained: Any, tmp_path: Path) -> None:
    seen: list[int] = []

    def stop(so_far: Search) -> None:
        seen.append(len(so_far.candidates))
        if len(so_far.candidates) == 1 and len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(trained, tmp_path, on_candidate=stop)
    (first,) = tmp_path.glob("*.json")
    before = first.stat().st_mtime_ns
    done = run(trained, tmp_path, on_candidate=stop)
    assert seen[2] == 1, "the finished one is there at once"
    assert first.stat().st_mtime_ns == before
    assert len(done.candidates) == len(list(tmp_path.glob("*.json")))


CALIBRATION = task(60)[0]
ONE: dict[str, Any] = {"settings": SETTINGS[:1], "calibration": CALIBRATION}


@pytest.fixture
def one_tried(
    trained: Any, tmp_path: Path, computing: None, request: pytest.FixtureRequest
) -> Path:
    """The folder of a search in which one setting was tried, which is all that was asked for."""

    def fill(folder: Path) -> None:
        run(trained, folder, **ONE)

    how = request.node.callspec.params["computing"]
    return shutil.copytree(shared.folder(f"one tried {how}", fill), tmp_path / "search")


def test_a_damaged_candidate_is_tried_again_and_that_is_said(trained: Any, one_tried: Path) -> None:
    done = run(trained, one_tried, **ONE)
    model = done.models[SETTINGS[0]]
    described = model.with_suffix(".json")
    content, kept = model.read_bytes(), json.loads(described.read_text())
    no_float = json.dumps(kept | {"value": 10**400})
    damages: dict[Path, list[bytes]] = {
        described: [no_float.encode(), b"[]"],
        model: [b"", content[:200] + b"other" + content[205:]],  # a zip file still
    }
    for path, damaged in [(path, each) for path, every in damages.items() for each in every]:
        path.write_bytes(damaged)
        with pytest.warns(UnspoolWarning, match=f"{model.name} or .* tried again") as messages:
            again = run(trained, one_tried, **ONE)
        assert sum(each.category is UnspoolWarning for each in messages) == 1
        assert again.candidates[0].value == done.candidates[0].value
        assert keras.models.load_model(model)


def test_other_data_or_training_is_another_search(trained: Any, one_tried: Path) -> None:
    run(trained, one_tried, **ONE, fine_tuning=FineTuning(epochs=2, batch_size=95))
    assert len(list(one_tried.glob("*.json"))) == 2


@pytest.mark.slow  # each of its processes imports TensorFlow
def test_candidates_run_in_parallel_and_give_the_same(
    trained: Any, thorough_search: Search, tmp_path: Path
) -> None:
    """In joblib's own processes; a cluster's backend takes their place by `parallel_config`."""
    with joblib.parallel_config(backend="loky", n_jobs=2):
        options: dict[str, Any] = {"samples": 2000, "fine_tuning": THOROUGH, "jobs": None}
        parallel = run(trained, tmp_path, settings=SETTINGS[1:], **options)
    assert parallel.chosen is not None and thorough_search.chosen is not None
    assert parallel.chosen.setting == thorough_search.chosen.setting
    for candidate in parallel.candidates:
        same = next((c for c in thorough_search.candidates if c.setting == candidate.setting), None)
        if same:
            assert candidate.value == pytest.approx(same.value, abs=3)
            assert candidate.flash_kib == pytest.approx(same.flash_kib, rel=0.05)


@at_once
def test_a_setting_that_is_given_twice_is_tried_once(trained: Any, tmp_path: Path) -> None:
    assert len(run(trained, tmp_path, settings=SETTINGS[:1] * 2).candidates) == 1


INT16 = Options(remedy_seconds=0, activations="int16")
CHOSEN = Options(remedy_seconds=0, calibration_method="minmax", feature_scales=True, refine=True)
WAYS: dict[str, tuple[Way, Callable[..., Deployment], Options]] = {
    "sequences": (way_of(None, None, CHOSEN), deploy, CHOSEN),
    "calls": (way_of(None, 3, INT16), partial(deploy, steps_per_call=3), INT16),
    "a stream": (
        stream_way_of(2, STREAM, 6, False, INT16),
        partial(deploy_stream, time_steps=2),
        INT16,
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", WAYS)
def test_candidates_are_measured_as_they_are_deployed(
    trained: Any, one_tried: Path, name: str
) -> None:
    way, deployed, options = WAYS[name]
    outcome = run(trained, one_tried, **ONE, build=Build(way))
    assert len(list(one_tried.glob("*.json"))) == 2, "deployed otherwise it is another search"
    (candidate,) = outcome.candidates
    model = keras.models.load_model(outcome.models[candidate.setting])
    alone = deployed(model, CALIBRATION, options=options)
    assert candidate.cycles == alone.compiled.cycles
    assert candidate.flash_kib == alone.compiled.flash_kib
    held = held_out(200, QUICK.seed)[1]
    x, y = (part[held] for part in task(200))
    assert candidate.value == accuracy(alone.quantized_tflite, x, y).percent


@at_once
@pytest.mark.parametrize("name", slow.unless(["a stream"], ["calls", "a stream"]))
def test_time_steps_behind_channels_are_brought_to_the_front(
    trained: Any, tmp_path: Path, name: str
) -> None:
    """As PyTorch has them; the model that is found has them there still."""
    x = keras.Input((FEATURES, STEPS), name="x")
    model = keras.Model(x, trained(keras.layers.Permute((2, 1))(x)))
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    way, deployed, options = WAYS[name]
    data, labels = task(200)
    behind = data.transpose(0, 2, 1)
    given: dict[str, Any] = {"settings": SETTINGS[:1], "fine_tuning": QUICK, "build": Build(way)}
    outcome = search(model, behind, labels, tmp_path, **given)
    (candidate,) = outcome.candidates
    smaller = keras.models.load_model(outcome.models[candidate.setting])
    assert smaller.input_shape == (None, FEATURES, STEPS)
    train, held = held_out(200, QUICK.seed)
    with pytest.warns(UnspoolWarning, match="its time steps come first"):
        alone = deployed(smaller, behind[train], options=options)
    assert candidate.cycles == alone.compiled.cycles
    assert candidate.value == accuracy(alone.quantized_tflite, data[held], labels[held]).percent


@at_once
def test_one_hot_labels_are_classes_too(trained: Any, tmp_path: Path) -> None:
    x, y = task(100)
    model = keras.models.clone_model(trained)
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    options: dict[str, Any] = {"settings": SETTINGS[:1], "goal": Goal(max_loss=100)}
    outcome = search(model, x, np.eye(CLASSES)[y], tmp_path, fine_tuning=QUICK, **options)
    assert outcome.chosen is not None and outcome.chosen.setting == SETTINGS[0]


@at_once
def test_an_output_in_time_and_a_state_beside_it(tmp_path: Path) -> None:
    """Classes of each step; the state, which the model takes and gives itself, has no labels."""
    x, h = keras.Input((STEPS, FEATURES), name="x"), keras.Input((12,), name="h")
    steps, last = keras.layers.GRU(12, return_sequences=True, return_state=True, name="gru")(
        x, initial_state=h
    )
    model = keras.Model([x, h], [keras.layers.Dense(2, "softmax", name="sign")(steps), last])
    model.compile("adam", loss=["sparse_categorical_crossentropy", None])
    data, _ = task(200)
    signs = (data[:, :, 0].cumsum(1) > 0).astype(int)
    fed = {"x": data, "h": np.zeros((200, 12), np.float32)}
    way = way_of(None, None, Options(fed_back={"h": model.output_names[1]}))
    given: dict[str, Any] = {
        "settings": SETTINGS[:1],
        "fine_tuning": QUICK,
        "build": Build(way),
        "goal": Goal(max_loss=100),
    }
    outcome = search(model, fed, signs, tmp_path, **given)
    held = held_out(200, QUICK.seed)[1]
    right = model.predict({name: array[held] for name, array in fed.items()}, verbose=0)[0]
    assert outcome.trained == pytest.approx(100 * (right.argmax(-1) == signs[held]).mean())
    assert outcome.candidates
    named = search(model, fed, {"sign": signs}, tmp_path, **given)
    assert len(list(tmp_path.glob("*.json"))) == 1, "it is the same search"
    assert named.candidates == outcome.candidates
    model.compile("adam", loss=["sparse_categorical_crossentropy", "mse"])
    with pytest.raises(UnspoolError, match="the model's loss is of sign, gru; compile it with"):
        search(model, fed, signs, tmp_path, **given)


def candidate(accuracy: float, flash: float, cycles: int, sparsity: float = 0.5) -> Candidate:
    return Candidate(KernelSetting(sparsity, None), accuracy, flash, 8.0, cycles, 4, 1.0)


def test_the_pareto_front_is_what_nothing_beats() -> None:
    before = candidate(99.0, 200, 4000, 0.0)
    small, smaller = candidate(98.9, 90, 2000, 0.7), candidate(98.5, 60, 1500, 0.8)
    beaten = candidate(98.4, 60, 1500, 0.81)  # as small as another, and worse
    search = Search(Goal(max_loss=0.3), 99.1, 100, target(), before, (small, smaller, beaten))
    assert search.front == (before, small, smaller)
    assert search.chosen == small  # the smaller one loses 0.6 points


def test_what_is_made_small_decides() -> None:
    before = candidate(99.0, 200, 4000, 0.0)
    little_flash, few_cycles = candidate(99, 50, 3000, 0.6), candidate(99, 60, 2000, 0.7)
    for figure, best in {"flash": little_flash, "cycles": few_cycles}.items():
        search = Search(
            Goal(max_loss=0, minimise=figure), 99, 100, target(), before, (little_flash, few_cycles)
        )
        assert search.chosen == best


@pytest.mark.parametrize(
    ("held", "failed", "width", "expected"),
    [
        ([], [], 1, [3]),
        ([], [], 3, [1, 3, 5]),
        ([3], [], 1, [5]),
        ([], [3], 1, [1]),
        ([3], [5], 1, [4]),
        ([3], [5], 4, [4]),
        ([3], [4], 1, []),
        ([6], [], 1, []),
        ([], [0], 1, []),
        ([5], [2], 1, [6]),  # what held beyond a failure counts
    ],
)
def test_the_settings_are_bisected(
    held: list[int], failed: list[int], width: int, expected: list[int]
) -> None:
    before = candidate(99, 1, 1, 0.0)
    tried = [
        Candidate(LADDER[index], 99.0 if index in held else 90.0, 1, 1, 1, 1, 1)
        for index in (*held, *failed)
    ]
    search = Search(Goal(), 99, 100, target(), before, tuple(tried))
    assert undecided(LADDER, search, width) == [LADDER[index] for index in expected]


X, Y = task(100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"previews": 0}, "previews 0: expected at least 1"),
        ({"settings": ()}, "settings: expected at least one"),
        ({"validation": (X, Y[:3])}, r"labels: have the shape \(3,\)"),
    ],
)
def test_a_mistake_is_said_before_anything_is_tried(
    trained: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnspoolError, match=message):
        search(trained, X, Y, tmp_path, fine_tuning=QUICK, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (X[:10], Y[:10], "10 samples are too few to hold some out"),
        (X, Y + CLASSES, "labels run from 4 to 7"),
        (X, Y.astype(np.float32), "the type float32; expected classes, integers"),
    ],
)
def test_data_that_does_not_fit_is_said(
    trained: Any, data: np.ndarray, labels: np.ndarray, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnspoolError, match=message):
        search(trained, data, labels, tmp_path)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"minimise": "ram"}, "minimise 'ram': expected cycles, flash or sram"),
        ({"max_loss": -1}, "accuracy, at most -1 worse: expected points from 0 to 100"),
        ({"max_loss": float("nan")}, "at most nan worse"),
        ({"metric": "mae", "max_loss": 101}, "mae, at most 101 worse: expected percent"),
        ({"metric": "mea"}, "metric 'mea': Keras has none of this name"),
    ],
)
def test_goals_that_there_cannot_be(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        Goal(**wanted)


@pytest.mark.parametrize(
    ("goal", "trained", "value", "lost"),
    [
        (Goal(), 98.9, 98.7, 0.2),
        (Goal("mae", 2.0, higher_is_better=False), 0.5, 0.51, 2.0),
        (Goal("mae", 2.0, higher_is_better=False), 0.5, 0.4, -20.0),
        (Goal("r2_score", 2.0), 0.9, 0.882, 2.0),
        (Goal("r2_score", 2.0), -1.0, -1.02, 2.0),
        (Goal("mae", 2.0, higher_is_better=False), 0.0, 0.0, 0.0),
    ],
)
def test_what_is_lost(goal: Goal, trained: float, value: float, lost: float) -> None:
    assert goal.lost(trained, value) == pytest.approx(lost)
    assert goal.holds(trained, value)


def test_an_error_where_there_was_none_never_holds() -> None:
    assert not Goal("mae", 100, higher_is_better=False).holds(0.0, 1e-9)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "mae": lambda y, p: np.abs(y - p).mean(),
    "mean_squared_error": lambda y, p: ((y - p) ** 2).mean(),
    "root_mean_squared_error": lambda y, p: np.sqrt(((y - p) ** 2).mean()),
    "r2_score": lambda y, p: 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum(),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_what_their_formulas_say(name: str) -> None:
    x = keras.Input((5,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    data = np.random.default_rng(1).normal(0, 1, (50, 5)).astype(np.float32)
    labels = data[:, :1] * 2
    outputs = np.asarray(model.predict(data, verbose=0))
    goal = Goal(name, higher_is_better=name == "r2_score")
    assert goal.measured(model, data, labels) == pytest.approx(METRICS[name](labels, outputs), 1e-4)


SPACE = tuple(
    KernelSetting(sparsity, clusters, units)
    for units in (None, 0.5, 0.25)
    for sparsity in (0.5, 0.8)
    for clusters in (16, 8)
)


def test_proposals_are_new_ones_until_there_are_no_more() -> None:
    tried: list[Evaluation] = []
    while chosen := proposed(SPACE, tried, 5, seed=0):
        assert len(set(chosen)) == len(chosen)
        assert not set(chosen) & {each.setting for each in tried}
        tried += [Evaluation(s, lost=s.sparsity, size=(s.units or 1) * 1000) for s in chosen]
    assert {each.setting for each in tried} == set(SPACE)


def test_the_first_proposals_are_spread_from_mild_to_strong() -> None:
    first = proposed(SPACE, [], 5, seed=0)
    assert {setting.units for setting in first} == {None, 0.5, 0.25}


def test_proposals_go_where_little_is_lost_and_much_is_gained() -> None:
    """Losses as of a model that can spare its units and not its zeros."""
    wide = tuple(
        KernelSetting(sparsity, clusters, units)
        for units in (None, 0.75, 0.5, 0.375, 0.25)
        for sparsity in (0.0, 0.5, 0.7, 0.8, 0.9)
        for clusters in (32, 16, 8)
    )

    def given(setting: KernelSetting) -> Evaluation:
        size = (setting.units or 1.0) ** 2 * (1.2 - setting.sparsity)
        return Evaluation(setting, 30 * setting.sparsity**2, 1000 * size)

    best = min(given(setting).size for setting in wide if given(setting).lost < 8)
    for seed in range(3):
        tried: list[Evaluation] = []
        for _ in range(12):
            tried += [given(setting) for setting in proposed(wide, tried, 1, seed)]
        smallest = min(each.size for each in tried if each.lost < 8)
        assert smallest < 1.8 * best


def test_what_is_between_two_settings() -> None:
    """By the bits of a recurrent kernel that stay: 0.6 of 4, 0.4 of 4 and 0.5^2 0.6 of 4."""
    all_units, fewer = KernelSetting(0.4, 16), KernelSetting(0.4, 16, 0.5)
    middle = KernelSetting(0.6, 16)
    offered = [fewer, middle, all_units, KernelSetting(0.9, 16)]
    assert between(offered, all_units, fewer, []) == [middle]
    assert between(offered, all_units, fewer, [middle]) == []


@pytest.mark.parametrize(
    ("samples", "epochs", "expected"),
    [
        (64 * 200, 8, (2, 64)),  # a quarter
        (64 * 50, 8, (2, 32)),  # 100 batches of an epoch in place of 50
        (64 * 10, 8, (5, 16)),  # 40 in place of 10, and more epochs
        (64, 8, (8, 64)),  # no more than there are
        (64 * 200, 40, (10, 64)),
        (6, 2, (2, 64)),
    ],
)
def test_a_preview_trains_enough_to_say_something(
    samples: int, epochs: int, expected: tuple[int, int]
) -> None:
    short = shortened(FineTuning(epochs=epochs, batch_size=64), samples)
    assert (short.epochs, short.batch_size) == expected


def test_how_often_previews_lie_in_the_order_of_full_trainings() -> None:
    """Of three settings: 90, 80 and 85 % in previews, 98, 97 and 96 % with all epochs."""
    full = tuple(candidate(98.0 - n, 50, 1000, n / 10) for n in range(3))
    short = tuple(
        replace(one, value=value, epochs=2) for one, value in zip(full, (90, 80, 85), strict=True)
    )
    unmatched = replace(candidate(10, 50, 1000, 0.9), epochs=2)
    outcome = Search(Goal(), 99, 100, target(), full[0], full, (*short, unmatched))
    assert outcome.order == (2, 3)
    assert replace(outcome, previews=full).order == (0, 0), (
        "what is tried in full alone is no preview"
    )


def test_units_that_cannot_go_are_not_tried(trained: Any) -> None:
    some = possible(trained, [KernelSetting(0.5, 16, units) for units in (None, 0.5, 16)])
    assert some == (KernelSetting(0.5, 16), KernelSetting(0.5, 16, 0.5))


@at_once
def test_what_is_promising_is_tried_with_all_epochs(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []

    def counted(*arguments: Any) -> np.ndarray:
        scored.append(1)
        return scores.scores(*arguments)

    monkeypatch.setattr(fewer_units, "scores", counted)
    monkeypatch.setattr(previews, "FEWEST_BATCHES", 1)
    tuning = FineTuning(epochs=4, batch_size=190)
    options: dict[str, Any] = {"settings": SPACE[::2], "previews": 2, "goal": Goal(max_loss=30)}
    outcome = run(trained, tmp_path, fine_tuning=tuning, **options)
    assert any(one.setting.units for one in outcome.previews)
    assert len(scored) == 1, "which units matter is found out once"
    begun: list[Search] = []

    def stop(so_far: Search) -> None:
        begun.append(so_far)
        raise KeyboardInterrupt

    options |= {"settings": SPACE, "on_candidate": stop}
    with pytest.raises(KeyboardInterrupt):
        run(trained, tmp_path, fine_tuning=tuning, **options)
    assert set(outcome.candidates) == set(begun[0].candidates), "on its way or not"
    assert outcome.models == begun[0].models
    assert [one.epochs for one in outcome.previews] == [2] * 2
    assert {one.epochs for one in outcome.candidates} == {4}
    settings = {one.setting for one in outcome.candidates}
    promising = {one.setting for one in outcome.ladder}
    beside = settings - promising - {KernelSetting(0.5, 16)}
    assert len(beside) <= 4, "the mildest, and what lies between two"
    sizes = [one.cycles for one in outcome.ladder]
    assert sizes == sorted(sizes, reverse=True)


def test_a_search_for_a_small_error(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.SimpleRNN(16)(x)))
    model.compile(keras.optimizers.Adam(1e-2), loss="mse")
    data = task(500)[0]
    labels = data[:, -3:, 0].sum(1, keepdims=True)
    model.fit(data, labels, epochs=10, batch_size=25, verbose=0)
    goal = Goal("mae", max_loss=50, higher_is_better=False, minimise="flash")
    settings = (KernelSetting(0.3, 32), KernelSetting(0.98, 4))
    tuning = FineTuning(epochs=2, batch_size=25)
    outcome = search(
        model, data, labels, tmp_path, goal=goal, settings=settings, fine_tuning=tuning
    )
    assert outcome.chosen is not None and outcome.chosen.setting == settings[0]
    assert outcome.lost(outcome.candidates[-1]) > 50
    held = np.sort(np.random.default_rng(0).permutation(500)[:25])
    outputs = np.asarray(model.predict(data[held], verbose=0))
    assert outcome.trained == pytest.approx(np.abs(outputs - labels[held]).mean(), rel=1e-4)


@at_once
def test_more_lost_by_quantization_alone_than_a_search_may_lose_is_said(
    trained: Any, tmp_path: Path
) -> None:
    """Of labels that are what the float model gives, all but exactly."""
    x, _ = task(200)
    labels = np.asarray(trained.predict(x, verbose=0)) + 1e-4
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    model.compile(loss="mse")
    goal = Goal("mae", max_loss=2, higher_is_better=False)
    loses = r"^quantized as it is, the trained model loses \S+ % of mae, more than the 2 that the"
    with pytest.warns(UnspoolWarning, match=loses):
        search(model, x, labels, tmp_path, goal=goal, settings=SETTINGS[:1], fine_tuning=QUICK)
