"""What registers describe: feature maps, kernels, scales and the output stage."""

from dataclasses import dataclass
from enum import Enum

from unspool.npu.arithmetic import Rounding


@dataclass(frozen=True)
class Element:
    """The number type of a feature map.

    Attributes:
        bytes: of a number.
        signed: whether it can be negative.
    """

    bytes: int
    signed: bool

    @property
    def dtype(self) -> str:
        """Its NumPy type."""
        return f"<{'i' if self.signed else 'u'}{self.bytes}"

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and largest value."""
        bits = 8 * self.bytes
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)


@dataclass(frozen=True)
class Tiles:
    """The up to four pieces that a feature map lies in, in two rows: 0 1 above 2 3.

    Attributes:
        bases: the address of each.
        height0: rows of piece 0.
        height1: rows of piece 1.
        width0: columns of pieces 0 and 2.
    """

    bases: tuple[int, int, int, int]
    height0: int
    height1: int
    width0: int


@dataclass(frozen=True)
class FeatureMap:
    """Where a feature map lies and what its elements mean.

    Attributes:
        name: IFM, IFM2 or OFM.
        region: the memory region that it is in.
        tiles: its pieces.
        shape: in elements, (H, W, C).
        strides: bytes from row to row, column to column, brick to brick.
        bricks: whether 16 channels lie together (NHCWB16), else all of them (NHWC).
        element: the type of its numbers.
        zero_point: the number that stands for 0.
    """

    name: str
    region: int
    tiles: Tiles
    shape: tuple[int, int, int]
    strides: tuple[int, int, int]
    bricks: bool
    element: Element
    zero_point: int


@dataclass(frozen=True)
class Kernel:
    """A kernel, and the padding around the IFM. Pairs are (y, x).

    Attributes:
        size: rows and columns.
        stride: from one window to the next.
        dilation: from one tap to the next.
        part_kernel: whether the weights' order is kernel before depth.
        top: rows of padding above.
        left: columns of padding on the left.
        bottom: rows of padding below.
        right: columns of padding on the right.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    part_kernel: bool
    top: int
    left: int
    bottom: int
    right: int

    @property
    def padded(self) -> bool:
        """Whether there is any padding."""
        return bool(self.top or self.left or self.bottom or self.right)

    def ifm_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of the IFM that give an OFM of `height` times `width`."""
        y = (height - 1) * self.stride[0] + (self.size[0] - 1) * self.dilation[0] + 1
        x = (width - 1) * self.stride[1] + (self.size[1] - 1) * self.dilation[1] + 1
        return y - self.top - self.bottom, x - self.left - self.right


class Upscale(Enum):
    """What fills the IFM at twice its height and width."""

    NONE = 0
    NEAREST = 1
    ZEROS = 2


@dataclass(frozen=True)
class Scale:
    """A factor: value * multiplier / 2**shift.

    Attributes:
        multiplier: 32 bits, unsigned.
        shift: to the right.
    """

    multiplier: int
    shift: int


@dataclass(frozen=True)
class Output:
    """How a result becomes an OFM element.

    Attributes:
        element: the type of the OFM's numbers.
        zero_point: what is added behind the scale.
        scale: of all channels; None where each has its own, or there is none.
        rounding: of the scale.
        low: the lower end of the clamp.
        high: the upper end of the clamp.
        clip: the field that can force the clamp to another type.
        table: number of the lookup table; None where there is none.
        curve: TANH or SIGMOID, which the NPU computes on 16-bit values; None for neither.
    """

    element: Element
    zero_point: int
    scale: Scale | None
    rounding: Rounding
    low: int
    high: int
    clip: int
    table: int | None
    curve: str | None
