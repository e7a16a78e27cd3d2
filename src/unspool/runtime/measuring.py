"""What a deployment is worth: its outputs beside the trained model's, wherever they can be run.

A measurement that fails does not stop the others: it is listed as not measured, with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unspool.compilation.compiled import Compiled
from unspool.runtime import evaluation, prediction, quality
from unspool.runtime.labels import Targets
from unspool.runtime.quality import OutputError, Quality
from unspool.runtime.scores import Accuracy, Regression, Score, score
from unspool.runtime.unroll_error import unroll_error
from unspool.runtime.verification import Simulation, compare
from unspool.support.progress import Clock
from unspool.support.text import last_line
from unspool.tflite.outside import Outside
from unspool.tflite.signature import Signature

PLACES = {"keras": "Keras", "litert": "LiteRT", "tflm": "TFLM", "npu": "the NPU's simulator"}


@dataclass(frozen=True)
class NotMeasured:
    """A measurement that could not be made.

    Attributes:
        what: such as "int8 model in LiteRT".
        reason: in one line.
    """

    what: str
    reason: str


@dataclass(frozen=True)
class Forms:
    """The forms of one network.

    Attributes:
        trained: the Keras model.
        float_tflite: bytes of its deploy model, in float.
        quantized_tflite: bytes of the quantized file.
        compiled: the binary.
    """

    trained: Any
    float_tflite: bytes
    quantized_tflite: bytes
    compiled: Compiled


@dataclass(frozen=True)
class Test:
    """Test samples, and what outputs should have been.

    Attributes:
        data: one array (samples, ...) per input.
        targets: number of an output -> its targets.
    """

    __test__ = False  # for pytest

    data: Sequence[np.ndarray]
    targets: Mapping[int, Targets]


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        unroll_error: outputs of the deploy model against the trained model's, both float; None
            where it was not measured.
        quantization_error: outputs of the quantized model against the trained model's.
        quality: the errors of the quantized model, column by column and class by class, on the
            calibration samples; None where it was not measured.
        ran_in: what ran the quantized model for both: "tflm", or "litert" where TFLM has no kernel
            for it.
        accuracies: on the test samples, per runtime and output of classes.
        regressions: on the test samples, per runtime and output of values.
        simulation: the binary beside the quantized model.
        outside: inputs for which test samples lie outside of the calibrated range.
        not_measured: what could not be measured, and why.
    """

    unroll_error: OutputError | None = None
    quantization_error: OutputError | None = None
    quality: Quality | None = None
    ran_in: str = "tflm"
    accuracies: tuple[Accuracy, ...] = ()
    regressions: tuple[Regression, ...] = ()
    simulation: Simulation = field(default_factory=lambda: Simulation(0, 0, "it was not run"))
    outside: tuple[Outside, ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()


def measure(
    forms: Forms, calibration: Sequence[np.ndarray], test: Test | None, clock: Clock
) -> Measured:
    """Run every form of a network and compare.

    Args:
        forms: the forms.
        calibration: the calibration samples, one array (samples, ...) per input.
        test: to measure accuracy with; None measures none.
        clock: times the stages and reports their progress.

    Raises:
        UnspoolError: the deploy model does not compute what the trained model does.
    """
    work = _Work(forms, clock)
    errors = work.on_calibration(calibration)
    data = calibration if test is None else test.data
    outputs = {} if test is None else work.outputs(data, ("keras", "litert", "tflm"))
    tflm = work.tflm if test is None else outputs.get("tflm")
    simulated = work.outputs(data, ("npu",)).get("npu")
    scores = []
    if test is not None:
        scores = work.scores(outputs | ({"npu": simulated} if simulated else {}), test)
    return Measured(
        **errors,
        accuracies=tuple(s for s in scores if isinstance(s, Accuracy)),
        regressions=tuple(s for s in scores if isinstance(s, Regression)),
        simulation=work.simulation(data, simulated, tflm),
        outside=Signature(forms.quantized_tflite).outside(data) if test is not None else (),
        not_measured=tuple(work.failures),
    )


@dataclass
class _Work:
    """Measures one thing after the other, and notes which measurements fail."""

    forms: Forms
    clock: Clock
    failures: list[NotMeasured] = field(default_factory=list)
    tflm: list[np.ndarray] | None = None  # outputs on the calibration samples

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Note any exception that the block raises as not measured, and go on."""
        try:
            yield
        except Exception as error:
            self.failures.append(NotMeasured(what, last_line(error)))

    def on_calibration(self, data: Sequence[np.ndarray]) -> dict[str, Any]:
        """Errors of the deploy model and of the quantized model, without labels."""
        errors: dict[str, Any] = {}
        forms = self.forms
        arrays = list(data)
        with self.clock.stage("compare with the trained model"):
            reference = None
            with self.attempt("the trained model in Keras"):
                reference = self.so_far(evaluation.predict(forms.trained, arrays), arrays)
            outputs = None
            with self.attempt("the deploy model in LiteRT"):
                outputs = prediction.predict(forms.float_tflite, arrays, "litert")
            if outputs and reference:
                errors["unroll_error"] = unroll_error(
                    forms.trained, Signature(forms.float_tflite), arrays, outputs, reference
                )
            for place in ("tflm", "litert"):
                quantized = None
                with self.attempt(f"the quantized model in {PLACES[place]}"):
                    quantized = prediction.predict(forms.quantized_tflite, arrays, place)
                if quantized:
                    break
            self.tflm = quantized if place == "tflm" else None
            if quantized and reference:
                errors |= self._errors(quantized, reference) | {"ran_in": place}
        return errors

    def so_far(self, whole: list[np.ndarray], data: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of a trained model's outputs of sequences, what a stream has given at their end."""
        return Signature(self.forms.quantized_tflite).so_far(whole, data)

    def _errors(self, outputs: list[np.ndarray], reference: list[np.ndarray]) -> dict[str, Any]:
        signature = Signature(self.forms.quantized_tflite)
        return {
            "quantization_error": quality.difference(outputs, reference),
            "quality": quality.judge(outputs, reference, signature.output_names, signature.heads),
        }

    def outputs(
        self, data: Sequence[np.ndarray], places: Sequence[str]
    ) -> dict[str, list[np.ndarray]]:
        """Runtime -> outputs on samples, for each runtime in which the network runs."""
        by_runtime = {}
        forms = {
            "keras": self.forms.trained,
            "npu": self.forms.compiled.tflite,
        }
        for name in places:
            subject = forms.get(name, self.forms.quantized_tflite)
            kind = {"keras": "trained model", "npu": "binary"}.get(name, "quantized model")
            with (
                self.clock.stage(f"run in {PLACES[name]}", len(data[0])) as progress,
                self.attempt(f"the {kind} in {PLACES[name]}"),
            ):
                by_runtime[name] = evaluation.predict(subject, list(data), name, progress)
                if name == "keras":
                    by_runtime[name] = self.so_far(by_runtime[name], data)
        return by_runtime

    def scores(self, outputs: Mapping[str, list[np.ndarray]], test: Test) -> list[Score]:
        """Each scored output in each runtime."""
        signature = Signature(self.forms.quantized_tflite)
        names = signature.output_names
        scores = []
        for place, values in outputs.items():
            for number, targets in test.targets.items():
                name = names[number] if len(names) > 1 else ""
                with self.attempt(f"output {names[number]!r} in {PLACES[place]}"):
                    wanted = targets.so_far(values[number]) if signature.is_late else targets
                    scores.append(score(values[number], wanted, place, name))
        return scores

    def simulation(
        self,
        data: Sequence[np.ndarray],
        simulated: list[np.ndarray] | None,
        tflm: list[np.ndarray] | None,
    ) -> Simulation:
        """The binary beside the quantized model."""
        if simulated is None:  # an accelerator or an operation that it does not simulate
            return Simulation(0, 0, self.failures[-1].reason)
        if tflm is None:
            return Simulation(0, 0, "there is nothing to compare it with: TFLM did not run")
        forms = self.forms
        return compare(forms.compiled, forms.quantized_tflite, data, simulated, tflm)
