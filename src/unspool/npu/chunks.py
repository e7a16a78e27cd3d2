"""The chunks of a slice of a weight stream: where the bits of its numbers are.

A chunk holds up to 12 Golomb-Rice coded weight indices and, in slices with zero runs, as many run
lengths: first the quotients in unary (two bit planes for the weights), then, one chunk later,
the remainders. Where a chunk starts is only known after the one before it, so a Python loop
finds the positions and NumPy then reads all bits at once.
"""

from dataclasses import dataclass, field

from unspool.npu.bits import Bits

SYMBOLS = 12  # of a chunk
_ONES = [i.bit_count() for i in range(1 << SYMBOLS)]


@dataclass(frozen=True)
class Form:
    """How the numbers of a slice are written.

    Attributes:
        weights: how many weight indices there are.
        divisor: bits of an index's remainder, or of the whole index where it has no quotient.
        truncated: whether quotients end at 2; None where indices have no quotients.
        runs: how many zero runs there are; 0 in slices without.
        run_divisor: bits of a run's remainder.
    """

    weights: int
    divisor: int
    truncated: bool | None
    runs: int
    run_divisor: int

    @property
    def run_bits(self) -> int:
        """Bits of a chunk's run quotients."""
        return 12 if self.run_divisor < 3 else 8


@dataclass(slots=True)
class _Numbers:
    """The numbers of one sort, weight indices or zero runs, as far as they have been met.

    Attributes:
        total: how many the slice has.
        divisor: bits of a remainder.
        seen: how many quotients have been met. Those behind `total` stand for nothing.
        done: how many remainders have been met.
        due: quotients of the last chunk, whose remainders follow in the next one.
        remainders: (bit position, count) of the remainders of each chunk.
    """

    total: int
    divisor: int
    seen: int = 0
    done: int = 0
    due: int = 0
    remainders: list[tuple[int, int]] = field(default_factory=list)

    def pass_remainders(self, at: int, new: int) -> int:
        """Note the remainders that are due at `at`, and `new` quotients; where the former end."""
        if self.due:
            count = min(self.due, self.total - self.done)
            self.remainders.append((at, count))
            self.done += count
            at += count * self.divisor
        self.seen += new
        self.due = new
        return at


@dataclass(frozen=True)
class Chunks:
    """Where the bits of one slice are.

    Attributes:
        quotients: the two unary bit planes of each chunk of weights.
        remainders: (bit position, count) of each chunk of weights.
        run_quotients: the unary bits of each chunk of zero runs.
        run_remainders: (bit position, count) of each chunk of zero runs.
    """

    quotients: list[tuple[int, int]]
    remainders: list[tuple[int, int]]
    run_quotients: list[int]
    run_remainders: list[tuple[int, int]]


def walk(bits: Bits, at: int, form: Form) -> tuple[Chunks, int]:
    """Find the bits of a slice's chunks from `at` on; also where the next slice starts.

    Raises:
        UnspoolError: the stream ends before the slice does.
    """
    weights, runs = _Numbers(form.weights, form.divisor), _Numbers(form.runs, form.run_divisor)
    quotients: list[tuple[int, int]] = []
    run_quotients: list[int] = []
    run_bits = form.run_bits
    more = True
    while more:
        start, symbols, run_symbols = at, 0, 0
        ahead = weights.seen - runs.seen if form.runs else 0
        with_weights = ahead < 8 and weights.seen < form.weights
        with_runs = ahead >= 0 and runs.seen < form.runs
        in_planes = with_weights and form.truncated is not None
        planes, unary, length = _unary(bits.window(at), in_planes, run_bits if with_runs else 0)
        at += length
        if in_planes:
            quotients.append(planes)
        if with_weights:
            symbols = _symbols(form, planes)
        if with_runs:
            run_quotients.append(unary)
            run_symbols = run_bits - _ONES[unary]
        at = weights.pass_remainders(at, symbols)
        at = runs.pass_remainders(at, run_symbols)
        bits.check(at, start)
        more = with_weights or with_runs  # the chunk after the last one has only remainders
    return Chunks(quotients, weights.remainders, run_quotients, runs.remainders), at


def _unary(window: int, in_planes: bool, run_bits: int) -> tuple[tuple[int, int], int, int]:
    """The unary part of a chunk: (planes of the weights, bits of the runs, length of all).

    The first plane comes before the runs and the second behind them: it has a bit for each one in
    the first.
    """
    first = second = length = 0
    if in_planes:
        first, length = window & 0xFFF, SYMBOLS
    unary = window >> length & ((1 << run_bits) - 1)
    length += run_bits
    if in_planes:
        ones = _ONES[first]
        second = window >> length & ((1 << ones) - 1)
        length += ones
    return (first, second), unary, length


def _symbols(form: Form, planes: tuple[int, int]) -> int:
    """How many weight indices a chunk has, or has the quotients of."""
    if form.truncated is None:
        return 8 if form.divisor > 5 else SYMBOLS
    return SYMBOLS if form.truncated else SYMBOLS - _ONES[planes[1]]
