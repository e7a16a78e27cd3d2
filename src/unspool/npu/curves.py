"""tanh and the sigmoid function on 16-bit activations.

The NPU computes these two itself (ACTIVATION 3 and 4). How its silicon does it is not public;
what is known is that Vela scales the operand to units of 1 / (3 * 4096), which is what TensorFlow
Lite's 16-bit reference kernels do before they interpolate in a table of 256 sigmoid values. So
these functions are those kernels, and the table was read out of TensorFlow Lite Micro, entry by
entry, with inputs that fall on its points.
"""

import numpy as np

from unspool.npu.arithmetic import Ints

# The sigmoid function at multiples of 1/24, in units of 1 / 65536. Some entries are one or two
# units off the nearest integer: so they are in the reference. The last one stands in for the
# point behind the table.
_SIGMOID = """
32768 33451 34133 34813 35493 36169 36843 37513 38180 38841 39498 40149 40794 41432
42064 42688 43304 43912 44511 45102 45683 46255 46817 47369 47911 48443 48964 49475
49975 50464 50942 51409 51865 52311 52745 53169 53581 53983 54374 54755 55125 55485
55834 56174 56503 56823 57133 57433 57724 58007 58280 58544 58800 59048 59288 59519
59743 59959 60168 60370 60565 60753 60935 61110 61279 61441 61599 61750 61896 62036
62172 62302 62428 62549 62666 62778 62886 62990 63090 63186 63279 63368 63454 63536
63615 63691 63765 63835 63903 63968 64030 64090 64148 64204 64257 64308 64357 64405
64450 64494 64536 64576 64614 64652 64687 64721 64754 64786 64816 64845 64873 64900
64926 64950 64974 64997 65019 65039 65060 65079 65097 65115 65132 65149 65164 65179
65194 65208 65221 65234 65246 65258 65269 65280 65291 65301 65310 65319 65328 65337
65345 65352 65360 65367 65374 65381 65387 65393 65399 65404 65410 65415 65420 65425
65429 65433 65438 65442 65445 65449 65453 65456 65459 65462 65465 65468 65471 65474
65476 65479 65481 65483 65485 65488 65489 65491 65493 65495 65497 65498 65500 65501
65503 65504 65505 65507 65508 65509 65510 65511 65512 65513 65514 65515 65516 65517
65517 65518 65519 65520 65520 65521 65522 65522 65523 65523 65524 65524 65525 65525
65526 65526 65526 65527 65527 65528 65528 65528 65529 65529 65529 65529 65530 65530
65530 65530 65531 65531 65531 65531 65531 65532 65532 65532 65532 65532 65532 65533
65533 65533 65533 65533 65533 65533 65533 65534 65534 65534 65534 65534 65534 65534
65534 65534 65534 65535 65535
65535
"""
_POINTS = np.array([int(point) for point in _SIGMOID.split()], np.int64)
_LAST = 255  # from here on the curves saturate


def tanh16(value: Ints) -> Ints:
    """tanh of values in units of 1 / (3 * 4096), in units of 1 / 32768."""
    result = _interpolate(value, 8, 0xFFFF << 8) - (1 << 23)
    return np.where(value >= 0, result + (1 << 7), -result + (1 << 7) - 1) >> 8


def sigmoid16(value: Ints) -> Ints:
    """The sigmoid of values in units of 1 / (3 * 4096), in units of 1 / 32768."""
    result = _interpolate(value, 9, 0x7FFF << 10)
    return np.where(value >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1) >> 10


def _interpolate(value: Ints, bits: int, saturated: int) -> Ints:
    """Between the points at |value| >> bits and the one after it."""
    magnitude = np.abs(value)
    index = np.minimum(magnitude >> bits, _LAST)
    fraction = magnitude & ((1 << bits) - 1)
    inner = (_POINTS[index] << bits) + fraction * (_POINTS[index + 1] - _POINTS[index])
    return np.where(index >= _LAST, saturated, inner)
