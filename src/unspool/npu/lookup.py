"""Lookup tables in the SHRAM: the last step of the output stage (ACTIVATION 16 and above).

An 8-bit value picks one of 256 entries of the OFM's width. A 16-bit value interpolates between
512 points, 128 values apart: an entry has a base in its lower 16 bits and the slope to the next
point in its upper 16, both signed. That is TensorFlow Lite's `LUTLookup`, whose table of 513
points Vela packs into 512 entries.
"""

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.arithmetic import Ints, largest, saturate
from unspool.npu.descriptors import Output
from unspool.npu.regions import Array

SLOT_BYTES = 256  # tables are numbered in this unit
SLOTS = 8  # they end the SHRAM
_POINTS = 512  # of a table of 16-bit values
_STEP = 7  # bits: from one point to the next


def table_bytes(output: Output) -> int:
    """The size of an output stage's table."""
    return 4 * _POINTS if output.element.bytes == 2 else 256 * output.element.bytes


def look_up(value: Ints, low: int, high: int, raw: bytes, output: Output) -> Array:
    """What the table `raw` makes of values from `low` to `high`.

    Raises:
        UnspoolError: neither 8-bit values nor signed 16-bit values that stay 16 bits wide.
    """
    dtype = output.element.dtype
    if high - low == 255 and output.element.bytes != 2:
        return np.frombuffer(raw, dtype)[value - low]
    if (low, high) == (-32768, 32767) == output.element.range:
        return interpolate(value, np.frombuffer(raw, "<u4")).astype(dtype)
    raise UnspoolError(f"a lookup table from values of [{low}, {high}] to {dtype}")


def interpolate(value: Ints, table: Array) -> Ints:
    """16-bit values between the 512 points of a table.

    Raises:
        UnspoolError: a result leaves 16 bits, as no table of points makes it.
    """
    entry = table[(value >> _STEP) + _POINTS // 2]
    base, slope = (part.astype(np.uint16).view(np.int16) for part in (entry, entry >> 16))
    fraction = value & ((1 << _STEP) - 1)
    result: Ints = base + (slope * fraction + (1 << _STEP - 1) >> _STEP)
    if largest(result) > 32767 and (result != saturate(result, -32768, 32767)).any():
        raise UnspoolError("a lookup table interpolates to more than 16 bits")
    return result
