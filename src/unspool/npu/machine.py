"""The machine: runs the operations of a program one after the other.

The hardware overlaps operations and works block by block; its waits and block dependencies
make that equal to running them in order, which is what happens here, on whole feature maps and
on a batch of samples at once.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.container import Program, Tensor
from unspool.npu.convolution import convolution
from unspool.npu.decoder import Operation, decode
from unspool.npu.elementwise import elementwise
from unspool.npu.memory import SCRATCH, Memory
from unspool.npu.pooling import pooling
from unspool.npu.regions import Array
from unspool.npu.state import Cache, Machine, dma

MAX_WORK = 1 << 34  # units of `Machine.spend` that one sample may cost
MAX_BATCH = 256
_OPERATION_WORK = 1 << 17  # units that any operation costs
_BATCH_BYTES = 1 << 25  # of scratch memory for the samples that run together

_OPERATIONS: dict[str, Callable[[Machine, Operation], None]] = {
    "CONV": convolution,
    "DEPTHWISE": convolution,
    "POOL": pooling,
    "ELEMENTWISE": elementwise,
    "DMA_START": dma,
}


def run(
    program: Program,
    inputs: Sequence[Array],
    max_work: int = MAX_WORK,
    after: Callable[[Operation, Memory], None] = lambda operation, memory: None,
) -> list[Array]:
    """Run a program on N samples, each from the beginning.

    Args:
        program: what to run.
        inputs: an array per network input, in the order of `program.inputs`, of the tensor's type
            and the shape (N, *sample); a sample has the tensor's shape without its batch axis of 1.
        max_work: bounds the work per sample, about one unit per multiply-accumulate.
        after: is called after each operation of each batch of samples, with the memory as it is
            then.

    Returns:
        such an array per network output.

    Raises:
        UnspoolError: the inputs do not fit, an operation or register is not simulated, an access
            is outside the memory regions, or there is too much work.
    """
    samples = _check_inputs(program, inputs)
    return infer(program, inputs, initial(program, samples), max_work, after)[0]


def initial(program: Program, samples: int) -> list[Array]:
    """Variable tensors before the first inference, (samples, ...) each: TFLM's values for zero."""
    return [
        np.full(
            (samples, *sample_shape(tensor)),
            tensor.zero_point if tensor.dtype == "int8" else 0,
            tensor.dtype,
        )
        for tensor in program.variables
    ]


def infer(
    program: Program,
    inputs: Sequence[Array],
    variables: Sequence[Array],
    max_work: int = MAX_WORK,
    after: Callable[[Operation, Memory], None] = lambda operation, memory: None,
) -> tuple[list[Array], list[Array]]:
    """One inference of N samples that have had others before: as `run`, with variable tensors.

    Args:
        program: as `run` takes it.
        inputs: as `run` takes them.
        variables: an array (N, ...) per variable tensor, in the order of `program.variables`.
        max_work: as `run` takes it.
        after: as `run` takes it.

    Returns:
        (outputs, variables after it).

    Raises:
        UnspoolError: as `run`.
    """
    samples = _check_inputs(program, inputs)
    operations = decode(program.stream)
    memory_bytes = program.scratch_size + (program.fast_size or 0) + 1
    step = max(1, min(MAX_BATCH, _BATCH_BYTES // memory_bytes))
    input_values = list(
        zip((*program.variables, *program.inputs), (*variables, *inputs), strict=True)
    )
    output_values = [
        (tensor, np.empty((samples, *sample_shape(tensor)), tensor.dtype))
        for tensor in (*program.outputs, *program.variables)
    ]
    cache = Cache()
    for start in range(0, samples, step):
        part = slice(start, min(start + step, samples))
        memory = Memory(program, part.stop - part.start)
        for tensor, values in input_values:
            _store(memory, tensor, values[part])
        _run_batch(Machine(program, memory, max_work, cache), operations, after)
        for tensor, result in output_values:
            result[part] = _fetch(memory, tensor)
    results: list[Array] = [result for _, result in output_values]
    return results[: len(program.outputs)], results[len(program.outputs) :]


def _run_batch(
    machine: Machine,
    operations: Sequence[Operation],
    after: Callable[[Operation, Memory], None],
) -> None:
    """Run all operations on the samples that are in the machine's memory."""
    for operation in operations:
        try:
            machine.spend(_OPERATION_WORK)
            _OPERATIONS[operation.kind](machine, operation)
        except UnspoolError as error:
            raise UnspoolError(f"{operation.name}: {error}") from None
        after(operation, machine.memory)


def sample_shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape of one sample: the tensor's shape without a leading batch axis of 1."""
    return tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape


def _check_inputs(program: Program, inputs: Sequence[Array]) -> int:
    if len(inputs) != len(program.inputs):
        raise UnspoolError(f"{len(inputs)} inputs given, expected {len(program.inputs)}")
    samples = len(inputs[0]) if inputs[0].ndim else 0
    for tensor, values in zip(program.inputs, inputs, strict=True):
        expected = (samples, *sample_shape(tensor))
        if values.shape != expected or values.dtype != tensor.dtype:
            raise UnspoolError(
                f"input {tensor.name!r} is {values.dtype} {values.shape},"
                f" expected {tensor.dtype} {expected}"
            )
    return samples


def _store(memory: Memory, tensor: Tensor, values: Array) -> None:
    region = memory.region(SCRATCH)
    part = slice(tensor.offset, tensor.offset + tensor.size)
    flat = np.ascontiguousarray(values).reshape(len(values), -1)
    region.rows[:, part] = flat.view(np.uint8)
    region.uniform[part] = False


def _fetch(memory: Memory, tensor: Tensor) -> Array:
    region = memory.region(SCRATCH)
    region.spread(tensor.offset, tensor.offset + tensor.size)
    raw = region.rows[:, tensor.offset : tensor.offset + tensor.size].copy()
    shape = sample_shape(tensor)
    return raw.view(tensor.dtype).reshape(len(raw), *shape) if math.prod(shape) else raw
