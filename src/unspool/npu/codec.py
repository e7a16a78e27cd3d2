"""The entropy decoder of the weight streams ("mlw"), safe on any bytes.

Vela's own decoder, `ethosu.mlw_codec.decode`, ends the whole process with `exit(1)` on a
stream that stops early, so it cannot be shown bytes that nobody vouches for. This one raises
UnspoolError instead. The tests compare the two.

A stream is a sequence of slices. A slice has a header, perhaps a new palette, and chunks. A
chunk holds up to 12 Golomb-Rice coded weight indices and, in slices with zero runs, as many run
lengths: first the quotients in unary (two bit planes for the weights), then, one chunk later,
the remainders. Where a chunk starts is only known after the one before it, so a Python loop
finds the positions and NumPy then reads all bits at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError

_END, _NO_ZERO_RUNS = 7, 6  # values of a slice's zero divisor
_UNCOMPRESSED = 7  # value of its weight divisor
_SYMBOLS = 12  # of a chunk
_MAX_ZEROS = 1 << 24  # of a slice: a bound on what a hostile stream can ask for
_ONES = [i.bit_count() for i in range(1 << _SYMBOLS)]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Slice:
    """Where the bits of one slice are."""

    weights: int
    quotients: list[tuple[int, int]]  # the two unary bit planes of each weight chunk
    remainders: list[tuple[int, int]]  # (bit position, count)
    zero_quotients: list[int]
    zero_remainders: list[tuple[int, int]]


@dataclass(frozen=True)
class _Palette:
    values: Ints
    direct_offset: int
    index_bits: int  # of uncompressed indices


class _Bits:
    """Random access to a little-endian bit string."""

    def __init__(self, data: bytes) -> None:
        self.size = 8 * len(data)
        padded = np.frombuffer(data + bytes(16), np.uint8).astype(np.uint64)
        self._windows = np.zeros(len(data) + 8, np.uint64)  # 64 bits from each byte on
        for i in range(8):
            self._windows |= padded[i : i + len(data) + 8] << np.uint64(8 * i)
        self._list: list[int] = self._windows.tolist()

    def window(self, position: int) -> int:
        """At least 57 bits from `position` on; zeros behind the end."""
        return self._list[position >> 3] >> (position & 7)

    def take(self, position: int, bits: int) -> int:
        """`bits` bits (up to 57) at `position`; UnspoolError behind the end."""
        if position + bits > self.size:
            raise UnspoolError(
                f"the weight stream of {self.size // 8} bytes ends early, at bit {position}"
            )
        return self.window(position) & ((1 << bits) - 1)

    def gather(self, runs: list[tuple[int, int]], bits: int) -> Ints:
        """The values of all runs of `count` consecutive fields of `bits` bits."""
        table = np.array(runs, np.int64).reshape(-1, 2)
        starts, counts = table[:, 0], table[:, 1]
        first = np.repeat(np.cumsum(counts) - counts, counts)
        position = np.repeat(starts, counts) + (np.arange(len(first)) - first) * bits
        words = self._windows[position >> 3] >> (position & 7).astype(np.uint64)
        fields: Ints = (words & np.uint64((1 << bits) - 1)).astype(np.int64)
        return fields


def decode(data: bytes) -> npt.NDArray[np.int16]:
    """All weights of a stream, in the order in which the hardware reads them: shape (n,).

    Raises UnspoolError where the stream ends early or breaks a rule of the format.
    """
    bits = _Bits(data)
    parts: list[Ints] = []
    palette: _Palette | None = None
    zero_runs = False
    at = 0
    while at < bits.size:
        zero_divisor = bits.take(at, 3)
        at += 3
        if zero_divisor == _END:
            at = -(-at // 8) * 8
            palette = None
            continue
        if at // 8 == len(data):
            break  # the rest of the last byte
        if zero_divisor in (4, 5):
            raise UnspoolError(f"the weight stream has the zero divisor {zero_divisor}")
        header = bits.take(at, 20)
        at += 20
        count, divisor = (header & 0x7FFF) + 1, header >> 15 & 7
        truncated, new_palette = bool(header >> 18 & 1), bool(header >> 19)
        with_runs = zero_divisor != _NO_ZERO_RUNS
        if new_palette:
            palette, at = _read_palette(bits, at)
        elif palette is None:
            raise UnspoolError("the weight stream starts without a palette")
        elif with_runs != zero_runs:
            raise UnspoolError("the weight stream changes its zero runs without a palette")
        zero_runs = with_runs
        uncompressed = divisor == _UNCOMPRESSED
        if uncompressed:
            divisor = palette.index_bits
        elif divisor > 5:
            raise UnspoolError(f"the weight stream has the weight divisor {divisor}")
        layout, at = _walk(
            bits,
            at,
            count,
            divisor,
            None if uncompressed else truncated,
            zero_divisor if with_runs else None,
            count + new_palette if with_runs else 0,
        )
        values = _weights(bits, layout, divisor, None if uncompressed else truncated, palette)
        if with_runs:
            values = _insert_zeros(bits, layout, values, zero_divisor, new_palette)
        parts.append(values)
    return np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int16)


def _read_palette(bits: _Bits, at: int) -> tuple[_Palette, int]:
    header = bits.take(at, 13)
    at += 13
    size, width = header >> 5 & 0x1F, (header >> 10) + 2
    size += size > 0
    entries = []
    for _ in range(size):
        entries.append(bits.take(at, width))
        at += width
    index_bits = (size - 1).bit_length() if size else width
    return _Palette(np.array(entries, np.int64), header & 0x1F, index_bits), at


def _walk(
    bits: _Bits,
    at: int,
    weights: int,
    divisor: int,
    truncated: bool | None,  # None: uncompressed, no unary part
    zero_divisor: int | None,  # None: no zero runs
    runs: int,
) -> tuple[_Slice, int]:
    """Find the bits of a slice's chunks from `at` on; also where the next slice starts."""
    quotients: list[tuple[int, int]] = []
    remainders: list[tuple[int, int]] = []
    zero_quotients: list[int] = []
    zero_remainders: list[tuple[int, int]] = []
    plain_symbols = 8 if divisor > 5 else _SYMBOLS
    zero_bits = 12 if zero_divisor is not None and zero_divisor < 3 else 8
    zero_mask = (1 << zero_bits) - 1
    seen = zeros_seen = done = zeros_done = 0
    symbols = zero_symbols = 0  # of the chunk before, whose remainders are due
    while True:
        balance = seen - zeros_seen if zero_divisor is not None else 0
        take_weights = balance < 8 and seen < weights
        take_zeros = balance >= 0 and zeros_seen < runs
        window, start = bits.window(at), at
        due, zeros_due = symbols, zero_symbols
        symbols = zero_symbols = 0
        plane = 0
        if take_weights and truncated is not None:
            plane = window & 0xFFF
            window >>= 12
            at += 12
        if take_zeros:
            unary = window & zero_mask
            window >>= zero_bits
            at += zero_bits
            zero_symbols = zero_bits - _ONES[unary]
            zero_quotients.append(unary)
            zeros_seen += zero_symbols
        if take_weights:
            if truncated is None:
                symbols = plain_symbols
            else:
                ones = _ONES[plane]
                second = window & ((1 << ones) - 1)
                at += ones
                symbols = _SYMBOLS if truncated else _SYMBOLS - _ONES[second]
                quotients.append((plane, second))
            seen += symbols
        if due:
            due = min(due, weights - done)
            remainders.append((at, due))
            done += due
            at += due * divisor
        if zeros_due and zero_divisor is not None:
            zeros_due = min(zeros_due, runs - zeros_done)
            zero_remainders.append((at, zeros_due))
            zeros_done += zeros_due
            at += zeros_due * zero_divisor
        if at > bits.size:
            raise UnspoolError(
                f"the weight stream of {bits.size // 8} bytes ends early, at bit {start}"
            )
        if not take_weights and not take_zeros:
            return _Slice(weights, quotients, remainders, zero_quotients, zero_remainders), at


