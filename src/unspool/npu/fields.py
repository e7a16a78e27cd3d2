"""Registers -> values with meaning: feature maps, kernels, activations, scales."""

from unspool.errors import UnspoolError
from unspool.npu.arithmetic import Rounding
from unspool.npu.decoder import Registers
from unspool.npu.descriptors import (
    Element,
    FeatureMap,
    Kernel,
    Output,
    Scale,
    Tiles,
    Upscale,
)

SHRAM_REGION = 0x100  # our number for the internal memory that DMA can address

_CURVES = {0: None, 3: "TANH", 4: "SIGMOID"}
_IFM_WIDTHS = {0: 1, 1: 2, 2: 4}  # precision code -> bytes


def ifm_element(registers: Registers, name: str) -> Element:
    """The element type of IFM or IFM2."""
    precision = registers[f"{name}_PRECISION"]
    if precision & ~(0xC3CD if name == "IFM" else 0xCD):
        raise UnspoolError(f"{name}_PRECISION has unknown bits, 0x{precision:x}")
    width = precision >> 2 & 3
    if width not in _IFM_WIDTHS:
        raise UnspoolError(f"{name}_PRECISION has the width code {width}")
    return Element(_IFM_WIDTHS[width], bool(precision & 1))


def ofm_element(registers: Registers) -> Element:
    """The element type of the OFM."""
    precision = registers["OFM_PRECISION"]
    if precision & ~0xC1C7:
        raise UnspoolError(f"OFM_PRECISION has unknown bits, 0x{precision:x}")
    width = precision >> 1 & 3
    if width not in _IFM_WIDTHS:
        raise UnspoolError(f"OFM_PRECISION has the width code {width}")
    return Element(_IFM_WIDTHS[width], bool(precision & 1))


def feature_map(registers: Registers, name: str, shape: tuple[int, int, int]) -> FeatureMap:
    """IFM, IFM2 or OFM with the given shape (H, W, C) in elements."""
    if min(shape) < 1:
        raise UnspoolError(f"the {name} would have the shape {shape}")
    precision = registers[f"{name}_PRECISION"]
    layout = precision >> 6 & 3
    if layout > 1:
        raise UnspoolError(f"{name}_PRECISION has the format {layout}")
    bases = [registers.address(f"{name}_BASE{i}") for i in range(4)]
    return FeatureMap(
        name=name,
        region=registers[f"{name}_REGION"],
        tiles=Tiles(
            bases=(bases[0], bases[1], bases[2], bases[3]),
            height0=registers[f"{name}_HEIGHT0_M1"] + 1,
            height1=registers[f"{name}_HEIGHT1_M1"] + 1,
            width0=registers[f"{name}_WIDTH0_M1"] + 1,
        ),
        shape=shape,
        strides=(
            registers.address(f"{name}_STRIDE_Y"),
            registers.address(f"{name}_STRIDE_X"),
            registers.address(f"{name}_STRIDE_C") if layout else 0,
        ),
        bricks=bool(layout),
        element=ofm_element(registers) if name == "OFM" else ifm_element(registers, name),
        zero_point=registers.signed16(f"{name}_ZERO_POINT"),
    )


def ofm(registers: Registers) -> FeatureMap:
    """The output feature map."""
    shape = tuple(registers[f"OFM_{axis}_M1"] + 1 for axis in ("HEIGHT", "WIDTH", "DEPTH"))
    return feature_map(registers, "OFM", (shape[0], shape[1], shape[2]))


def kernel(registers: Registers) -> Kernel:
    """The kernel of a convolution or pooling operation."""
    bits = registers["KERNEL_STRIDE"]
    if bits & ~0xFFF or bits & 0x20:
        raise UnspoolError(f"KERNEL_STRIDE has unknown bits, 0x{bits:x}")
    dilation = (1 + (bits >> 4 & 1), 1 + (bits >> 3 & 1))
    spans = registers["KERNEL_HEIGHT_M1"], registers["KERNEL_WIDTH_M1"]
    if spans[0] % dilation[0] or spans[1] % dilation[1]:
        raise UnspoolError(f"a kernel span of {spans} does not fit the dilation {dilation}")
    return Kernel(
        size=(spans[0] // dilation[0] + 1, spans[1] // dilation[1] + 1),
        stride=(
            1 + (bits >> 1 & 1 | (bits >> 9 & 7) << 1),
            1 + (bits & 1 | (bits >> 6 & 7) << 1),
        ),
        dilation=dilation,
        part_kernel=bool(bits & 4),
        top=registers["IFM_PAD_TOP"],
        left=registers["IFM_PAD_LEFT"],
        bottom=registers["IFM_PAD_BOTTOM"],
        right=registers["IFM_PAD_RIGHT"],
    )


def upscale(registers: Registers) -> Upscale:
    """How the IFM is enlarged before the kernel sees it."""
    mode = registers["IFM_UPSCALE"]
    if mode > 2:
        raise UnspoolError(f"IFM_UPSCALE has the mode {mode}")
    return Upscale(mode)


def scale(registers: Registers, name: str) -> Scale:
    """OFM_SCALE or OPA_SCALE."""
    value = registers[name]
    if value >> 38:
        raise UnspoolError(f"{name} has the shift {value >> 32}, above 63")
    return Scale(value & 0xFFFFFFFF, value >> 32)


def rounding(registers: Registers, name: str) -> Rounding:
    """The rounding mode of IFM_PRECISION or OFM_PRECISION."""
    mode = registers[name] >> 14 & 3
    if mode == 3:
        raise UnspoolError(f"{name} has the rounding mode 3")
    return Rounding(mode)


def output(registers: Registers) -> Output:
    """The last stage of an operation: scale, zero point, clamp and table."""
    element = ofm_element(registers)
    activation = registers["ACTIVATION"]
    function, clip = activation & 0xFFF, activation >> 12
    if function not in _CURVES and not 16 <= function <= 23:
        raise UnspoolError(f"ACTIVATION has the function {function}")
    if clip not in (0, 2, 3, 5):
        raise UnspoolError(f"ACTIVATION has the clip range {clip}")
    signed = element.signed if clip == 0 else clip != 2
    low, high = registers["ACTIVATION_MIN"], registers["ACTIVATION_MAX"]
    if signed:
        low, high = registers.signed16("ACTIVATION_MIN"), registers.signed16("ACTIVATION_MAX")
    return Output(
        element=element,
        zero_point=registers.signed16("OFM_ZERO_POINT"),
        scale=scale(registers, "OFM_SCALE") if registers["OFM_PRECISION"] >> 8 & 1 else None,
        rounding=rounding(registers, "OFM_PRECISION"),
        low=low,
        high=high,
        clip=clip,
        table=function - 16 if function >= 16 else None,
        curve=_CURVES.get(function),
    )
