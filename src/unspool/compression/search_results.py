"""What a search tried, what of it holds the accuracy, and what is the smallest of that."""

from dataclasses import dataclass, field
from pathlib import Path

from unspool.compilation.targets import Target
from unspool.compression.candidates import Candidate
from unspool.compression.kernels import KernelSetting

MINIMISE = {"cycles": "cycles", "flash": "flash_kib"}
"""What a search can make small -> the figure of a candidate."""


@dataclass(frozen=True)
class Search:
    """What was tried, and what is best.

    Attributes:
        trained_accuracy: of the trained model in Keras on the validation samples, percent.
        samples: how many validation samples there are.
        max_accuracy_drop: points by which a candidate's accuracy may be below the trained model's.
        minimise: "cycles" or "flash".
        target: what was compiled for.
        before: the trained model, deployed as it is.
        candidates: what was tried, from mild to strong.
        models: setting -> .keras file of the compressed model.
    """

    trained_accuracy: float
    samples: int
    max_accuracy_drop: float
    minimise: str
    target: Target
    before: Candidate
    candidates: tuple[Candidate, ...] = ()
    models: dict[KernelSetting, Path] = field(default_factory=dict)

    def drop(self, candidate: Candidate) -> float:
        """Points by which a candidate's accuracy is below the trained model's."""
        return self.trained_accuracy - candidate.accuracy

    def holds(self, candidate: Candidate) -> bool:
        """Whether a candidate loses no more accuracy than it may."""
        return self.drop(candidate) <= self.max_accuracy_drop + 1e-9  # 98.9 - 98.7 > 0.2

    @property
    def chosen(self) -> Candidate | None:
        """The smallest of the candidates that hold the accuracy; None where none does."""
        holding = [candidate for candidate in self.candidates if self.holds(candidate)]
        return min(holding, key=lambda t: getattr(t, MINIMISE[self.minimise]), default=None)

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The Pareto front: what no other beats in accuracy, flash and cycles at once."""
        tried = [self.before, *self.candidates]
        return tuple(t for t in tried if not any(_beats(other, t) for other in tried))


def _beats(a: Candidate, b: Candidate) -> bool:
    """Whether a is nowhere worse than b, and somewhere better."""
    left, right = ((-t.accuracy, t.flash_kib, t.cycles) for t in (a, b))
    return left != right and all(x <= y for x, y in zip(left, right, strict=True))
