"""How the candidates of a search become binaries."""

from dataclasses import dataclass, field
from functools import partial

from unspool import stages
from unspool.compilation import targets
from unspool.compilation.targets import Target
from unspool.stages import Way


@dataclass(frozen=True)
class Build:
    """How the candidates of a search become binaries: what each is measured as.

    Attributes:
        way: how they are unrolled, calibrated and quantized, as `unspool.stages.sequences`, `calls`
            and `stream` give it; for whole sequences in one call, in int8, where it is not given.
        target: what to compile for; ethos-u55-128 with Vela's defaults where it is not given.
        resident_kib: SRAM for resident weights, as `keep_resident` takes it; None for none.
        training_way: how whole sequences are quantized, to train with the errors of int8 too, as
            `compress` takes it with calibration samples; None trains without.

    Example:
        >>> in_sram = unspool.Build(target=unspool.target("ethos-u65-256"), resident_kib=64)
        >>> in_sram.way.activations
        'int8'
    """

    # That layers on the CPU are accepted is `deploy`'s to ask.
    way: Way = field(default_factory=partial(stages.sequences, allow_cpu=True))
    target: Target = field(default_factory=targets.target)
    resident_kib: float | None = None
    training_way: Way | None = None
