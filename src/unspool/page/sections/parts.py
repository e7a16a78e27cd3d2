"""What the HTML page is made of, before it is HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from unspool.report.figure import Origin


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        caption: what it shows, units and origin included.
        columns: their headings; one that starts with ">" is of numbers, and is set to the right.
        rows: a text per column; the first is the row's heading.
        note: what was left out; else empty.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix small enough to be read as a table.

    Attributes:
        caption: which runtime, how many samples, the origin.
        counts: row: the right class, column: the model's.
    """

    caption: str
    counts: tuple[tuple[int, ...], ...]

    @property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """Each count as a share of its row, 0 to 1."""
        return tuple(tuple(n / (sum(row) or 1) for n in row) for row in self.counts)


@dataclass(frozen=True)
class Picture:
    """A picture with what must stand beside it.

    Attributes:
        title: its heading.
        sentence: what it says, in a sentence or two.
        unit: of what it shows.
        origin: how its numbers came about.
        how: with what, on what.
        svgs: the picture, or several small ones with a caption each.
        captions: of each of several; else empty.
        table: its numbers.
        wide: whether it keeps its size and scrolls in its own box.
    """

    title: str
    sentence: str
    unit: str
    origin: Origin
    how: str
    svgs: tuple[str, ...]
    captions: tuple[str, ...] = ()
    table: Table | None = None
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        id: its anchor.
        title: its heading.
        pictures: in order.
        matrices: confusion matrices; the first is shown, the others unfold.
        tables: shown.
        folded: tables that unfold.
    """

    id: str
    title: str
    pictures: tuple[Picture, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()

    @property
    def filled(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.pictures or self.matrices or self.tables or self.folded)


@dataclass(frozen=True)
class Key:
    """One of the key figures: texts of the figure's label, value, unit, origin and what else."""

    label: str
    value: str
    unit: str
    origin: str
    beside: str = ""


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        title: of the page.
        keys: the key figures.
        sections: all, those that have nothing in them too.
        missing: what is not on the page, and why or how to get it.
    """

    title: str
    keys: tuple[Key, ...]
    sections: tuple[Section, ...]
    missing: tuple[str, ...] = field(default=())
