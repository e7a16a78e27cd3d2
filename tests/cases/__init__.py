"""What Unspool deploys: one entry per case. Tests run each; docs/supported.md lists them.

    PYTHONPATH=tests python -m cases

writes the page again.
"""

from cases.around import AROUND
from cases.arrangement import ARRANGEMENT
from cases.attention import ATTENTIONS
from cases.cells import CELLS, MinimalGatedCell
from cases.core import Case, L, chain, functional, trained
from cases.images import SEQUENCES_OF_MORE
from cases.masks import CASES as MASKED
from cases.own_cells import CASES as OWN_CELLS
from cases.shapes import SHAPES

__all__ = ["CASES", "Case", "L", "MinimalGatedCell", "chain", "functional", "trained"]

CASES: tuple[Case, ...] = (
    *CELLS,
    *OWN_CELLS,
    *ARRANGEMENT,
    *SEQUENCES_OF_MORE,
    *AROUND,
    *ATTENTIONS,
    *MASKED,
    *SHAPES,
)
