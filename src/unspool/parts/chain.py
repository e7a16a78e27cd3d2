"""The parts of a network, run one after the other, in any runtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.compilation.in_parts import CompiledParts
from unspool.compilation.residency.keeping import Resident, in_all
from unspool.frontend import structure
from unspool.frontend.heads import heads
from unspool.parts.cutting import Cut
from unspool.parts.forms import Forms
from unspool.runtime import evaluation, linked, prediction, unroll_error
from unspool.runtime.forms import Network
from unspool.runtime.linked import Linked, taken
from unspool.runtime.quality import OutputError
from unspool.runtime.verification import Simulation, compare, equal
from unspool.support.progress import Progress
from unspool.tflite.heads import Head
from unspool.tflite.outside import Outside


@dataclass(frozen=True)
class Chain(Network):
    """A network in parts, in all of its forms.

    Attributes:
        trained: the Keras model.
        cut: how it is in parts.
        parts: one for each of the cut's.
    """

    trained: Any
    cut: Cut
    parts: tuple[Forms, ...]

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return structure.output_names(self.trained)

    @property
    def heads(self) -> Sequence[Head]:
        """How the outputs are read."""
        return heads(self.trained)

    def run(
        self, place: str, data: Sequence[np.ndarray], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Outputs of one of its forms: "float" for the deploy models, or a runtime."""
        if place == "keras":
            return evaluation.predict(self.trained, list(data), place, progress)
        values = self.values(place, data, progress)
        return [values[name] for name in self.cut.ends.outputs]

    def values(
        self, place: str, data: Sequence[np.ndarray], progress: Progress | None = None
    ) -> dict[str, np.ndarray]:
        """The network's inputs and all that parts give: name -> (samples, ...)."""
        runtime = "litert" if place == "float" else place
        return linked.run(self._linked(place), linked.fed(self.cut.ends, data), runtime, progress)

    def _linked(self, place: str) -> list[Linked]:
        return [Linked(p.form(place), p.part.inputs, p.part.outputs) for p in self.parts]

    def unroll_error(
        self, data: list[np.ndarray], outputs: list[np.ndarray], reference: list[np.ndarray]
    ) -> OutputError:
        """The deploy models' outputs against the trained model's."""
        masks = dict.fromkeys(self.cut.ends.inputs, self.cut.ends.masks)
        return unroll_error.unroll_error(self.trained, masks, data, outputs, reference)

    def resident(self, compiled: CompiledParts) -> Resident | None:
        """The weights that its binaries keep in SRAM; None where that was not asked for."""
        each = [part.resident for part in self.parts if part.resident is not None]
        return in_all(each, compiled) if each else None

    def outside(self, data: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """Inputs of the network whose range some of the samples exceed."""
        return linked.outside(self._linked("tflm"), linked.fed(self.cut.ends, data))

    def compared(
        self,
        data: Sequence[np.ndarray],
        simulated: list[np.ndarray],
        tflm: list[np.ndarray],
    ) -> Simulation:
        """The simulated binaries' outputs beside those of the quantized models."""
        same = equal(simulated, tflm)
        first = ""
        if not same.all():
            number = int(np.argmin(same))
            first = self._first_difference([array[number : number + 1] for array in data])
        return Simulation(len(same), int(same.sum()), first_difference=first)

    def _first_difference(self, sample: list[np.ndarray]) -> str:
        """The first operator of the first part that differs on one sample."""
        values = self.values("tflm", sample)
        for number, each in enumerate(self.parts, 1):
            read = taken(each.part.inputs, values)
            outputs = [
                prediction.predict(each.form(place), read, place) for place in ("npu", "tflm")
            ]
            simulation = compare(each.binary.compiled, each.quantized_tflite, read, *outputs)
            if simulation.equal < simulation.samples:
                return f"{simulation.first_difference} of part {number}"
        return "no part that differs by itself"
