"""A reader of FlatBuffers that never looks outside its bytes.

The generated TFLite readers trust the file: a vector whose length field says four billion is
looped over. Here every offset and length is checked before use, and only the few fields that
the container needs are ever touched.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unspool.errors import UnspoolError


@dataclass(frozen=True)
class Table:
    """One FlatBuffers table.

    Attributes:
        data: the whole file.
        position: where the table starts in it.
    """

    data: bytes
    position: int

    def _field(self, index: int) -> int | None:
        """Position of field `index`, or None where the file leaves it out."""
        vtable = self.position - _unpack("<i", self.data, self.position)
        size = _unpack("<H", self.data, vtable)
        slot = 4 + 2 * index
        if slot + 2 > size:
            return None
        offset = _unpack("<H", self.data, vtable + slot)
        return self.position + offset if offset else None

    def scalar(self, index: int, code: str, default: int = 0) -> int:
        """Field `index` as a number; `code` is its `struct` letter."""
        position = self._field(index)
        return default if position is None else _unpack("<" + code, self.data, position)

    def _vector(self, index: int, width: int) -> tuple[int, int]:
        """(first byte, number of elements) of a vector with elements of `width` bytes."""
        field = self._field(index)
        if field is None:
            return 0, 0
        start = field + _unpack("<I", self.data, field)
        count = _unpack("<I", self.data, start)
        if start + 4 + count * width > len(self.data):
            raise UnspoolError(
                f"the file is damaged: a vector of {count} elements of {width} bytes"
                f" at byte {start} does not fit {len(self.data)} bytes"
            )
        return start + 4, count

    def bytes(self, index: int) -> bytes:
        """A vector of bytes, or a string."""
        start, count = self._vector(index, 1)
        return self.data[start : start + count]

    def text(self, index: int) -> str:
        """A string; bytes that are not UTF-8 show as escapes."""
        return self.bytes(index).decode("utf-8", "backslashreplace")

    def numbers(self, index: int, dtype: str) -> npt.NDArray[np.generic]:
        """A vector of numbers of NumPy type `dtype`, shape (count,)."""
        start, count = self._vector(index, np.dtype(dtype).itemsize)
        if not count:
            return np.empty(0, dtype)
        return np.frombuffer(self.data, np.dtype(dtype).newbyteorder("<"), count, start)

    def table(self, index: int) -> "Table | None":
        """The table that field `index` refers to."""
        field = self._field(index)
        return None if field is None else _follow(self.data, field)

    def tables(self, index: int) -> "tuple[Table, ...]":
        """A vector of tables."""
        start, count = self._vector(index, 4)
        return tuple(_follow(self.data, start + 4 * i) for i in range(count))


def root(data: bytes, identifier: bytes) -> Table:
    """The root table of a file.

    Args:
        data: the file.
        identifier: 4 bytes that it must have behind its first offset.

    Raises:
        UnspoolError: it has others there, or is damaged.
    """
    if data[4:8] != identifier:
        raise UnspoolError(
            f"not a {identifier.decode()} FlatBuffer: bytes 4 to 7 are {data[4:8]!r},"
            f" expected {identifier!r}"
        )
    return _follow(data, 0)


def _follow(data: bytes, position: int) -> Table:
    return Table(data, position + _unpack("<I", data, position))


def _unpack(code: str, data: bytes, position: int) -> int:
    if not 0 <= position <= len(data) - struct.calcsize(code):
        raise UnspoolError(f"the file is damaged: byte {position} is outside its {len(data)} bytes")
    return int(struct.unpack_from(code, data, position)[0])
