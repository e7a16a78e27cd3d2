"""Random access to a string of bits, safe on any bytes."""

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.arithmetic import Ints


class Bits:
    """A little-endian bit string.

    Attributes:
        size: how many bits it has.
    """

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
        """`bits` bits (up to 57) at `position`.

        Raises:
            UnspoolError: some of them are behind the end.
        """
        self.check(position + bits, position)
        return self.window(position) & ((1 << bits) - 1)

    def check(self, end: int, position: int) -> None:
        """Check that what starts at `position` ends at `end` or before the string does.

        Raises:
            UnspoolError: it does not.
        """
        if end > self.size:
            raise UnspoolError(
                f"the weight stream of {self.size // 8} bytes ends early, at bit {position}"
            )

    def gather(self, runs: list[tuple[int, int]], bits: int) -> Ints:
        """The values of adjacent fields, as one array.

        Args:
            runs: (position, number of fields) of each run of adjacent fields.
            bits: of a field.
        """
        table = np.array(runs, np.int64).reshape(-1, 2)
        starts, counts = table[:, 0], table[:, 1]
        first = np.repeat(np.cumsum(counts) - counts, counts)
        position = np.repeat(starts, counts) + (np.arange(len(first)) - first) * bits
        words = self._windows[position >> 3] >> (position & 7).astype(np.uint64)
        fields: Ints = (words & np.uint64((1 << bits) - 1)).astype(np.int64)
        return fields