def _weights(
    bits: _Bits, layout: _Slice, divisor: int, truncated: bool | None, palette: _Palette
) -> Ints:
    index = bits.gather(layout.remainders, divisor)
    if truncated is not None:
        index += _quotients(layout.quotients, truncated)[: layout.weights] << divisor
    if index.size and int(index.max()) >= 512:
        raise UnspoolError(f"the weight stream has the index {int(index.max())}, above 511")
    size = len(palette.values)
    code = index - size + palette.direct_offset
    if size:
        code = np.where(index < size, palette.values[np.minimum(index, size - 1)], code)
    magnitude = code >> 1
    return np.where(code & 1, -magnitude, magnitude)


def _quotients(planes: list[tuple[int, int]], truncated: bool) -> Ints:
    """Unary coded quotients from two bit planes: per position 0, 10 or 11 (more follows)."""
    table = np.array(planes, np.int64).reshape(-1, 2)
    ones = table[:, :1] >> np.arange(_SYMBOLS) & 1
    second = (table[:, 1:] >> (np.cumsum(ones, axis=1) - ones)) & ones
    code = (ones + second).ravel()
    total = np.cumsum(code)
    return np.diff(total if truncated else total[code < 2], prepend=0)


def _insert_zeros(bits: _Bits, layout: _Slice, values: Ints, divisor: int, leading: bool) -> Ints:
    width = 12 if divisor < 3 else 8
    plane = (np.array(layout.zero_quotients, np.int64)[:, None] >> np.arange(width) & 1).ravel()
    total = np.cumsum(plane)
    quotients = np.diff(total[plane == 0], prepend=0)
    remainders = bits.gather(layout.zero_remainders, divisor)
    runs = (quotients[: len(remainders)] << divisor) + remainders
    if not leading:
        runs = np.concatenate([np.zeros(1, np.int64), runs])
    if int(runs.sum()) > _MAX_ZEROS:
        raise UnspoolError(f"the weight stream has a slice with {int(runs.sum())} zeros")
    position = np.arange(len(values)) + np.cumsum(runs[: len(values)])
    result = np.zeros(len(values) + int(runs.sum()), np.int64)
    result[position] = values
    return result
