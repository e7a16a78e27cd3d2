"""The forms of a part of a network, as far as its binary."""

from dataclasses import dataclass

from unspool.compilation.in_parts import CompiledPart
from unspool.compilation.residency.keeping import Resident
from unspool.parts.cutting import Part
from unspool.stages import Calibrated


@dataclass(frozen=True)
class Forms:
    """A part of a network in all of its forms.

    Attributes:
        part: of the trained model.
        calibrated: its deploy model, in float, and its ranges.
        quantized_tflite: bytes of the quantized file.
        binary: the compiled file, and how it is called.
        resident: the weights that are kept in SRAM; None where that was not asked for.
        warnings: what is likely to go wrong, in a line each.
    """

    part: Part
    calibrated: Calibrated
    quantized_tflite: bytes
    binary: CompiledPart
    resident: Resident | None = None
    warnings: tuple[str, ...] = ()

    def form(self, place: str) -> bytes:
        """What is run: in float, quantized, or of "npu" the binary."""
        forms = {"float": self.calibrated.float_tflite, "npu": self.binary.compiled.tflite}
        return forms.get(place, self.quantized_tflite)
