"""The memory regions, for a whole batch of samples, and feature maps in them.

Every byte of a region is either the same for all samples (weights, tables, whatever does not
depend on the input) or has one value per sample. A mask says which, so that constants are kept
and computed once however large the batch is. Arrays that hold uniform values have a batch axis
of 1, which NumPy broadcasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.fields import SHRAM_REGION, FeatureMap

READ_ONLY, SCRATCH, FAST = 0, 1, 2

Array = npt.NDArray[Any]
_Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class _Piece:
    """A part of a feature map that one strided view covers."""

    where: _Slices  # its rows, columns and channels
    offset: int  # bytes
    shape: tuple[int, ...]  # (h, w, c) or, for bricks, (h, w, c // 16, 16)
    strides: tuple[int, ...]


class Region:
    """One memory region: `size` bytes for each of `batch` samples."""

    def __init__(self, name: str, base: bytes | int, batch: int) -> None:
        if isinstance(base, bytes):  # read only
            self.base = np.frombuffer(base, np.uint8)
            self.rows = np.empty((0, 0), np.uint8)
        else:
            self.base = np.zeros(base, np.uint8)
            self.rows = np.empty((batch, base), np.uint8)
        self.writable = not isinstance(base, bytes)
        self.name = name
        self.size = len(self.base)
        self.uniform = np.ones(self.size, np.bool_)  # the byte is in `base`, else in `rows`

    def check(self, low: int, high: int, what: str) -> None:
        """Raise UnspoolError unless 0 <= low <= high <= size."""
        if not 0 <= low <= high <= self.size:
            raise UnspoolError(
                f"{what} is at bytes {low} to {high}, outside the {self.size} bytes of {self.name}"
            )

    def _views(self, piece: _Piece, dtype: str, *inner: int) -> tuple[Array, Array]:
        """(base, rows) of a piece; `inner` is the size of a last axis of adjacent elements."""
        shape, strides = (*piece.shape, *inner), (*piece.strides, *(1 for _ in inner))
        base: Array = np.ndarray(shape, dtype, self.base.data, piece.offset, strides)
        rows: Array = np.empty(0)
        if self.writable:
            every = (len(self.rows), *shape)
            rows = np.ndarray(every, dtype, self.rows.data, piece.offset, (self.size, *strides))
        return base, rows

    def _mask(self, piece: _Piece, item: int) -> Array:
        """Which bytes of a piece are uniform: the shape of the piece, then `item`."""
        shape, strides = (*piece.shape, item), (*piece.strides, 1)
        mask: Array = np.ndarray(shape, np.bool_, self.uniform.data, piece.offset, strides)
        return mask

    def read(self, piece: _Piece, dtype: str) -> Array:
        """The elements of a piece, with a batch axis of 1 where they are uniform. A view."""
        item = np.dtype(dtype).itemsize
        base, rows = self._views(piece, dtype)
        uniform = self._mask(piece, item)
        if uniform.all():
            return base[None]
        if uniform.any():
            # Not the bytes between and behind the elements: weights there have to stay uniform.
            constant, varying = self._views(piece, "u1", item)
            np.copyto(varying, constant, where=uniform)
            uniform[...] = False
        return rows

    def spread(self, low: int, high: int) -> None:
        """Give every sample its own copy of the uniform bytes from `low` to `high`."""
        part = slice(low, high)
        np.copyto(self.rows[:, part], self.base[part], where=self.uniform[part])
        self.uniform[part] = False

    def write(self, piece: _Piece, dtype: str, values: Array) -> None:
        """Write a piece; `values` has a batch axis of 1 or of the batch."""
        base, rows = self._views(piece, dtype)
        same = len(values) == 1
        if same:
            base[...] = values[0]
        else:
            rows[...] = values
        self._mask(piece, np.dtype(dtype).itemsize)[...] = same


class Memory:
    """The regions that a command stream addresses, and the SHRAM of the NPU."""

    def __init__(self, program: Program, batch: int) -> None:
        self.batch = batch
        scratch = Region("region 1 (scratch)", program.scratch_size, batch)
        fast = scratch
        if program.fast_size is not None:
            fast = Region("region 2 (fast scratch)", program.fast_size, batch)
        shram = 1024 * program.config.shram_kib // program.config.cores
        self._regions = {
            READ_ONLY: Region("region 0 (read only)", program.read_only, batch),
            SCRATCH: scratch,
            FAST: fast,
            SHRAM_REGION: Region("the SHRAM", shram, batch),
        }

    def region(self, number: int) -> Region:
        """A region by its number; UnspoolError where there is none."""
        if number not in self._regions:
            raise UnspoolError(f"memory region {number} does not exist, expected 0, 1 or 2")
        return self._regions[number]

    def read_bytes(self, number: int, address: int, length: int, what: str) -> bytes:
        """Bytes that must be the same for all samples, such as weights."""
        region = self.region(number)
        region.check(address, address + length, what)
        part = slice(address, address + length)
        if not region.uniform[part].all():
            raise UnspoolError(f"{what}: it depends on the network's input, not simulated")
        return region.base[part].tobytes()

    def copy(self, source: tuple[int, int], target: tuple[int, int], length: int) -> None:
        """Copy `length` bytes between two (region, address) places."""
        reads, writes = self.region(source[0]), self.region(target[0])
        reads.check(source[1], source[1] + length, "the DMA source")
        writes.check(target[1], target[1] + length, "the DMA destination")
        _check_writable(writes)
        part, into = slice(source[1], source[1] + length), slice(target[1], target[1] + length)
        if reads.uniform[part].all():
            writes.base[into] = reads.base[part].copy()
            writes.uniform[into] = True
        else:
            reads.spread(part.start, part.stop)
            writes.rows[:, into] = reads.rows[:, part].copy()
            writes.uniform[into] = False

    def read(self, fm: FeatureMap) -> Array:
        """A feature map: shape (1 or batch, H, W, C). It may be a view of the memory."""
        region = self.region(fm.region)
        pieces = list(_pieces(fm, region))
        if len(pieces) == 1:
            values = region.read(pieces[0], fm.element.dtype)
            return values.reshape(len(values), *fm.shape)
        parts = [region.read(piece, fm.element.dtype) for piece in pieces]
        batch = max(len(part) for part in parts)
        result = np.empty((batch, *fm.shape), fm.element.dtype)
        for piece, part in zip(pieces, parts, strict=True):
            hole = result[(slice(None), *piece.where)]
            hole[...] = part.reshape(len(part), *hole.shape[1:])
        return result

    def write(self, fm: FeatureMap, values: Array) -> None:
        """Write a feature map; `values` has the shape (1 or batch, H, W, C)."""
        region = self.region(fm.region)
        _check_writable(region)
        for piece in _pieces(fm, region):
            part = values[(slice(None), *piece.where)]
            region.write(piece, fm.element.dtype, part.reshape(len(part), *piece.shape))


def _check_writable(region: Region) -> None:
    if not region.writable:
        raise UnspoolError(f"a write to {region.name}")


def _pieces(fm: FeatureMap, region: Region) -> Iterator[_Piece]:
    """The strided views that make up a feature map, each inside its region."""
    height, width, depth = fm.shape
    item = fm.element.bytes
    if height * width * depth * item > region.size:
        raise UnspoolError(
            f"the {fm.name} of {height} x {width} x {depth} elements of {item} bytes is larger"
            f" than {region.name}, {region.size} bytes"
        )
    row, column, brick = fm.strides
    for tile, rows, columns in _tiles(fm):
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        base = fm.tiles.bases[tile]
        full = depth // 16 * 16 if fm.bricks else 0
        if full:
            yield _checked(
                region,
                fm.name,
                _Piece(
                    (rows, columns, slice(0, full)),
                    base,
                    (*shape, full // 16, 16),
                    (row, column, brick, item),
                ),
                item,
            )
        if full < depth:
            yield _checked(
                region,
                fm.name,
                _Piece(
                    (rows, columns, slice(full, depth)),
                    base + full // 16 * brick,
                    (*shape, depth - full),
                    (row, column, item),
                ),
                item,
            )


def _tiles(fm: FeatureMap) -> Iterator[tuple[int, slice, slice]]:
    """(tile, rows, columns): the part of a feature map that each tile holds."""
    height, width, _ = fm.shape
    tiles = fm.tiles
    for right in (False, True):
        columns = slice(tiles.width0, width) if right else slice(0, min(width, tiles.width0))
        split = tiles.height1 if right else tiles.height0
        for below in (False, True):
            rows = slice(split, height) if below else slice(0, min(height, split))
            if rows.start < rows.stop and columns.start < columns.stop:
                yield 2 * below + right, rows, columns


def _checked(region: Region, name: str, piece: _Piece, item: int) -> _Piece:
    spans = [stride * (n - 1) for stride, n in zip(piece.strides, piece.shape, strict=True)]
    low = piece.offset + sum(min(0, s) for s in spans)
    high = piece.offset + sum(max(0, s) for s in spans) + item
    region.check(low, high, f"the {name}")
    return piece
