"""The memory regions that a command stream addresses, and feature maps in them."""

from collections.abc import Iterator

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.descriptors import FeatureMap
from unspool.npu.fields import SHRAM_REGION
from unspool.npu.regions import Array, Piece, Region

READ_ONLY, SCRATCH, FAST = 0, 1, 2


class Memory:
    """The regions that a command stream addresses, and the SHRAM of the NPU.

    Attributes:
        batch: how many samples there are.
    """

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
        """A region by its number.

        Raises:
            UnspoolError: there is none.
        """
        if number not in self._regions:
            raise UnspoolError(f"memory region {number} does not exist, expected 0, 1 or 2")
        return self._regions[number]

    def read_bytes(self, number: int, address: int, length: int, what: str) -> bytes:
        """Bytes that must be the same for all samples, such as weights.

        Raises:
            UnspoolError: they differ, or `what` is outside the region.
        """
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


def _pieces(fm: FeatureMap, region: Region) -> Iterator[Piece]:
    """The strided views that make up a feature map, each inside its region."""
    height, width, depth = fm.shape
    item = fm.element.bytes
    if height * width * depth * item > region.size:
        raise UnspoolError(
            f"the {fm.name} of {height} x {width} x {depth} elements of {item} bytes is larger"
            f" than {region.name}, {region.size} bytes"
        )
    for piece in _strided(fm):
        _check_inside(piece, fm, region)
        yield piece


def _strided(fm: FeatureMap) -> Iterator[Piece]:
    """Per tile a piece of whole bricks, and one of the channels behind them."""
    depth, item = fm.shape[2], fm.element.bytes
    row, column, brick = fm.strides
    full = depth // 16 * 16 if fm.bricks else 0
    for tile, rows, columns in _tiles(fm):
        size = (rows.stop - rows.start, columns.stop - columns.start)
        base = fm.tiles.bases[tile]
        if full:
            where = rows, columns, slice(0, full)
            yield Piece(where, base, (*size, full // 16, 16), (row, column, brick, item))
        if full < depth:
            where = rows, columns, slice(full, depth)
            behind = base + full // 16 * brick
            yield Piece(where, behind, (*size, depth - full), (row, column, item))


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


def _check_inside(piece: Piece, fm: FeatureMap, region: Region) -> None:
    spans = [stride * (n - 1) for stride, n in zip(piece.strides, piece.shape, strict=True)]
    low = piece.offset + sum(min(0, s) for s in spans)
    high = piece.offset + sum(max(0, s) for s in spans) + fm.element.bytes
    region.check(low, high, f"the {fm.name}")
