"""How much of an inference the NPU waits for the memory that holds the weights."""

from dataclasses import dataclass

from unspool.compilation.vela import Compiled


@dataclass(frozen=True)
class Wait:
    """Cycles that an inference loses to a slow memory, from Vela's estimates per operator.

    Attributes:
        memory: the one that holds the weights: "OffChipFlash", "Dram", ...
        bound: cycles of the operators whose longest part is the access to that memory.
        cycles: by which these would be shorter if that access took no time.
        share: `bound` as a part of all operators' cycles, 0 to 1.
    """

    memory: str
    bound: int
    cycles: int
    share: float


def wait(compiled: Compiled) -> Wait | None:
    """The wait for weights; None where they lie in SRAM already.

    The parts of an operator's work overlap, so Vela takes the longest as the operator's cycles.
    """
    memory = compiled.target.memory_name("const")
    if memory in ("", "Sram"):
        return None
    bound = lost = total = 0
    for operator in compiled.operators:
        parts = operator.parts
        own = parts.pop("DRAM" if memory == "Dram" else "flash")
        others = max(parts.values())
        total += operator.cycles
        if own > others:
            bound += operator.cycles
            lost += operator.cycles - others
    return Wait(memory, bound, lost, bound / total if total else 0.0)
