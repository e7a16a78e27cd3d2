"""The entropy decoder of the weight streams ("mlw"), safe on any bytes.

Vela's own decoder, `ethosu.mlw_codec.decode`, ends the whole process with `exit(1)` on a
stream that stops early, so it cannot be shown bytes that nobody vouches for. This one raises
UnspoolError instead. The tests compare the two.

A stream is a sequence of slices. A slice has a header, perhaps a new palette, and chunks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError
from unspool.npu.arithmetic import Ints
from unspool.npu.bits import Bits
from unspool.npu.chunks import SYMBOLS, Chunks, Form, walk

_END, _NO_ZERO_RUNS = 7, 6  # values of a slice's zero divisor
_UNCOMPRESSED = 7  # value of its weight divisor
_HEADER_BITS = 20  # behind the zero divisor
_MAX_ZEROS = 1 << 24  # of a slice: a bound on what a hostile stream can ask for


@dataclass(frozen=True)
class _Header:
    """The header of a slice.

    Attributes:
        weights: how many weights there are.
        divisor: bits of an index's remainder, or `_UNCOMPRESSED`.
        truncated: whether quotients end at 2.
        new_palette: whether a palette follows.
        zero_divisor: bits of a zero run's remainder; None in slices without zero runs.
    """

    weights: int
    divisor: int
    truncated: bool
    new_palette: bool
    zero_divisor: int | None


@dataclass(frozen=True)
class _Palette:
    """What weight indices stand for.

    Attributes:
        values: of the first indices; those behind them stand for themselves.
        direct_offset: what is added to the latter.
        index_bits: of uncompressed indices.
        zero_runs: whether the slices that use it have zero runs.
    """

    values: Ints
    direct_offset: int
    index_bits: int
    zero_runs: bool


def decode(data: bytes) -> npt.NDArray[np.int16]:
    """All weights of a stream, in the order in which the hardware reads them: shape (n,).

    Raises:
        UnspoolError: the stream ends early or breaks a rule of the format.
    """
    bits = Bits(data)
    parts: list[Ints] = []
    palette: _Palette | None = None
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
        header = _read_header(bits, at, zero_divisor)
        palette, at = _palette_of(bits, at + _HEADER_BITS, header, palette)
        form = _form(header, palette)
        chunks, at = walk(bits, at, form)
        values = _weights(bits, chunks, form, palette)
        if header.zero_divisor is not None:
            values = _insert_zeros(bits, chunks, form, values, header.new_palette)
        parts.append(values)
    return np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int16)


def _read_header(bits: Bits, at: int, zero_divisor: int) -> _Header:
    if zero_divisor in (4, 5):
        raise UnspoolError(f"the weight stream has the zero divisor {zero_divisor}")
    word = bits.take(at, _HEADER_BITS)
    return _Header(
        weights=(word & 0x7FFF) + 1,
        divisor=word >> 15 & 7,
        truncated=bool(word >> 18 & 1),
        new_palette=bool(word >> 19),
        zero_divisor=None if zero_divisor == _NO_ZERO_RUNS else zero_divisor,
    )


def _palette_of(
    bits: Bits, at: int, header: _Header, before: _Palette | None
) -> tuple[_Palette, int]:
    """The palette of a slice, its own or that of the slice before; also where it ends."""
    zero_runs = header.zero_divisor is not None
    if header.new_palette:
        return _read_palette(bits, at, zero_runs)
    if before is None:
        raise UnspoolError("the weight stream starts without a palette")
    if before.zero_runs != zero_runs:
        raise UnspoolError("the weight stream changes its zero runs without a palette")
    return before, at


def _read_palette(bits: Bits, at: int, zero_runs: bool) -> tuple[_Palette, int]:
    """The palette at `at`; also where it ends."""
    header = bits.take(at, 13)
    at += 13
    size, width = header >> 5 & 0x1F, (header >> 10) + 2
    size += size > 0
    entries = []
    for _ in range(size):
        entries.append(bits.take(at, width))
        at += width
    index_bits = (size - 1).bit_length() if size else width
    return _Palette(np.array(entries, np.int64), header & 0x1F, index_bits, zero_runs), at


def _form(header: _Header, palette: _Palette) -> Form:
    """How a slice's numbers are written."""
    uncompressed = header.divisor == _UNCOMPRESSED
    if header.divisor > 5 and not uncompressed:
        raise UnspoolError(f"the weight stream has the weight divisor {header.divisor}")
    zero_runs = header.zero_divisor is not None
    return Form(
        weights=header.weights,
        divisor=palette.index_bits if uncompressed else header.divisor,
        truncated=None if uncompressed else header.truncated,
        runs=header.weights + header.new_palette if zero_runs else 0,
        run_divisor=header.zero_divisor or 0,
    )


def _weights(bits: Bits, chunks: Chunks, form: Form, palette: _Palette) -> Ints:
    index = bits.gather(chunks.remainders, form.divisor)
    if form.truncated is not None:
        quotients = _quotients(chunks.quotients, form.truncated)
        index += quotients[: form.weights] << form.divisor
    if index.size and int(np.max(index)) >= 512:
        raise UnspoolError(f"the weight stream has the index {int(np.max(index))}, above 511")
    size = len(palette.values)
    code = index - size + palette.direct_offset
    if size:
        code = np.where(index < size, palette.values[np.minimum(index, size - 1)], code)
    magnitude = code >> 1
    return np.where(code & 1, -magnitude, magnitude)


def _quotients(planes: list[tuple[int, int]], truncated: bool) -> Ints:
    """Unary coded quotients from two bit planes: per position 0, 10 or 11 (more follows)."""
    table = np.array(planes, np.int64).reshape(-1, 2)
    ones = table[:, :1] >> np.arange(SYMBOLS) & 1
    second = (table[:, 1:] >> (np.cumsum(ones, axis=1) - ones)) & ones
    code = (ones + second).ravel()
    total = np.cumsum(code)
    return np.diff(total if truncated else total[code < 2], prepend=0)


def _insert_zeros(bits: Bits, chunks: Chunks, form: Form, values: Ints, leading: bool) -> Ints:
    """The weights with the zeros between them.

    Args:
        bits: the stream.
        chunks: where the slice's numbers are.
        form: how they are written.
        values: the weights that are not in a run of zeros.
        leading: whether the first run comes before the first of them, else behind it.
    """
    planes = np.array(chunks.run_quotients, np.int64)[:, None]
    ones = (planes >> np.arange(form.run_bits) & 1).ravel()
    quotients = np.diff(np.cumsum(ones)[ones == 0], prepend=0)
    remainders = bits.gather(chunks.run_remainders, form.run_divisor)
    runs = (quotients[: len(remainders)] << form.run_divisor) + remainders
    if not leading:
        runs = np.concatenate([np.zeros(1, np.int64), runs])
    zeros = int(runs.sum())
    if zeros > _MAX_ZEROS:
        raise UnspoolError(f"the weight stream has a slice with {zeros} zeros")
    position = np.arange(len(values)) + np.cumsum(runs[: len(values)])
    result = np.zeros(len(values) + zeros, np.int64)
    result[position] = values
    return result
