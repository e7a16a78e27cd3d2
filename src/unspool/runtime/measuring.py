"""What a deployment is worth: its outputs beside the trained model's, wherever they can be run.

A measurement that fails does not stop the others: it is listed as not measured, with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unspool.runtime import quality
from unspool.runtime.forms import Network
from unspool.runtime.labels import Targets
from unspool.runtime.quality import OutputError, Quality
from unspool.runtime.scores import Accuracy, Regression, Score, score
from unspool.runtime.verification import Simulation
from unspool.support.progress import Clock
from unspool.support.text import last_line
from unspool.tflite.outside import Outside

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
    network: Network, calibration: Sequence[np.ndarray], test: Test | None, clock: Clock
) -> Measured:
    """Run every form of a network and compare.

    Args:
        network: in all of its forms.
        calibration: the calibration samples, one array (samples, ...) per input.
        test: to measure accuracy with; None measures none.
        clock: times the stages and reports their progress.

    Raises:
        UnspoolError: the deploy model does not compute what the trained model does.
    """
    work = _Work(network, clock)
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
        outside=network.outside(data) if test is not None else (),
        not_measured=tuple(work.failures),
    )


@dataclass
class _Work:
    """Measures one thing after the other, and notes which measurements fail."""

    network: Network
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
        network, arrays = self.network, list(data)
        with self.clock.stage("compare with the trained model"):
            reference = None
            with self.attempt("the trained model in Keras"):
                reference = network.so_far(network.run("keras", arrays), arrays)
            outputs = None
            with self.attempt("the deploy model in LiteRT"):
                outputs = network.run("float", arrays)
            if outputs and reference:
                errors["unroll_error"] = network.unroll_error(arrays, outputs, reference)
            for place in ("tflm", "litert"):
                quantized = None
                with self.attempt(f"the quantized model in {PLACES[place]}"):
                    quantized = network.run(place, arrays)
                if quantized:
                    break
            self.tflm = quantized if place == "tflm" else None
            if quantized and reference:
                errors |= self._errors(quantized, reference) | {"ran_in": place}
        return errors

    def _errors(self, outputs: list[np.ndarray], reference: list[np.ndarray]) -> dict[str, Any]:
        names, heads = self.network.output_names, self.network.heads
        return {
            "quantization_error": quality.difference(outputs, reference),
            "quality": quality.judge(outputs, reference, names, heads),
        }

    def outputs(
        self, data: Sequence[np.ndarray], places: Sequence[str]
    ) -> dict[str, list[np.ndarray]]:
        """Runtime -> outputs on samples, for each runtime in which the network runs."""
        by_runtime = {}
        for name in places:
            kind = {"keras": "trained model", "npu": "binary"}.get(name, "quantized model")
            with (
                self.clock.stage(f"run in {PLACES[name]}", len(data[0])) as progress,
                self.attempt(f"the {kind} in {PLACES[name]}"),
            ):
                by_runtime[name] = self.network.run(name, data, progress)
                if name == "keras":
                    by_runtime[name] = self.network.so_far(by_runtime[name], data)
        return by_runtime

    def scores(self, outputs: Mapping[str, list[np.ndarray]], test: Test) -> list[Score]:
        """Each scored output in each runtime."""
        names = self.network.output_names
        scores = []
        for place, values in outputs.items():
            for number, targets in test.targets.items():
                name = names[number] if len(names) > 1 else ""
                with self.attempt(f"output {names[number]!r} in {PLACES[place]}"):
                    wanted = targets.so_far(values[number]) if self.network.is_late else targets
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
        return self.network.compared(data, simulated, tflm)
