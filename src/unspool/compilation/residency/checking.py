"""What resident weights must not change: the bytes that the network gives."""

import numpy as np

from unspool import npu
from unspool.errors import UnspoolError
from unspool.npu.container import Program
from unspool.npu.machine import sample_shape

_SAMPLES = 2


def check_bytes(before: Program, after: Program) -> None:
    """Check that two programs give the same bytes, on random samples.

    The addresses in a stream do not depend on the input. So one run in the memory of Vela's size
    shows that none of its operations reaches the copies behind that memory.

    Raises:
        UnspoolError: they do not, or one of them cannot be simulated.
    """
    rng = np.random.default_rng(0)
    inputs = []
    for tensor in before.inputs:
        limits = np.iinfo(tensor.dtype)
        shape = (_SAMPLES, *sample_shape(tensor))
        inputs.append(rng.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True))
    expected, outputs = npu.run(before, inputs), npu.run(after, inputs)
    if not all(np.array_equal(a, b) for a, b in zip(expected, outputs, strict=True)):
        raise UnspoolError(
            "the network with resident weights gives other bytes in the simulator: please report "
            "this model as a defect of Unspool"
        )
