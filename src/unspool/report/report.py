"""The report: every figure of a deployment with its unit and its origin, a verdict, and advice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from unspool.compilation.budgets import Breach, Budget
from unspool.compilation.call_costs import CallCost
from unspool.compilation.compiled import Compiled
from unspool.compilation.in_parts import CompiledPart, CompiledParts
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.waiting import Wait
from unspool.quantization.calibration import Calibration, Round
from unspool.remedies.remedy import Remedy
from unspool.report.compression import Compression
from unspool.report.figure import Figure
from unspool.runtime.drift import Drift
from unspool.runtime.measuring import Measured
from unspool.runtime.scores import Accuracy
from unspool.runtime.verification import Simulation
from unspool.tflite.names import Steps


@dataclass(frozen=True)
class Check:
    """One part of the verdict.

    Attributes:
        state: "good", "bad" or "open", which means that it is unknown or that nothing is required.
        text: what was found.
    """

    state: Literal["good", "bad", "open"]
    text: str

    @property
    def sign(self) -> str:
        """The state as a sign, for those who see no colour."""
        return {"good": "✓", "bad": "✗"}.get(self.state, "–")

    @property
    def word(self) -> str:
        """The state as a word, for those who hear the page, and for plain text."""
        return {"good": "Good", "bad": "Attention"}.get(self.state, "Note")


@dataclass(frozen=True)
class Advice:
    """Something to do.

    Attributes:
        text: what the figures say and what would help.
        command: that does it; empty where it is done in the model or in the data.
        because: ids of the figures that it is based on.
        gain: the share that it saves, 0 to 1, of cycles or of an error; advice is sorted by it.
    """

    text: str
    command: str
    because: tuple[str, ...]
    gain: float = 1.0


@dataclass(frozen=True)
class Report:
    """What a run found, ready to be rendered.

    Attributes:
        model: what was deployed: name, inputs, outputs, parameters.
        figures: in the order in which they are shown.
        compiled: Vela's results.
        seconds: stage -> wall-clock seconds.
        created: when, UTC.
        versions: package -> version.
        measured: what was measured; None where a file was compiled alone.
        calibration: the ranges, for the pictures; None where a file was compiled alone.
        quantized_tflite: what was compiled, for the picture of a step; else empty.
        steps: reads the names of tensors.
        warnings: what is likely to go wrong with the calibration data, in a line each.
        remedies: what was tried against too large an error.
        drift: of a stream.
        resident: weights that are kept in SRAM; None where that was not requested.
        compression: how the model was compressed, where it was.
        call_costs: what other numbers of steps per call cost, where they were tried.
        wait: what the NPU waits for while it reads weights; None where it does not.
        budget: the limits that it is compared with; None where there are none.
        breaches: the limits of the budget that it breaks, or is not known to keep.
        verdict: part by part, what matters most first.
        advice: what to do next, from the figures.
    """

    model: Mapping[str, Any]
    figures: tuple[Figure, ...]
    compiled: Compiled
    seconds: Mapping[str, float]
    created: datetime
    versions: Mapping[str, str]
    measured: Measured | None = None
    calibration: Calibration | None = field(default=None, repr=False)
    quantized_tflite: bytes = field(default=b"", repr=False)
    steps: Steps = field(default=Steps((), ()), repr=False)
    warnings: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    drift: Drift | None = None
    resident: Resident | None = None
    compression: Compression | None = None
    call_costs: tuple[CallCost, ...] = ()
    wait: Wait | None = None
    budget: Budget | None = None
    breaches: tuple[Breach, ...] = ()
    verdict: tuple[Check, ...] = ()
    advice: tuple[Advice, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """What the figures can be compared with: "guide", "before"."""
        names = ("guide", "before")
        return tuple(n for n in names if any(getattr(f, n) is not None for f in self.figures))

    @property
    def parts(self) -> tuple[CompiledPart, ...]:
        """The binaries of a network in parts; of a network of one binary none."""
        return self.compiled.parts if isinstance(self.compiled, CompiledParts) else ()

    @property
    def rounds(self) -> tuple[Round, ...]:
        """Of calibrating a stream."""
        return self.calibration.rounds if self.calibration else ()

    @property
    def accuracies(self) -> tuple[Accuracy, ...]:
        """On the test samples, of outputs of classes."""
        return self.measured.accuracies if self.measured else ()

    @property
    def simulation(self) -> Simulation | None:
        """The binary beside the quantized model; None where nothing was run."""
        return self.measured.simulation if self.measured else None

    @property
    def made_resident(self) -> Resident | None:
        """The weights that are kept in SRAM; None where none are."""
        return self.resident if self.resident and not self.resident.reason else None

    @property
    def values(self) -> dict[str, float]:
        """Figure id -> value."""
        return {figure.id: figure.value for figure in self.figures}
