"""What a search tried, what of it holds the goal, and what is the smallest of that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from unspool.compilation.targets import Target
from unspool.compression.candidates import Candidate
from unspool.compression.goal import MINIMISE, Goal
from unspool.compression.kernels import KernelSetting


@dataclass(frozen=True)
class Search:
    """What was tried, and what is best.

    Attributes:
        goal: what was searched for.
        trained: the metric of the trained model in Keras on the validation samples.
        samples: how many validation samples there are.
        target: what was compiled for.
        before: the trained model, deployed as it is.
        candidates: what was tried with all epochs, from large to small.
        previews: what was tried with a part of the epochs, in the order in which it was.
        models: setting -> .keras file of the candidate's model.
    """

    goal: Goal
    trained: float
    samples: int
    target: Target
    before: Candidate
    candidates: tuple[Candidate, ...] = ()
    previews: tuple[Candidate, ...] = ()
    models: dict[KernelSetting, Path] = field(default_factory=dict)

    def lost(self, candidate: Candidate) -> float:
        """How much worse a candidate is than the trained model: points or percent, as the goal."""
        return self.goal.lost(self.trained, candidate.value)

    def holds(self, candidate: Candidate) -> bool:
        """Whether a candidate is no worse than it may be."""
        return self.goal.holds(self.trained, candidate.value)

    @property
    def chosen(self) -> Candidate | None:
        """The smallest of the candidates that hold the goal; None where none does."""
        holding = [candidate for candidate in self.candidates if self.holds(candidate)]
        return min(holding, key=self.size, default=None)

    def size(self, candidate: Candidate) -> float:
        """What is to be small, of a candidate."""
        return float(getattr(candidate, MINIMISE[self.goal.minimise]))

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The Pareto front: what nothing else beats in its metric, flash, SRAM and cycles at once.

        Of the trained model and what was tried with all epochs.
        """
        return _unbeaten(
            (self.before, *self.candidates),
            lambda one: (self.lost(one), one.flash_kib, one.sram_kib, one.cycles),
        )

    @property
    def ladder(self) -> tuple[Candidate, ...]:
        """The previews that none beats in metric and size at once, from the largest on."""
        unbeaten = _unbeaten(self.previews, lambda one: (self.lost(one), self.size(one)))
        return tuple(sorted(unbeaten, key=self.size, reverse=True))

    @property
    def order(self) -> tuple[int, int]:
        """Of the pairs of settings that were tried both ways: how many lie in the order in which
        their previews do, by what they lose, and how many there are."""
        both = [
            (self.lost(preview), self.lost(one))
            for preview in self.previews
            for one in self.candidates
            if one.setting == preview.setting and one.epochs > preview.epochs
        ]
        pairs = [*combinations(both, 2)]
        alike = [(a[0] - b[0]) * (a[1] - b[1]) >= 0 for a, b in pairs]
        return sum(alike), len(pairs)


def _unbeaten(
    tried: Sequence[Candidate], figures: Callable[[Candidate], tuple[float, ...]]
) -> tuple[Candidate, ...]:
    """Those that no other beats: is nowhere worse, and somewhere better; small figures are good."""

    def beats(one: Candidate, other: Candidate) -> bool:
        left, right = figures(one), figures(other)
        return left != right and all(x <= y for x, y in zip(left, right, strict=True))

    return tuple(one for one in tried if not any(beats(other, one) for other in tried))
