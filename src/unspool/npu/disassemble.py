"""A command stream as text: one block per operation, with the registers it sets."""

from collections.abc import Iterator

from unspool.errors import UnspoolError
from unspool.npu import fields
from unspool.npu.container import Program
from unspool.npu.debug import Origin, read_debug
from unspool.npu.decoder import Operation, Registers, decode
from unspool.npu.descriptors import FeatureMap, Upscale
from unspool.npu.windows import input_map


def disassemble(program: Program, debug: bytes | None = None) -> str:
    """The stream of a program as text.

    Each block starts with the byte offset and the kind of an operation, then says what it reads
    and writes, then lists the registers written for it.

    Args:
        program: whose stream it is.
        debug: Vela's debug database, if there is one: it adds the operators' names.

    Raises:
        UnspoolError: the stream or the debug database is damaged.
    """
    origins = {} if debug is None else read_debug(debug)
    operations = decode(program.stream)
    lines = list(_head(program, len(operations)))
    for operation in operations:
        lines += ["", *_block(operation, origins.get(4 * operation.position))]
    return "\n".join(lines) + "\n"


def _head(program: Program, operations: int) -> Iterator[str]:
    """The accelerator, the memory regions, and the network's tensors in them."""
    config = program.config
    yield (
        f"{config.name}, {config.shram_kib} KiB SHRAM, {operations} operations,"
        f" {len(program.stream)} bytes of commands"
    )
    yield f"region 0: {len(program.read_only)} bytes, read only"
    yield f"region 1: {program.scratch_size} bytes, scratch"
    if program.fast_size is None:
        yield "region 2: the same as region 1"
    else:
        yield f"region 2: {program.fast_size} bytes, fast scratch"
    ends = {"input": program.inputs, "output": program.outputs, "variable": program.variables}
    for kind, tensors in ends.items():
        for tensor in tensors:
            place = f"region 1 +0x{tensor.offset:x}"
            yield f"{kind} {_line(tensor.name)}: {tensor.dtype} {tensor.shape}, {place}"


def _block(operation: Operation, origin: Origin | None) -> Iterator[str]:
    title = f"0x{4 * operation.position:06x} {operation.kind} {operation.mode}".rstrip()
    if origin is not None:
        via = f" of {origin.source}" if origin.source not in ("", origin.operator) else ""
        title += _line(f"  {origin.operator}{via}  {origin.name}").rstrip()
    yield title
    try:
        yield from (f"    {line}" for line in _summary(operation))
    except UnspoolError as error:
        yield f"    not simulated: {error}"
    for write in operation.writes:
        yield f"    0x{4 * write.position:06x}  {write.name:<18} 0x{write.value:x}"


def _line(name: str) -> str:
    """A name that others gave, which adds no lines."""
    return " ".join(name.splitlines())


def _summary(operation: Operation) -> Iterator[str]:
    registers = operation.registers
    if operation.kind == "DMA_START":
        source, target = (
            f"{_region(registers[f'DMA0_{end}_REGION'])} +0x{registers.address(f'DMA0_{end}'):x}"
            for end in ("SRC", "DST")
        )
        yield f"{registers.address('DMA0_LEN')} bytes from {source} to {target}"
        return
    target_map = fields.ofm(registers)
    if operation.kind == "ELEMENTWISE":
        yield _feature_map(fields.feature_map(registers, "IFM", target_map.shape))
        if operation.mode not in ("ABS", "CLZ", "LRELU"):
            yield _second(registers, target_map.shape)
    else:
        yield from _windows(operation, target_map)
    if operation.kind in ("CONV", "DEPTHWISE"):
        for name in ("WEIGHT", "SCALE"):
            yield (
                f"{name.lower()}s {_region(registers[f'{name}_REGION'])}"
                f" +0x{registers.address(f'{name}_BASE'):x}, {registers[f'{name}_LENGTH']} bytes"
            )
    yield _feature_map(target_map)
    output = fields.output(registers)
    scale = (
        "per channel or none"
        if output.scale is None
        else f"{output.scale.multiplier} / 2**{output.scale.shift}"
    )
    table = "" if output.table is None else f", table {output.table}"
    yield f"scale {scale}, rounding {output.rounding.name}, clamp {output.low} {output.high}{table}"


def _windows(operation: Operation, target: FeatureMap) -> Iterator[str]:
    """The IFM of a convolution or pooling operation, and how it is read."""
    registers = operation.registers
    kernel, upscale = fields.kernel(registers), fields.upscale(registers)
    whole = operation.kind == "CONV" or operation.mode == "REDUCE_SUM"
    deep = registers["IFM_DEPTH_M1"] + 1 if whole else target.shape[2]
    source = _feature_map(input_map(registers, kernel, target, deep))
    twice = "" if upscale is Upscale.NONE else f", at twice its size ({upscale.name})"
    yield source + twice
    yield (
        f"kernel {kernel.size[0]} x {kernel.size[1]}, stride {kernel.stride[0]} x"
        f" {kernel.stride[1]}, padding {kernel.top} {kernel.left} {kernel.bottom} {kernel.right}"
    )


def _second(registers: Registers, shape: tuple[int, int, int]) -> str:
    bits = registers["IFM2_BROADCAST"]
    order = ", operands swapped" if bits & 0x40 else ""
    if bits & 0x80:
        return f"IFM2 is the number {registers.signed16('IFM2_SCALAR')}{order}"
    sizes = [1 if bits >> axis & 1 else shape[axis] for axis in range(3)]
    second = fields.feature_map(registers, "IFM2", (sizes[0], sizes[1], sizes[2]))
    return _feature_map(second) + order


def _feature_map(fm: FeatureMap) -> str:
    layout = "NHCWB16" if fm.bricks else "NHWC"
    kind = f"{'int' if fm.element.signed else 'uint'}{8 * fm.element.bytes}"
    return (
        f"{fm.name} {_region(fm.region)} +0x{fm.tiles.bases[0]:x}, {fm.shape[0]} x {fm.shape[1]}"
        f" x {fm.shape[2]} {kind} {layout}, zero point {fm.zero_point}"
    )


def _region(number: int) -> str:
    return "SHRAM" if number & 0x100 else f"region {number & 0xFF}"
