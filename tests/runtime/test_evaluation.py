"""Counting right and wrong, and errors of values, by hand; what labels mean beside each head."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unspool.errors import UnspoolError
from unspool.frontend.heads import heads
from unspool.frontend.keras_file import load
from unspool.report.numbers import counted
from unspool.runtime.evaluation import evaluate, predict
from unspool.runtime.labels import check_test, fitted
from unspool.runtime.quality import agreement, columns, difference, judge
from unspool.runtime.scores import Accuracy, Regression, Score, score
from unspool.support._tensorflow import keras
from unspool.tflite.heads import VALUES, Head

L = keras.layers
LOSSES = keras.losses
CLASSES = Head("classes")
SIGMOID = Head("binary", 0.5)
LOGIT = Head("binary", 0.0)


def scored(head: Head, outputs: np.ndarray, labels: np.ndarray) -> Score:
    return score(outputs, fitted(head, labels, outputs.shape, "test data"), "litert")


def accuracy(head: Head, outputs: np.ndarray, labels: np.ndarray) -> Accuracy:
    result = scored(head, outputs, labels)
    assert isinstance(result, Accuracy)
    return result


def test_accuracy_and_confusion_by_hand() -> None:
    outputs = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0, 0.1, 0.9]])
    result = accuracy(CLASSES, outputs, np.array([0, 1, 1, 0]))
    assert result.confusion == ((1, 0, 1), (1, 1, 0), (0, 0, 0))
    assert (result.samples, result.correct, result.percent) == (4, 2, 50.0)
    assert result.per_class == (50.0, 50.0, None)


@pytest.mark.parametrize(
    ("head", "labels", "width", "expected"),
    [
        (CLASSES, [0, 2], 3, "2 test samples"),
        (CLASSES, [[0, 2, 1, 1], [0, 0, 1, 2]], 3, "8 time steps of the test samples"),
        (SIGMOID, [0, 1], 1, "2 test samples"),
        (SIGMOID, [[0, 1, 1, 1], [0, 0, 1, 0]], 1, "8 time steps of the test samples"),
        (SIGMOID, [[0, 1, 1], [1, 0, 0]], 3, "6 columns of the test samples"),
    ],
)
def test_what_is_counted_is_said(head: Head, labels: Any, width: int, expected: str) -> None:
    """Who gave 2 samples of 4 steps is not told of 8 test samples."""
    shape = np.shape(labels) if width == np.shape(labels)[-1] else (*np.shape(labels), width)
    measurement = accuracy(head, np.zeros(shape), np.array(labels))
    assert counted(measurement, "test") == expected


def test_one_hot_labels_are_classes() -> None:
    outputs = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0]])
    assert accuracy(CLASSES, outputs, np.array([[1.0, 0, 0], [0, 0, 1]])).percent == 50.0


def test_one_sigmoid_is_two_classes() -> None:
    result = accuracy(SIGMOID, np.array([[0.7], [0.2], [0.6]]), np.array([1, 0, 0]))
    assert result.confusion == ((1, 1), (0, 1))


@pytest.mark.parametrize("labels", [[1, 0, 0], [[1], [0], [0]], [1, -1, -1], [[1.0], [0.0], [0]]])
def test_a_logit_is_cut_at_0_whatever_form_yes_and_no_have(labels: Any) -> None:
    outputs = np.array([[0.2], [-0.3], [0.4]])
    assert accuracy(LOGIT, outputs, np.array(labels)).confusion == ((1, 1), (0, 1))


def test_names_that_no_graph_of_tensorflow_takes_are_predicted_without_one() -> None:
    x = keras.Input((3, 2), name="Größe in mm")
    model = keras.Model(x, L.GRU(4, name="übrig")(x))
    data = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    (outputs,) = predict(model, data)
    np.testing.assert_allclose(outputs, model(data), atol=1e-6)
    after = L.Dense(1, name="after")
    after.build((None, 2))
    assert after.kernel.path == "after/kernel", "the name of what comes next begins with no other"


def test_several_answers_of_one_output_are_counted_each() -> None:
    outputs = np.array([[0.9, 0.1], [0.8, 0.7]])
    result = accuracy(SIGMOID, outputs, np.array([[1, 0], [1, 0]]))
    assert (result.samples, result.correct) == (4, 3)


def test_an_output_in_time_counts_every_step() -> None:
    outputs = np.zeros((2, 3, 4))
    outputs[..., 2] = 1
    result = accuracy(CLASSES, outputs, np.full((2, 3), 2))
    assert (result.samples, result.percent) == (6, 100.0)


def test_values_by_hand() -> None:
    outputs, targets = np.array([[1.0, 10], [3, 30]]), np.array([[2.0, 10], [4, 10]])
    result = scored(VALUES, outputs, targets)
    assert isinstance(result, Regression)
    assert result.rmse == pytest.approx(np.sqrt((1 + 1 + 0 + 400) / 4))
    assert result.mae == pytest.approx((1 + 1 + 0 + 20) / 4)
    assert list(result.columns) == [pytest.approx((1, 1)), pytest.approx((np.sqrt(200), 10))]
    assert result.r2 == pytest.approx(0.0)  # an error as large as the spread; column 1 has none


def test_integers_beyond_0_and_1_are_values_of_a_single_column() -> None:
    head = Head("values", 0.5, "mean_squared_error")
    result = scored(head, np.array([[9.0], [5]]), np.array([9, 4]))
    assert isinstance(result, Regression) and result.mae == 0.5


@pytest.mark.parametrize(
    ("head", "labels", "message"),
    [
        (CLASSES, np.array([0, 1]), r"shape \(2,\) .* expected classes, integers .* \(4,\)"),
        (CLASSES, np.array([0.0, 1, 2, 0]), "type float64"),
        (CLASSES, np.array([0, 1, 2, 3]), "labels run from 0 to 3, but the model has 3 classes"),
        (CLASSES, np.array([-1, 1, 2, 0]), "labels run from -1"),
        (CLASSES, np.array(["a"] * 4), "labels have the type <U1, expected numbers"),
        (VALUES, np.full((4, 3), np.nan), "12 of 12 labels are NaN or infinite"),
        (SIGMOID, np.full((4, 3), 7), "labels are 7, but the model says yes or no"),
    ],
)
def test_labels_that_do_not_fit_say_so(head: Head, labels: np.ndarray, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        fitted(head, labels, (4, 3), "test data")


def compiled(loss: Any, *head: Any) -> Any:
    model = keras.Sequential([keras.Input((3, 2)), L.GRU(4), *head])
    if loss:
        model.compile(loss=loss)
    return model


HEADS = {
    "softmax": (None, [L.Dense(3, "softmax")], ("classes", 0.0)),
    "softmax layer": (None, [L.Dense(3), L.Softmax()], ("classes", 0.0)),
    "logits of classes": (
        LOSSES.SparseCategoricalCrossentropy(from_logits=True),
        [L.Dense(3)],
        ("classes", 0.0),
    ),
    "sigmoid": ("binary_crossentropy", [L.Dense(1, "sigmoid")], ("binary", 0.5)),
    "sigmoid, not compiled": (None, [L.Dense(1, "sigmoid")], ("binary", 0.5)),
    "one logit": (LOSSES.BinaryCrossentropy(from_logits=True), [L.Dense(1)], ("binary", 0.0)),
    "hinge of tanh": ("hinge", [L.Dense(1, "tanh")], ("binary", 0.0)),
    "tanh": ("mse", [L.Dense(1, "tanh")], ("values", 0.0)),
    "mse": ("mse", [L.Dense(1)], ("values", 0.5)),
    "nothing known": (None, [L.Dense(1)], ("values", 0.0)),
    "an autoencoder's sigmoids": ("mse", [L.Dense(4, "sigmoid")], ("values", 0.5)),
    "several yes and no": ("binary_crossentropy", [L.Dense(4, "sigmoid")], ("binary", 0.5)),
}


@pytest.mark.parametrize("name", HEADS)
def test_an_output_is_read_as_the_model_was_compiled(name: str, tmp_path: Path) -> None:
    loss, head, expected = HEADS[name]
    model = compiled(loss, *(type(layer).from_config(layer.get_config()) for layer in head))
    (output_head,) = heads(model)
    assert (output_head.kind, output_head.threshold) == expected
    model.save(tmp_path / "m.keras")
    assert heads(load(tmp_path / "m.keras")) == (output_head,)


def two_outputs() -> Any:
    x = keras.Input((3, 2), name="x")
    h = L.GRU(4)(x)
    return keras.Model(x, {"rul": L.Dense(1)(h), "fault": L.Dense(3, "softmax")(h)})


def test_several_outputs_take_labels_by_name() -> None:
    model, x = two_outputs(), np.zeros((5, 3, 2), np.float32)
    labels = {"rul": np.arange(5.0), "fault": np.zeros(5, int)}
    _, targets = check_test(model, (x, labels))
    assert [targets[n].head.kind for n in (0, 1)] == ["classes", "values"]  # in Keras's order
    assert isinstance(evaluate(model, x, labels["rul"], output="rul"), Regression)
    assert isinstance(evaluate(model, x, labels["fault"], output="fault"), Accuracy)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(5, int), "the model has the outputs fault, rul; give labels by name"),
        ({"rule": np.zeros(5)}, "labels for rule, but the model has fault, rul"),
        ({}, "labels for no output, but the model has fault, rul"),
        ({"fault": np.zeros(4, int)}, r"output 'fault': labels have the shape \(4,\)"),
    ],
)
def test_labels_of_several_outputs_that_do_not_fit_say_so(labels: Any, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        check_test(two_outputs(), (np.zeros((5, 3, 2)), labels))


def test_which_of_several_outputs_must_be_said() -> None:
    with pytest.raises(UnspoolError, match="the model has the outputs fault, rul: say which"):
        evaluate(two_outputs(), np.zeros((5, 3, 2)), np.zeros(5))


def test_difference_by_hand() -> None:
    result = difference([np.array([[1.0, 2], [3, 4]])], [np.array([[1.0, 2.5], [3, 3]])])
    assert (result.samples, result.mean, result.largest) == (2, 0.375, 1.0)
    assert result.p99 == pytest.approx(1.0 - 0.5 * 0.03)  # linear between the two largest


def test_columns_have_errors_of_their_own_range() -> None:
    exact = np.array([[0.0, 100], [1, 110], [2, 120]])
    column_errors = columns("y", exact + np.array([0.1, 5]), exact)
    assert [c.mean for c in column_errors] == pytest.approx([5.0, 25.0])  # of 2 and of 20
    assert (column_errors[1].minimum, column_errors[1].maximum) == (100, 120)
    assert column_errors[0].snr == pytest.approx(10 * np.log10(np.var([0, 1, 2]) / 0.01))
    assert [c.values for c in column_errors] == [3, 3]


def test_a_column_that_does_not_vary_is_held_against_its_size() -> None:
    (column,) = columns("y", np.full((4, 1), 4.9), np.full((4, 1), 5.0))
    assert column.mean == pytest.approx(2.0)
    assert column.snr is None


def test_agreement_needs_no_labels() -> None:
    exact = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    counts = agreement("y", CLASSES, np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]), exact)
    assert (counts.answers, counts.equal) == (3, 2)


def test_what_is_worth_a_word() -> None:
    steps = np.linspace(0, 1, 200)[:, None]
    good = judge([steps + 0.01], [steps], ["y"], [VALUES])
    coarse = judge([np.round(steps * 8) / 8], [steps], ["y"], [VALUES])
    assert not good.is_poor
    assert [column.values for column in coarse.poor] == [9]
    flipped = judge([1 - steps], [steps], ["y"], [SIGMOID])
    assert flipped.unlike and not flipped.poor


def test_keras_and_tflite_are_evaluated_alike(
    model: Any, int8_tflite: bytes, data: np.ndarray
) -> None:
    labels = model.predict(data, verbose=0).argmax(1)
    trained, quantized = evaluate(model, data, labels), evaluate(int8_tflite, data, labels, "tflm")
    assert isinstance(trained, Accuracy) and isinstance(quantized, Accuracy)
    assert trained.percent == 100.0
    assert trained.runtime == "keras"
    assert quantized.percent >= 90.0


def test_labels_of_every_step_have_the_length_that_pooling_leaves() -> None:
    x = keras.Input((None, 4))
    y = L.MaxPooling1D(2)(L.GRU(6, return_sequences=True)(x))
    model = keras.Model(x, L.Dense(3)(y))
    data, wanted = np.zeros((5, 37, 4)), np.zeros((5, 18, 3))
    _, targets = check_test(model, (data, wanted), 37)
    assert targets[0].wanted.shape == (5, 18, 3)
    with pytest.raises(UnspoolError, match=r"shape \(5, 37, 3\).*of the shape \(5, 18, 3\)"):
        check_test(model, (data, np.zeros((5, 37, 3))), 37)
