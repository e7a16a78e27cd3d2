"""What accuracy is lost on the way to the device, output by output."""

from dataclasses import dataclass

from unspool.compilation.kinds import ACCURACY
from unspool.report.report import Report
from unspool.runtime.scores import Accuracy

BEFORE = "the model before it was compressed"

_PLACES = ("tflm", "npu", "litert")  # firmware runs TFLM; others stand in where that has no kernel


@dataclass(frozen=True)
class Loss:
    """The accuracy of an output of the quantized model beside the trained model's.

    Attributes:
        trained: in Keras.
        quantized: in TFLM, or else where it was measured.
        before: percent, in Keras, of the model before it was compressed; None where it was not.
    """

    trained: Accuracy
    quantized: Accuracy
    before: float | None = None

    @property
    def points(self) -> float:
        """Points of accuracy that quantization loses; below 0 where it is better."""
        return self.trained.percent - self.quantized.percent

    @property
    def in_all(self) -> float:
        """Points of accuracy that are lost, to compression as to quantization."""
        before = self.trained.percent if self.before is None else self.before
        return before - self.quantized.percent

    def __str__(self) -> str:
        """The accuracy beside that of the model as the user had it."""
        model = "the trained model" if self.before is None else BEFORE
        if abs(self.in_all) < 0.005:
            return f"as {model}"
        side = "below" if self.in_all > 0 else "above"
        return f"{abs(self.in_all):.2f} points {side} {model}"


def losses(report: Report) -> tuple[Loss, ...]:
    """What each output of classes loses, the most first; empty where that is not known."""
    accuracies = report.measured.accuracies if report.measured else ()
    by_runtime = {(accuracy.output, accuracy.runtime): accuracy for accuracy in accuracies}
    pairs = []
    for trained in accuracies:
        ran = (by_runtime.get((trained.output, place)) for place in _PLACES)
        quantized = next(filter(None, ran), None)
        if trained.runtime == "keras" and quantized:
            key = ACCURACY.of("keras", trained.output)
            before = report.compression.before.get(key) if report.compression else None
            pairs.append(Loss(trained, quantized, before))
    return tuple(sorted(pairs, key=lambda pair: -pair.points))
