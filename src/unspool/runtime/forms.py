"""The forms of a network, from the trained model to the binary, and what each gives."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unspool.compilation.compiled import Compiled
from unspool.runtime import evaluation
from unspool.runtime.quality import OutputError
from unspool.runtime.unroll_error import unroll_error
from unspool.runtime.verification import Simulation, compare
from unspool.support.progress import Progress
from unspool.tflite.heads import Head
from unspool.tflite.outside import Outside
from unspool.tflite.signature import Signature


class Network(ABC):
    """A network in all of its forms, whichever way it is cut into binaries.

    Arrays are samples, one (samples, ...) per input, and outputs, one (samples, ...) each.
    """

    @property
    @abstractmethod
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""

    @property
    @abstractmethod
    def heads(self) -> Sequence[Head]:
        """How the outputs are read."""

    @property
    def is_late(self) -> bool:
        """Whether it has given less of a sequence at its end than the trained model."""
        return False

    @abstractmethod
    def run(
        self, place: str, data: Sequence[np.ndarray], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Outputs of one of its forms: "float" for the deploy model, or one of `PLACES`."""

    def so_far(self, whole: list[np.ndarray], data: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of the trained model's outputs, what the network has given at the end."""
        return whole

    @abstractmethod
    def unroll_error(
        self,
        data: list[np.ndarray],
        outputs: list[np.ndarray],
        reference: list[np.ndarray],
    ) -> OutputError:
        """The deploy model's outputs against the trained model's."""

    @abstractmethod
    def outside(self, data: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """Inputs whose range some of the samples exceed."""

    @abstractmethod
    def compared(
        self,
        data: Sequence[np.ndarray],
        simulated: list[np.ndarray],
        tflm: list[np.ndarray],
    ) -> Simulation:
        """The simulated binary's outputs beside those of the quantized model."""


@dataclass(frozen=True)
class Forms(Network):
    """The forms of a network of one binary.

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

    @cached_property
    def signature(self) -> Signature:
        """What the quantized file takes and gives."""
        return Signature(self.quantized_tflite)

    @property
    def output_names(self) -> tuple[str, ...]:
        """See `Network`."""
        return self.signature.output_names

    @property
    def heads(self) -> Sequence[Head]:
        """See `Network`."""
        return self.signature.heads

    @property
    def is_late(self) -> bool:
        """See `Network`."""
        return self.signature.is_late

    def run(
        self, place: str, data: Sequence[np.ndarray], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """See `Network`."""
        forms = {"keras": self.trained, "float": self.float_tflite, "npu": self.compiled.tflite}
        form = forms.get(place, self.quantized_tflite)
        runtime = "litert" if place == "float" else place
        return evaluation.predict(form, list(data), runtime, progress)

    def so_far(self, whole: list[np.ndarray], data: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `Network`."""
        return self.signature.so_far(whole, data)

    def unroll_error(
        self,
        data: list[np.ndarray],
        outputs: list[np.ndarray],
        reference: list[np.ndarray],
    ) -> OutputError:
        """See `Network`."""
        names = [tensor.name for tensor in self.signature.inputs]
        masks = dict.fromkeys(names, self.signature.masks)
        return unroll_error(self.trained, masks, data, outputs, reference)

    def outside(self, data: Sequence[np.ndarray]) -> tuple[Outside, ...]:
        """See `Network`."""
        return self.signature.outside(data)

    def compared(
        self,
        data: Sequence[np.ndarray],
        simulated: list[np.ndarray],
        tflm: list[np.ndarray],
    ) -> Simulation:
        """See `Network`."""
        return compare(self.compiled, self.quantized_tflite, data, simulated, tflm)
