"""What accuracy is lost on the way to the device, output by output."""

from dataclasses import dataclass

from unspool.report.report import Report
from unspool.runtime.scores import Accuracy

_PLACES = ("tflm", "npu", "litert")  # firmware runs TFLM; others stand in where that has no kernel


@dataclass(frozen=True)
class Loss:
    """The accuracy of an output of the quantized model beside the trained model's.

    Attributes:
        trained: in Keras.
        quantized: in TFLM, or else where it was measured.
    """

    trained: Accuracy
    quantized: Accuracy

    @property
    def points(self) -> float:
        """Points of accuracy that are lost; below 0 where it is better."""
        return self.trained.percent - self.quantized.percent


def losses(report: Report) -> tuple[Loss, ...]:
    """What each output of classes loses, the most first; empty where that is not known."""
    accuracies = report.measured.accuracies if report.measured else ()
    found = {(accuracy.output, accuracy.runtime): accuracy for accuracy in accuracies}
    pairs = []
    for trained in accuracies:
        ran = (found.get((trained.output, place)) for place in _PLACES)
        quantized = next(filter(None, ran), None)
        if trained.runtime == "keras" and quantized:
            pairs.append(Loss(trained, quantized))
    return tuple(sorted(pairs, key=lambda pair: -pair.points))


def in_words(points: float) -> str:
    """An accuracy beside the trained model's."""
    if abs(points) < 0.005:
        return "as the trained model"
    side = "below" if points > 0 else "above"
    return f"{abs(points):.2f} points {side} the trained model"
