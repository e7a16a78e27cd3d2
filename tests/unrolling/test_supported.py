"""Every case of `cases`, at a few steps and at many, int8 and int16.

Keras says what is right, Vela where it runs, TFLM which bytes the binary gives.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import slow
from cases import CASES, SELDOM, Case
from cases.core import trained
from cases.exceptions import TABLE, Differs, Exceptional, Fault, OnCpu, exception
from cases.page import PAGE, page
from cases.trial import CALIBRATION, UNSEEN, Trial, attempt, levels
from conftest import computing_at_once

from unspool import Deployment
from unspool.compilation import vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.targets import target
from unspool.inspection.inspecting import inspect
from unspool.runtime.session import Session

OTHERS = ("ethos-u65-256", "ethos-u85-256")
SIMULATED = ("ethos-u55-128", "ethos-u65-256")


@dataclass(frozen=True)
class Variant:
    """A case at a number of steps, quantized to a type."""

    case: Case
    steps: int
    activations: str

    def __str__(self) -> str:
        return f"{self.case.group}: {self.case.name}, {self.steps} steps, {self.activations}"

    @property
    def is_slow(self) -> bool:
        """Left to `make test-all`."""
        if self.case.name in SELDOM:
            return True
        few = self.steps == self.case.lengths[0] and self.steps < 100
        is_int8 = self.activations == "int8"
        if self.case.often:
            drawn = slow.is_drawn(self.case.name, 3 if few else 5)
            return not (few and is_int8) and not (drawn and (few or is_int8))
        return not (few and is_int8 and slow.is_drawn(self.case.name, 3))

    @property
    def exception(self) -> Exceptional | None:
        return exception(self.case, self.steps, self.activations)

    def attempt(self) -> Trial:
        """Deploy; Keras's answers come from its graph where the variant is slow."""
        with computing_at_once(not self.is_slow):
            return attempt(self.case, self.steps, self.activations)


VARIANTS = [
    Variant(case, steps, activations)
    for case in CASES
    for steps in case.lengths
    for activations in ("int8", "int16")
]


def becoming(*kinds: type) -> pytest.MarkDecorator:
    """Variants of which this becomes; what `make test-all` alone runs is marked as slow."""
    chosen = []
    for variant in VARIANTS:
        known = variant.exception
        if not isinstance(known, kinds):
            continue
        marks = [pytest.mark.slow] * variant.is_slow
        if isinstance(known, Fault):
            marks.append(pytest.mark.xfail(reason=known.reason, strict=True))
        chosen.append(pytest.param(variant, id=str(variant), marks=marks))
    return pytest.mark.parametrize("variant", chosen)


@pytest.mark.one_in(2)
@becoming(Differs, Fault, type(None))
def test_it_is_deployed(variant: Variant) -> None:
    trial = variant.attempt()
    assert_measured(trial.done)
    assert_small_errors(trial.done, *variant.case.bounds(variant.activations))
    compiled = {"ethos-u55-128": trial.done.compiled}
    if variant.is_slow:
        for accelerator in OTHERS:
            compiled[accelerator] = vela.compile(trial.done.quantized_tflite, target(accelerator))
    differs = variant.exception if isinstance(variant.exception, Differs) else None
    for accelerator, binary in compiled.items():
        assert on_cpu(binary) == []
        if accelerator in SIMULATED:
            assert_bytes(levels(trial, binary), differs)


@becoming(OnCpu)
def test_it_is_told_what_stays_on_the_cpu(variant: Variant) -> None:
    known, done = variant.exception, variant.attempt().done
    assert isinstance(known, OnCpu)
    kinds = {kind.upper() for kind, *_ in on_cpu(done.compiled)}  # as Vela spells them
    assert kinds == {known.kind.replace("_", "")}
    assert known.kind in done.simulation.reason
    verdicts = inspect(trained(variant.case, variant.steps), activations=variant.activations)
    assert "cpu" in {verdict.action for verdict in verdicts}  # `deploy` would refuse it without
    assert_small_errors(done, *variant.case.bounds(variant.activations))


def on_cpu(compiled: Compiled) -> list[tuple[str, str, str]]:
    return [(op.kind, op.name, op.reason) for op in compiled.cpu_operators]


def assert_measured(done: Deployment) -> None:
    """Nothing was left out, and the deploy model is the trained one."""
    assert done.measured.not_measured == ()
    assert done.unroll_error is not None  # deploy refuses a larger one than 1e-5
    assert done.simulation.samples == CALIBRATION
    session = Session(done.quantized_tflite)
    types = {tensor.dtype for tensor in (*session.inputs, *session.outputs)}
    assert types == {np.dtype(done.activations)}


def assert_small_errors(done: Deployment, mean: float, largest: float) -> None:
    """Against Keras, as shares of what a column ranges over; of classes, of the whole output's."""
    quality = done.measured.quality
    assert quality is not None
    classes = {entry.output for entry in quality.agreements}
    for column in quality.columns:
        beside = [each for each in quality.columns if each.output == column.output]
        whole = max(c.maximum for c in beside) - min(c.minimum for c in beside)
        width = column.maximum - column.minimum
        share = width / whole if column.output in classes else 1.0
        assert share * column.mean < 100 * mean, column
        assert share * column.largest < 100 * largest, column


def assert_bytes(gaps: np.ndarray, differs: Differs | None) -> None:
    """TFLM's on every sample; or others, within the bounds of the exception."""
    assert len(gaps) == CALIBRATION + UNSEEN
    if differs is None:
        assert (gaps == 0).all(axis=1).sum() == len(gaps)
        return
    assert gaps.max() <= differs.levels
    assert (gaps > 0).mean() <= differs.share
    assert gaps.any() or differs.seldom, "the exception is none any more: take it out"


def test_every_exception_is_of_a_case() -> None:
    variants = {(v.case.name, v.activations, v.steps) for v in VARIANTS}
    for name, activations, steps in TABLE:
        assert any(
            (name, activations) == known[:2] and steps in (None, known[2]) for known in variants
        ), f"no case {name!r} at {steps} steps"


def test_the_names_of_cases_are_different() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text() == page(), "run PYTHONPATH=tests python -m cases"
