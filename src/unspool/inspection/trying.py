"""What a network of one layer comes to: it is converted, quantized and compiled."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from unspool.compilation import vela
from unspool.compilation.compiled import Operator
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.inspection.alone import Alone
from unspool.quantization.calibration import calibrate
from unspool.quantization.quantizer import quantize
from unspool.quantization.ranges import Range
from unspool.tflite import flatbuffer, tflm_limits
from unspool.unrolling.conversion import convert


@dataclass(frozen=True)
class Outcome:
    """What was found by trying.

    Attributes:
        refused: why it cannot be deployed; empty where it can.
        on_cpu: which of its operators no NPU runs, and why; empty where all run on the NPU.
    """

    refused: str = ""
    on_cpu: str = ""


def attempt(network: Alone, activations: str, target: Target) -> Outcome:
    """Convert, quantize and compile a network, and say what it came to.

    Args:
        network: one layer.
        activations: "int8" or "int16".
        target: what to compile for.

    Raises:
        UnspoolError: it cannot be converted, quantized or compiled.
    """
    float_tflite = convert(network.deploy_model)
    ranges = _ranges(float_tflite, network, activations)
    compiled = vela.compile(quantize(float_tflite, ranges, activations), target)
    for _, fault in tflm_limits.faults(flatbuffer.look(compiled.tflite)):
        return Outcome(refused=f"in TFLM, {fault}")
    return Outcome(on_cpu=_listed(compiled.cpu_operators))


def _ranges(tflite: bytes, network: Alone, activations: str) -> Mapping[str, Range]:
    """Ranges on values for which the layer is defined: a logarithm is not below 0."""
    for low in _LOWEST[:-1]:
        with suppress(UnspoolError):  # NaN
            return calibrate(tflite, network.samples(low), activations=activations).ranges
    return calibrate(tflite, network.samples(_LOWEST[-1]), activations=activations).ranges


_LOWEST = (0.1, 1.1, -0.9)


def _listed(operators: Sequence[Operator]) -> str:
    """The kinds of operators, each once, with Vela's reason."""
    reasons = {operator.kind: operator.reason for operator in operators}
    return "; ".join(f"{kind}: {reason}" if reason else kind for kind, reason in reasons.items())
