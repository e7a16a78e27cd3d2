"""Compression: how sparse and alike the weights become, what is left of the accuracy, bad input."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shared
from conftest import CLASSES, FEATURES, STEPS, small_model
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import unspool
from unspool import Compressed, FineTuning, KernelSetting, UnspoolError, compress
from unspool.compression.distillation import Teacher
from unspool.compression.fine_tuning import score, sparsity
from unspool.compression.kernels import kernels
from unspool.compression.projection import k_means
from unspool.compression.students import OnMixtures, Student
from unspool.compression.units import scores
from unspool.compression.written_out import written_out
from unspool.runtime.evaluation import accuracy
from unspool.stages import sequences
from unspool.support._tensorflow import keras, tf
from unspool.support.progress import Watch

LOSS = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
QUICK = FineTuning(epochs=2, batch_size=64)  # one batch of each 64 samples: one graph to trace
UNTOUCHED = KernelSetting(0.0, None)


def compiled(model: Any, **options: Any) -> Any:
    model.compile(**{**LOSS, **options})
    return model


def task(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Sequences; the class says which half was larger, and whether the sum is positive."""
    x = np.random.default_rng(seed).normal(0, 1, (count, STEPS, FEATURES)).astype(np.float32)
    late = x[:, STEPS // 2 :, 0].mean(1) > x[:, : STEPS // 2, 0].mean(1)
    return x, late.astype(np.int64) + 2 * (x[:, :, 1].sum(1) > 0)


CELLS = ["gru", *(pytest.param(cell, marks=pytest.mark.slow) for cell in ("lstm", "simple"))]


@pytest.fixture(scope="session", params=CELLS)
def trained(request: pytest.FixtureRequest) -> Any:
    def make() -> Any:
        model = small_model(request.param, units=24)
        model.compile(keras.optimizers.Adam(5e-3), **LOSS)
        model.fit(*task(3000), epochs=12, batch_size=60, verbose=0)
        return model

    return shared.value(f"trained {request.param}", make)


@pytest.fixture(scope="session")
def compressed(trained: Any) -> Compressed:
    options = FineTuning(epochs=6, learning_rate=5e-3, batch_size=57)  # of 2,850 samples
    setting = KernelSetting(0.7, 8)
    return shared.value(
        f"compressed {trained.layers[1].name}",
        lambda: compress(trained, *task(3000), setting=setting, fine_tuning=options),
    )


at_once = pytest.mark.usefixtures("computing")


def deployed(model: Any) -> unspool.Compiled:
    float_tflite = unspool.convert(unspool.unroll(model))
    ranges = unspool.calibrate(float_tflite, task(100)[0]).ranges
    return unspool.compile(unspool.quantize(float_tflite, ranges), unspool.target())


def kernels_of(model: Any) -> list[np.ndarray]:
    return [np.array(w) for w in model.weights if w.name in ("kernel", "recurrent_kernel")]


def test_kernels_are_as_sparse_and_as_alike_as_asked(compressed: Compressed) -> None:
    for kernel in kernels_of(compressed.model):
        assert (kernel == 0).sum() == round(0.7 * kernel.size)
        assert len(np.unique(kernel[kernel != 0])) <= 8


def test_the_result_says_what_the_kernels_hold(compressed: Compressed) -> None:
    for said, kernel in zip(compressed.kernels, kernels_of(compressed.model), strict=True):
        assert said.weights == kernel.size
        assert said.zeros == (kernel == 0).sum()
        assert said.values == len(np.unique(kernel[kernel != 0]))


def test_accuracy_stays(trained: Any, compressed: Compressed) -> None:
    x, y = task(2000, seed=6)  # not trained with
    before, after = (accuracy(m, x, y).percent for m in (trained, compressed.model))
    assert before > 85, "the comparison says nothing of a model that learned nothing"
    assert after > before - 2


def test_vela_encodes_the_weights_in_less(trained: Any, compressed: Compressed) -> None:
    before, after = deployed(trained), deployed(compressed.model)
    assert after.weights_kib < 0.75 * before.weights_kib
    assert after.cycles < before.cycles


@at_once
def test_the_trained_model_is_not_changed(trained: Any) -> None:
    before = trained.get_weights()
    compress(trained, *task(64), fine_tuning=QUICK)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_result_is_an_ordinary_keras_file(compressed: Compressed, tmp_path: Path) -> None:
    compressed.model.save(tmp_path / "model.keras")
    again = unspool.load(tmp_path / "model.keras")
    x, y = task(50)
    for written, weight in zip(again.get_weights(), compressed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(written, weight)
    assert again.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}


def test_the_result_goes_on_with_an_optimizer_like_the_trained_models(
    trained: Any, compressed: Compressed, tmp_path: Path
) -> None:
    """In plain Keras, which warns of a file with an optimizer without its variables."""
    compressed.model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert type(model.optimizer) is type(trained.optimizer)
    rates = [float(each.optimizer.learning_rate) for each in (model, trained)]
    assert rates[0] == pytest.approx(rates[1])
    model.fit(*task(64), epochs=1, verbose=0)


class OwnRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule that Keras does not know, and so cannot make again."""

    def __call__(self, step: Any) -> float:
        return 0.01

    def get_config(self) -> dict[str, Any]:
        return {}


@at_once
def test_an_optimizer_that_keras_cannot_make_again_is_no_obstacle() -> None:
    model = small_model("simple")
    model.compile(
        keras.optimizers.Adam(OwnRate()), loss="sparse_categorical_crossentropy", metrics=["acc"]
    )
    smaller = compress(model, *task(200), setting=KernelSetting(0.5, None), fine_tuning=QUICK)
    assert isinstance(smaller.model.optimizer, keras.optimizers.RMSprop)


LAYERS = keras.layers


def _stacked() -> Any:
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.Conv1D(12, 3, padding="same", activation="relu", name="conv")(x)
    h = LAYERS.BatchNormalization()(h)
    h = LAYERS.LSTM(12, return_sequences=True, name="lower", dropout=0.1)(h)
    h = LAYERS.Bidirectional(LAYERS.GRU(8, name="rnn"), name="upper")(h)
    h = LAYERS.Dense(16, activation="relu", name="hidden")(h)
    return keras.Model(x, LAYERS.Dense(CLASSES, activation="softmax", name="head")(h))


@pytest.mark.parametrize(
    ("setting", "layers", "expected"),
    [
        (KernelSetting(0.5, None), {}, {"conv": (0.5, None), "upper": (0.5, None)}),
        (KernelSetting(0.0, 4), {}, {"lower": (0.0, 4), "hidden": (0.0, 4)}),
        (
            UNTOUCHED,
            {"forward_rnn": KernelSetting(0.75, 3)},
            {"forward_rnn": (0.75, 3), "backward_rnn": None, "lower": None},
        ),
        (UNTOUCHED, {"upper": KernelSetting(0.75, 3)}, {"backward_rnn": (0.75, 3), "conv": None}),
        (KernelSetting(0.5, 4), {"lower": UNTOUCHED}, {"lower": None, "hidden": (0.5, 4)}),
        (UNTOUCHED, {"head/kernel": KernelSetting(0.5, 2)}, {"head": (0.5, 2), "conv": None}),
    ],
)
def test_each_layer_has_its_setting(
    setting: KernelSetting,
    layers: dict[str, KernelSetting],
    expected: dict[str, tuple[float, int | None] | None],
) -> None:
    said = {kernel.path: kernel.setting for kernel in kernels(_stacked(), setting, layers)}
    for layer, values in expected.items():
        own = {s for path, s in said.items() if layer in path.split("/")}
        assert own == ({KernelSetting(*values)} if values else set())


@at_once
def test_all_kinds_of_kernels_are_compressed() -> None:
    model = compiled(_stacked())
    before = np.array(model.layers[2].moving_mean)
    done = compress(model, *task(64), setting=KernelSetting(0.5, 4), fine_tuning=QUICK)
    layers = {kernel.path.split("/")[0] for kernel in done.kernels}
    assert layers == {"conv", "lower", "upper", "hidden", "head"}
    for kernel in done.kernels:
        small = kernel.path == "head/kernel"  # 64 of 3,400 weights: left as it is
        assert kernel.zeros == (0 if small else round(0.5 * kernel.weights))
        assert small or kernel.values <= 4
    moved = np.array(done.model.layers[2].moving_mean)
    assert not np.array_equal(before, moved), "batch normalisation goes on learning"


def test_a_small_kernel_beside_large_ones_is_left_alone() -> None:
    # 40 x 4 of 5 x 120 + 40 x 120 + 40 x 4 weights: 2.9 %, less than 1/32.
    selection = kernels(small_model("gru", units=40), KernelSetting(), {})
    assert {kernel.path.split("/")[0] for kernel in selection} == {"gru"}


def _regression() -> Any:
    x = keras.Input((STEPS, FEATURES))
    return keras.Model(x, LAYERS.Dense(1)(LAYERS.GRU(6)(x)))


def _two_heads() -> Any:
    x = keras.Input((STEPS, FEATURES), name="x")
    z = keras.Input((3,), name="z")
    h = LAYERS.Concatenate()([LAYERS.LSTM(6)(x), z])
    return keras.Model([x, z], [LAYERS.Dense(2, name="a")(h), LAYERS.Dense(1, name="b")(h)])


def test_logits_are_compared_as_the_probabilities_that_they_stand_for() -> None:
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, LAYERS.Dense(CLASSES)(LAYERS.GRU(8)(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"])
    right = np.array([[2.0, 1.0, 0.0, -1.0]], np.float32)
    teacher = Teacher(model, 1.0)
    teacher._model = lambda inputs, training: right
    # Logits that differ by a constant are the same probabilities.
    assert float(teacher(None, right + 5.0)) == pytest.approx(0, abs=1e-6)
    # By hand: softmax(2, 1, 0, -1) = (.6439, .2369, .0871, .0321) against a quarter each.
    assert float(teacher(None, 0 * right)) == pytest.approx(0.43876, abs=1e-4)


@at_once
def test_the_most_sparse_kernel_keeps_a_weight() -> None:
    done = compress(
        compiled(small_model()), *task(64), setting=KernelSetting(0.9999, 4), fine_tuning=QUICK
    )
    assert all(kernel.zeros == kernel.weights - 1 for kernel in done.kernels)


def _one_hot(y: np.ndarray) -> np.ndarray:
    one_hot: np.ndarray = np.eye(CLASSES, dtype=np.float32)[y]
    return one_hot


@at_once
def test_any_loss_and_metric_and_structure() -> None:
    x, y = task(64)
    regression = compiled(_regression(), loss="mse", metrics=["mae"])
    done = compress(regression, x, x[:, 0, :1], fine_tuning=QUICK)
    assert {"loss", "mae", "val_loss", "val_mae"} == set(done.epochs[0].metrics)

    own = compiled(small_model(), loss=lambda t, p: keras.ops.mean((t - p) ** 2), metrics=[])
    assert compress(own, x, _one_hot(y), fine_tuning=QUICK).best == 2

    heads = compiled(_two_heads(), loss=["mse", "mae"], metrics=None)
    inputs = {"x": x, "z": x[:, 0, :3]}
    done = compress(heads, inputs, [x[:, 0, :2], x[:, 1, :1]], fine_tuning=QUICK)
    assert done.epochs[-1].complete


def _by_name(steps: int = STEPS) -> Any:
    first = keras.Input((steps, FEATURES), name="a")
    second = keras.Input((3,), name="b")
    h = LAYERS.Concatenate()([LAYERS.GRU(6)(first), second])
    outputs = {
        "number": LAYERS.Dense(1, name="number")(h),
        "kind": LAYERS.Dense(CLASSES, activation="softmax", name="kind")(h),
    }
    return keras.Model({"b": second, "a": first}, outputs)


def _listed() -> Any:
    model = _by_name()
    return keras.Model(model.inputs, [model.outputs[0], model.outputs[1]])


def _train_by_name(model: Any, **options: Any) -> None:
    x, y = task(64)
    x = x[:, : model.inputs[0].shape[1]]
    inputs, labels = {"a": x, "b": x[:, 0, :3]}, {"kind": y, "number": x[:, 0, :1]}
    losses = {"kind": "sparse_categorical_crossentropy", "number": "mse"}
    model.compile(loss=losses, metrics={"kind": ["accuracy"]})
    done = compress(model, inputs, labels, fine_tuning=QUICK, **options)
    assert done.epochs[-1].complete
    assert "val_kind_accuracy" in done.epochs[-1].metrics


@at_once
@pytest.mark.parametrize("make", [_by_name, _listed])
def test_inputs_outputs_and_losses_by_name(make: Callable[[], Any]) -> None:
    _train_by_name(make())


@at_once
def test_inputs_outputs_and_losses_by_name_with_the_errors_of_int8() -> None:
    x = task(64)[0][:, :2]
    calibration = {"a": x, "b": x[:, 0, :3]}
    _train_by_name(_by_name(steps=2), setting=UNTOUCHED, calibration=calibration)


@at_once
def test_labels_that_the_loss_ignores_are_no_classes() -> None:
    x = keras.Input((STEPS, FEATURES))
    h = LAYERS.GRU(6, return_sequences=True)(x)
    model = keras.Model(x, LAYERS.Dense(CLASSES, activation="softmax")(h))
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    labels = np.full((64, STEPS), -1)
    labels[:, -1] = task(64)[1]
    assert compress(model, task(64)[0], labels, fine_tuning=QUICK).epochs[-1].complete


@at_once
def test_labels_may_be_a_plain_list() -> None:
    x, y = task(64)
    assert compress(compiled(small_model()), x, y.tolist(), fine_tuning=QUICK).best == 2


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"loss": 1.0, "accuracy": 0.5}, 0.5),
        ({"loss": 1.0, "accuracy": 0.5, "val_loss": 2.0, "val_acc": 0.25}, 0.25),
        ({"loss": 1.0, "val_loss": 2.0}, -2.0),
        ({"val_loss": 2.0, "val_a_accuracy": 0.5, "val_b_accuracy": 1.0}, 0.75),
    ],
)
def test_the_best_epoch_is_by_accuracy_where_there_is_one(
    metrics: dict[str, float], expected: float
) -> None:
    assert score(metrics) == expected


@at_once
@pytest.mark.parametrize("cardinality_known", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_dataset_is_taken_as_it_is(cardinality_known: bool) -> None:
    x, y = task(64)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    if not cardinality_known:
        data = data.filter(lambda x, y: True)
    done = compress(compiled(small_model()), data, validation=data, fine_tuning=QUICK)
    assert [epoch.number for epoch in done.epochs] == [1, 2]
    assert "val_accuracy" in done.epochs[0].metrics
    assert done.kernels[0].zeros == round(0.8 * done.kernels[0].weights)


X, Y = task(64)
NAN = np.where(X > 2, np.nan, X)


def _no_kernels() -> Any:
    x = keras.Input((4,))
    return keras.Model(x, LAYERS.Softmax()(x))


class _Own(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = LAYERS.GRU(4), LAYERS.Dense(CLASSES, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.head(self.gru(x))


def _subclassed() -> Any:
    model = compiled(_Own())
    model(X[:1])
    return model


def _dataset(x: np.ndarray, y: np.ndarray) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


_TWO: dict[str, Any] = {"x": X, "z": X[:, 0, :3]}
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "labels beyond the classes": (lambda: _try(labels=Y + 9), "labels: run from 9 to 12"),
    "negative labels": (lambda: _try(labels=Y - 1), "labels: run from -1 to"),
    "labels of another shape": (lambda: _try(labels=_one_hot(Y)), "do not fit the model and its"),
    "too few labels": (lambda: _try(labels=Y[:5]), r"shape \(5,\), but there are 64 samples"),
    "words for labels": (lambda: _try(labels=Y.astype(str)), "have the type <U"),
    "NaN labels": (lambda: _try(labels=Y * np.nan), "64 of 64 values are NaN"),
    "NaN samples": (lambda: _try(data=NAN), "training data: .* NaN or infinite"),
    "NaN in a dataset": (lambda: _try(data=_dataset(NAN, Y), labels=None), "NaN or infinite"),
    "samples of another shape": (lambda: _try(data=X[:, :, :2]), r"expected \(samples, 6, 5\)"),
    "labels with a dataset": (lambda: _try(data=_dataset(X, Y)), "a dataset yields them itself"),
    "an endless dataset": (
        lambda: _try(data=_dataset(X, Y).repeat(), labels=None),
        r"no end: say with \.take",
    ),
    "NaN in a validation dataset": (
        lambda: _try(validation=_dataset(NAN, Y)),
        "NaN or infinite",
    ),
    "validation of three parts": (lambda: _try(validation=(X, Y, Y)), "validation: expected"),
    "a model that is a class": (lambda: _try(model=_subclassed()), "expected a Sequential or"),
    "sequences longer than what is unrolled": (
        lambda: _try(
            model=compiled(small_model(steps=None)), calibration=X[:, :4], way=sequences(4)
        ),
        r"shape \(6, 5\), but \(4, 5\) is unrolled",
    ),
    "an empty dataset": (lambda: _try(data=_dataset(X, Y).take(0), labels=None), "no batches"),
    "validation that does not fit": (lambda: _try(validation=(X, Y[:3])), "validation labels"),
    "sparsity 1": (lambda: KernelSetting(1.0), "sparsity 1.0: expected .* below 1"),
    "sparsity below 0": (lambda: KernelSetting(-0.1), "sparsity -0.1"),
    "sparsity NaN": (lambda: KernelSetting(float("nan")), "sparsity nan"),
    "one cluster": (lambda: KernelSetting(0.5, 1), "clusters 1: expected 2 to 255"),
    "too many clusters": (lambda: KernelSetting(0.5, 256), "clusters 256"),
    "one epoch": (lambda: FineTuning(epochs=1), "epochs 1: expected at least 2"),
    "no learning rate": (lambda: FineTuning(learning_rate=0), "expected positive"),
    "a layer that is not there": (
        lambda: _try(layers={"gruu": UNTOUCHED}),
        "no kernel belongs to 'gruu'; layers are gru, y",
    ),
    "no kernels": (lambda: _try(model=compiled(_no_kernels())), "no trainable kernel to compress"),
    "not compiled": (lambda: _try(model=small_model()), "has no loss .* compile it"),
    "compiled without a loss": (
        lambda: _try(model=compiled(small_model(), loss=None)),
        "has no loss .* compile it",
    ),
    "values of another shape": (  # Keras would compare each with both of two outputs
        lambda: _try(model=compiled(_two_values(), loss="mse", metrics=[]), labels=X[:, 0, :1]),
        r"labels: have the shape \(64, 1\), but the model's output \(samples, 2\)",
    ),
    "labels of no output": (
        lambda: _try(model=_two_compiled(), data=_TWO, labels={"a": X[:, 0, :2], "c": Y}),
        "labels: has arrays named a, c, expected a, b",
    ),
    "labels of one of two outputs": (
        lambda: _try(model=_two_compiled(), data=_TWO, labels={"a": X[:, 0, :2]}),
        "labels: has no array for b",
    ),
    "samples of another shape in a dataset": (
        lambda: _try(data=_dataset(X[:, :, :2], Y), labels=None),
        r"do not fit the model and its loss .*expected shape=\(None, 6, 5\)",
    ),
}


def _two_values() -> Any:
    x = keras.Input((STEPS, FEATURES))
    return keras.Model(x, LAYERS.Dense(2)(LAYERS.GRU(4)(x)))


def _two_compiled() -> Any:
    return compiled(_two_heads(), loss=["mse", "mae"], metrics=None)


def _try(model: Any = None, data: Any = X, labels: Any = Y, **options: Any) -> None:
    compress(model or compiled(small_model()), data, labels, fine_tuning=QUICK, **options)


@at_once
@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_in_one_line(name: str) -> None:
    attempt, message = MISTAKES[name]
    with pytest.raises(UnspoolError, match=message) as raised:
        attempt()
    assert "\n" not in str(raised.value)


def _interrupted_at(batch: int) -> Watch:
    def watch(stage: str, done: int, total: int) -> None:
        if done == batch:
            raise KeyboardInterrupt

    return watch


@at_once
def test_an_interruption_keeps_the_best_so_far() -> None:
    # 61 samples, 3 held out: 2 batches in each of 4 epochs; complete in the third.
    options = FineTuning(epochs=4, batch_size=32)
    model = compiled(small_model())
    done = compress(model, X, Y, fine_tuning=options, watch=_interrupted_at(7))
    assert done.interrupted
    assert done.best == 3
    assert done.kernels[0].zeros == round(0.8 * done.kernels[0].weights)
    with pytest.raises(KeyboardInterrupt):  # nothing is as it was asked to be yet
        compress(model, X, Y, fine_tuning=options, watch=_interrupted_at(3))


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.5, 0.7), (1.0, 0.8), (2.0, 0.8)])
def test_the_cubic_schedule(share: float, expected: float) -> None:
    assert sparsity(share, 0.8) == pytest.approx(expected)  # 0.8 * (1 - 0.5 ** 3)


@given(
    arrays.arrays(np.float32, st.integers(3, 200), elements=st.floats(-10, 10, width=32)),
    st.integers(2, 20),
)
def test_k_means_gives_sorted_values_within_the_points(points: np.ndarray, count: int) -> None:
    values = k_means(points, count)
    assert len(values) == count
    assert (np.diff(values) >= 0).all()
    assert points.min() - 1e-5 <= values[0]
    assert values[-1] <= points.max() + 1e-5


def test_k_means_finds_lumps_and_leaves_the_gap_of_pruning_empty() -> None:
    lumps = np.array([-0.9, -0.5, 0.4, 0.8])
    points = np.concatenate([lumps - 0.01, lumps, lumps + 0.01]).astype(np.float32)
    np.testing.assert_allclose(k_means(points, 4), lumps, atol=1e-6)


@at_once
def test_layers_of_one_name_in_nested_models_are_told_apart() -> None:
    x = keras.Input((STEPS, FEATURES))
    parts = []
    for name in ("left", "right"):
        inner = keras.Input((STEPS, FEATURES))
        rnn = LAYERS.GRU(8, name="rnn")(inner)
        parts.append(keras.Model(inner, rnn, name=name)(x))
    model = compiled(keras.Model(x, LAYERS.Dense(CLASSES, activation="softmax")(sum(parts))))
    layers = {"left": KernelSetting(0.5, 3)}
    done = compress(model, *task(64), setting=UNTOUCHED, layers=layers, fine_tuning=QUICK)
    zeros = {kernel.path: kernel.zeros / kernel.weights for kernel in done.kernels}
    assert zeros["left/rnn/gru_cell/recurrent_kernel"] == 0.5
    assert zeros["right/rnn/gru_cell/recurrent_kernel"] == 0


@at_once
def test_mixtures_are_what_the_teacher_makes_of_them(trained: Any) -> None:
    """By hand, in NumPy: of a student that is its own teacher's copy but for the output layer."""
    x = task(64)[0]
    model, other = (compiled(keras.models.clone_model(trained)) for _ in range(2))
    model.set_weights(trained.get_weights())
    student = Student(other, [], Teacher(model, 1.0), lesson=OnMixtures(seed=3))
    distance = float(student.lesson(student, tf.constant(x), None))
    shares = np.asarray(
        keras.random.uniform((64,), dtype="float32", seed=keras.random.SeedGenerator(3))
    ).reshape(-1, 1, 1)
    mixed = shares * x + (1 - shares) * x[::-1]
    right, got = (np.asarray(m.predict(mixed, verbose=0)) for m in (model, other))
    expected = (right * np.log(right / got)).sum(1).mean()
    assert distance == pytest.approx(expected, rel=1e-3)


@at_once
def test_training_on_mixtures_gives_a_model(trained: Any) -> None:
    tuning = FineTuning(epochs=2, batch_size=64, mixup=True)
    done = compress(trained, *task(64), setting=KernelSetting(0.5, 8), fine_tuning=tuning)
    assert all((kernel == 0).sum() == round(0.5 * kernel.size) for kernel in kernels_of(done.model))
    alone = compress(trained, task(64)[0], setting=KernelSetting(0.5, 8), fine_tuning=tuning)
    assert alone.epochs[-1].metrics.keys() == {"loss", "val_loss"}


def test_what_cannot_be_mixed_is_refused() -> None:
    ids = keras.Input((STEPS,), name="ids")
    hidden = keras.layers.SimpleRNN(4)(keras.layers.Embedding(10, 4)(ids))
    model = compiled(keras.Model(ids, keras.layers.Dense(CLASSES)(hidden), name="words"))
    mixed = FineTuning(epochs=2, mixup=True)
    with pytest.raises(UnspoolError, match="mixup: model 'words' takes ids"):
        compress(model, np.zeros((8, STEPS)), np.zeros(8, int), fine_tuning=mixed)
    x = keras.Input((STEPS, FEATURES))
    hidden = keras.layers.SimpleRNN(4)(keras.layers.Masking()(x))
    model = compiled(keras.Model(x, keras.layers.Dense(CLASSES)(hidden), name="padded"))
    with pytest.raises(UnspoolError, match="mixup: model 'padded' masks padded steps"):
        compress(model, *task(8), fine_tuning=mixed)
    with pytest.raises(UnspoolError, match="mixup with distillation 0"):
        FineTuning(mixup=True, distillation=0)


def test_a_setting_and_a_seed_give_the_same_model_twice(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "_DRAWS", 8)
    setting, tuning = KernelSetting(0.5, 8, units=16), FineTuning(epochs=2, seed=3)
    first, second = (
        compress(trained, *task(300), setting=setting, fine_tuning=tuning) for _ in range(2)
    )
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_short_layers_are_written_out_for_long_trainings_alone() -> None:
    x, y = keras.Input((28, 4)), keras.Input((None, 4))
    long = keras.layers.UpSampling1D(3)(x)
    layers = [
        keras.layers.GRU(4),
        keras.layers.Bidirectional(keras.layers.LSTM(4)),
        keras.layers.SimpleRNN(4),
        keras.layers.GRU(4),
    ]
    read = (x, x, long, y)
    outputs = [layer(tensor) for layer, tensor in zip(layers, read, strict=True)]
    model = keras.Model([x, y], outputs)
    gru, both, simple, open_ended = layers

    def state() -> list[bool]:
        return [
            layer.unroll
            for layer in (gru, both.forward_layer, both.backward_layer, simple, open_ended)
        ]

    with written_out(model, 999):
        assert state() == [False] * 5
    with pytest.raises(KeyboardInterrupt), written_out(model, 1000):
        assert state() == [True, True, True, False, False]
        raise KeyboardInterrupt
    assert state() == [False] * 5
