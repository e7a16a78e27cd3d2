"""Counting right and wrong, by hand."""

import numpy as np
import pytest

from unspool.errors import UnspoolError
from unspool.evaluation import accuracy, difference, evaluate


def test_accuracy_and_confusion_by_hand():
    outputs = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0, 0.1, 0.9]])
    result = accuracy([outputs], np.array([0, 1, 1, 0]), "litert")
    assert result.confusion == ((1, 0, 1), (1, 1, 0), (0, 0, 0))
    assert (result.samples, result.correct, result.percent) == (4, 2, 50.0)
    assert result.per_class == (50.0, 50.0, None)


def test_one_sigmoid_is_two_classes():
    result = accuracy([np.array([[0.7], [0.2], [0.6]])], np.array([1, 0, 0]), "litert")
    assert result.confusion == ((1, 1), (0, 1))


def test_an_output_in_time_counts_every_step():
    outputs = np.zeros((2, 3, 4))
    outputs[..., 2] = 1
    result = accuracy([outputs], np.full((2, 3), 2), "litert")
    assert (result.samples, result.percent) == (6, 100.0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1]), r"shape \(2,\) .* expected integers of the shape \(4,\)"),
        (np.array([0.0, 1, 2, 0]), "type float64"),
        (np.array([0, 1, 2, 3]), "labels run from 0 to 3, but the model has 3 classes"),
        (np.array([-1, 1, 2, 0]), "labels run from -1"),
    ],
)
def test_labels_that_do_not_fit_say_so(labels, message):
    with pytest.raises(UnspoolError, match=message):
        accuracy([np.zeros((4, 3))], labels, "litert")


def test_several_outputs_have_no_single_accuracy():
    with pytest.raises(UnspoolError, match="the model has 2"):
        accuracy([np.zeros((4, 3))] * 2, np.zeros(4, int), "litert")


def test_difference_by_hand():
    result = difference([np.array([[1.0, 2], [3, 4]])], [np.array([[1.0, 2.5], [3, 3]])])
    assert (result.samples, result.mean, result.largest) == (2, 0.375, 1.0)
    assert result.p99 == pytest.approx(1.0 - 0.5 * 0.03)  # linear between the two largest


def test_keras_and_tflite_are_evaluated_alike(model, int8_tflite, data):
    labels = model.predict(data, verbose=0).argmax(1)
    assert evaluate(model, data, labels).percent == 100.0
    assert evaluate(model, data, labels).runtime == "keras"
    assert evaluate(int8_tflite, data, labels, "tflm").percent >= 90.0
