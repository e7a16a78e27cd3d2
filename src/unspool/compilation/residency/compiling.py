"""A quantized file -> its binary, with resident weights where they are asked for."""

from dataclasses import replace

from unspool.compilation import vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.residency.keeping import Resident, keep_resident
from unspool.compilation.targets import Target
from unspool.support.progress import Clock


def binary(
    tflite: bytes, target: Target, resident_kib: float | None, clock: Clock
) -> tuple[Compiled, Resident | None]:
    """The binary, and what is resident in it.

    Args:
        tflite: the quantized file.
        target: what it is compiled for.
        resident_kib: SRAM for resident weights, as `keep_resident` takes it; None for none.
        clock: times the stages.

    Raises:
        UnspoolError: as `vela.compile` and `keep_resident`.
    """
    with clock.stage("compile with Vela"):
        compiled = vela.compile(tflite, target)
    return with_resident(compiled, tflite, resident_kib, clock)


def with_resident(
    compiled: Compiled, tflite: bytes, resident_kib: float | None, clock: Clock
) -> tuple[Compiled, Resident | None]:
    """The same of what Vela has made of the file."""
    if resident_kib is None:
        return compiled, None
    with clock.stage("keep weights resident"):
        resident = keep_resident(compiled, tflite, resident_kib)
    return replace(compiled, tflite=resident.tflite), resident


def cycles(compiled: Compiled, resident: Resident | None) -> int:
    """Cycles of an inference, with what is resident where there is an estimate of that."""
    return (resident and resident.cycles) or compiled.cycles
