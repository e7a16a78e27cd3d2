"""ELEMENTWISE operations: one or two feature maps in, one out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu import fields
from unspool.npu.arithmetic import (
    Ints,
    Rounding,
    check_product,
    count_leading_zeros,
    largest,
    natural_scale,
    operand_scale,
    scale,
)
from unspool.npu.decoder import Operation, Registers
from unspool.npu.descriptors import Element, Output, Scale, Upscale
from unspool.npu.regions import Array
from unspool.npu.state import Machine

_WORK = 32  # units per element
_TABLE_FROM = 1 << 16  # elements from which a table of all operand pairs pays off
_UNARY = ("ABS", "CLZ", "LRELU")
_SCALED = ("ADD", "SUB", "MUL", "ABS")
# How far TensorFlow Lite shifts the operands of ADD and SUB left, per element size. The operand
# without a scale of its own is shifted by one less: its scale would be a half.
_LEFT_SHIFT = {1: 20, 2: 15}


@dataclass(frozen=True)
class Operands:
    """How the operands of an operation become numbers; also the key of its table.

    Attributes:
        mode: of the operation.
        swapped: whether IFM2 is the first operand.
        elements: the number type of IFM and, if there is one, IFM2.
        zero_points: likewise.
        scale_mode: which operands of ADD and SUB have a scale, see `_align`.
        operand_scale: OPA_SCALE.
        second_scale: OPB_SCALE.
        operand_rounding: of the operands' scales.
        output: how a result becomes an element of the OFM.
    """

    mode: str
    swapped: bool
    elements: tuple[Element, ...]
    zero_points: tuple[int, ...]
    scale_mode: int
    operand_scale: Scale
    second_scale: int
    operand_rounding: Rounding
    output: Output


def elementwise(machine: Machine, operation: Operation) -> None:
    """Run one ELEMENTWISE operation."""
    registers = operation.registers
    target = fields.ofm(registers)
    if fields.upscale(registers) is not Upscale.NONE:
        raise UnspoolError("ELEMENTWISE on an upscaled IFM")
    height, width, depth = target.shape
    machine.spend(_WORK * height * width * depth)
    operands = _operands(operation)
    first = machine.memory.read(fields.feature_map(registers, "IFM", target.shape))
    if operation.mode in _UNARY:
        result = _unary(machine, operands, first)
    else:
        second = _second(machine, registers, target.shape)
        result = _binary(machine, operands, first, second, height * width * depth)
    machine.memory.write(target, np.broadcast_to(result, (len(result), *target.shape)))


def _operands(operation: Operation) -> Operands:
    registers, mode = operation.registers, operation.mode
    names = ("IFM",) if mode in _UNARY else ("IFM", "IFM2")
    scaled = mode in ("ADD", "SUB")
    output = fields.output(registers)
    if output.scale is None and mode in _SCALED:
        raise UnspoolError("no OFM_SCALE (OFM_PRECISION bit 8 is clear), not simulated")
    return Operands(
        mode=mode,
        swapped=mode not in _UNARY and bool(registers["IFM2_BROADCAST"] & 0x40),
        elements=tuple(fields.ifm_element(registers, name) for name in names),
        zero_points=tuple(registers.signed16(f"{name}_ZERO_POINT") for name in names),
        scale_mode=registers["IFM_PRECISION"] >> 8 & 3,
        operand_scale=fields.scale(registers, "OPA_SCALE") if scaled else Scale(1, 0),
        second_scale=registers["OPB_SCALE"] & 0xFFFFFFFF if scaled else 1,
        operand_rounding=fields.rounding(registers, "IFM_PRECISION"),
        output=output,
    )


def _second(machine: Machine, registers: Registers, shape: tuple[int, int, int]) -> Array:
    """IFM2, with an axis of 1 where it is broadcast: shape (1 or batch, H, W, C)."""
    bits = registers["IFM2_BROADCAST"]
    if bits & ~0xC7:
        raise UnspoolError(f"IFM2_BROADCAST has unknown bits, 0x{bits:x}")
    if bits & 0x80:
        element = fields.ifm_element(registers, "IFM2")
        value = registers.signed16("IFM2_SCALAR")
        if not element.signed:
            value &= 0xFFFF
        low, high = element.range
        if not low <= value <= high:
            raise UnspoolError(f"IFM2_SCALAR is {value}, outside [{low}, {high}]")
        return np.full((1, 1, 1, 1), value, element.dtype)
    sizes = [1 if bits >> axis & 1 else shape[axis] for axis in range(3)]
    return machine.memory.read(
        fields.feature_map(registers, "IFM2", (sizes[0], sizes[1], sizes[2]))
    )


def _binary(
    machine: Machine, operands: Operands, first: Array, second: Array, elements: int
) -> Array:
    """All pairs of 8-bit operands have 65,536 results: for large batches, look them up."""
    if any(element.bytes != 1 for element in operands.elements):
        return _compute(machine, operands, first, second)
    lookup = machine.table(operands.output)
    key = (operands, lookup)
    table = machine.cache.tables.get(key)
    if table is None:
        if max(len(first), len(second)) * elements < _TABLE_FROM:
            return _compute(machine, operands, first, second)
        values = np.arange(256, dtype=np.uint8)
        rows = values.view(operands.elements[0].dtype).reshape(256, 1)
        columns = values.view(operands.elements[1].dtype).reshape(1, 256)
        table = _compute(machine, operands, rows, columns).ravel()
        machine.cache.tables[key] = table
    index = first.view(np.uint8).astype(np.uint16) << 8 | second.view(np.uint8)
    return table.take(index)


def _compute(machine: Machine, operands: Operands, first: Array, second: Array) -> Array:
    a = first.astype(np.int64) - operands.zero_points[0]
    b = second.astype(np.int64) - operands.zero_points[1]
    if operands.swapped:
        a, b = b, a
    return machine.finish(_BINARY[operands.mode](operands, a, b), operands.output)


def _unary(machine: Machine, operands: Operands, first: Array) -> Array:
    a = first.astype(np.int64) - operands.zero_points[0]
    if operands.mode == "CLZ":
        return machine.finish(count_leading_zeros(a), operands.output)
    if operands.mode == "ABS":
        return machine.finish(_scale_output(operands, np.abs(a)), operands.output)
    if operands.elements[0] != operands.output.element or operands.output.scale is None:
        raise UnspoolError("LRELU between types, or without a scale, is not simulated")
    return machine.finish(np.where(a >= 0, a, _scale_output(operands, a)), operands.output)


def _scale_output(operands: Operands, value: Ints) -> Ints:
    factor = operands.output.scale
    if factor is None:
        return value
    return scale(value, factor.multiplier, factor.shift, operands.output.rounding)


def _align(operands: Operands, a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """Bring the operands of ADD and SUB to one scale.

    Mode 0 multiplies each by a 16-bit number. Modes 1 and 2 scale the first or the second with
    the 32-bit OPA_SCALE and shift the other one up by the headroom.
    """
    factor, mode = operands.operand_scale, operands.scale_mode
    if mode == 0:
        check_product(a, factor.multiplier)
        check_product(b, operands.second_scale)
        return a * factor.multiplier, b * operands.second_scale
    size = operands.elements[0].bytes
    if mode == 3 or size not in _LEFT_SHIFT:
        raise UnspoolError(f"IFM scale mode {mode} on {8 * size}-bit operands")
    if operands.operand_rounding is not Rounding.TFL:
        raise UnspoolError(f"an operand scale with rounding {operands.operand_rounding.name}")
    left_shift = _LEFT_SHIFT[size]
    if mode == 1:
        return operand_scale(a, factor.multiplier, factor.shift, left_shift), b << left_shift - 1
    return a << left_shift - 1, operand_scale(b, factor.multiplier, factor.shift, left_shift)


def _add(operands: Operands, a: Ints, b: Ints) -> Ints:
    a, b = _align(operands, a, b)
    return _scale_output(operands, a + b)


def _sub(operands: Operands, a: Ints, b: Ints) -> Ints:
    a, b = _align(operands, a, b)
    return _scale_output(operands, a - b)


def _mul(operands: Operands, a: Ints, b: Ints) -> Ints:
    check_product(a, largest(b))
    factor = operands.output.scale
    if operands.elements[0].bytes < 4 or factor is None:
        return _scale_output(operands, a * b)
    # On 32-bit operands the multiplier is not used, only the shift.
    return scale(a * b, 1, factor.shift, operands.output.rounding)


def _shr(operands: Operands, a: Ints, b: Ints) -> Ints:
    if operands.output.rounding is not Rounding.NATURAL:
        raise UnspoolError(f"SHR with the rounding mode {operands.output.rounding.name}")
    return natural_scale(a, 1, _shift_amount(b))


def _shl(operands: Operands, a: Ints, b: Ints) -> Ints:
    if largest(a) >= 1 << 31:
        raise UnspoolError("SHL of more than 32 bits")
    return a << _shift_amount(b)


def _shift_amount(b: Ints) -> Ints:
    if b.size and (int(np.min(b)) < 0 or int(np.max(b)) > 31):
        raise UnspoolError(
            f"a shift by {int(np.min(b))} to {int(np.max(b))} bits, expected 0 to 31"
        )
    return b


_BINARY: dict[str, Callable[[Operands, Ints, Ints], Ints]] = {
    "MUL": _mul,
    "ADD": _add,
    "SUB": _sub,
    "MIN": lambda operands, a, b: np.minimum(a, b),
    "MAX": lambda operands, a, b: np.maximum(a, b),
    "SHR": _shr,
    "SHL": _shl,
}
