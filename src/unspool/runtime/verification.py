"""Does the compiled binary compute what the quantized model does, in the simulator?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unspool import npu
from unspool.compilation import vela
from unspool.compilation.compiled import Compiled
from unspool.npu import fields
from unspool.npu.debug import read_debug
from unspool.npu.decoder import Operation, decode
from unspool.npu.memory import Memory
from unspool.runtime.engines import tflm
from unspool.tflite import flatbuffer
from unspool.tflite.signature import Signature

_KEPT_AT_ONCE = 1000  # tensors that TFLM keeps to the end of an inference


@dataclass(frozen=True)
class Simulation:
    """The compiled binary in the simulator, beside the quantized model in TFLM.

    Attributes:
        samples: how many were compared; 0 where the binary was not simulated.
        equal: how many gave the same bytes in every output.
        reason: why it was not simulated; else empty.
        first_difference: the first operator whose bytes differ, where one does; else empty.
    """

    samples: int
    equal: int
    reason: str = ""
    first_difference: str = ""


def compare(
    compiled: Compiled,
    quantized_tflite: bytes,
    data: Sequence[np.ndarray],
    simulated: list[np.ndarray],
    tflm: list[np.ndarray],
) -> Simulation:
    """Compare outputs, and look for the first operator that differs.

    Args:
        compiled: the binary.
        quantized_tflite: what it was compiled from.
        data: the samples, one array (samples, ...) per input.
        simulated: the binary's outputs, one array (samples, ...) each.
        tflm: the quantized model's. Both are real values with one scale: they are equal exactly
            where their bytes are.
    """
    same, first = equal(simulated, tflm), ""
    if not same.all():
        number = int(np.argmin(same))
        sample = [array[number : number + 1] for array in data]
        first = _first_difference_or_why(compiled, quantized_tflite, sample)
    return Simulation(len(same), int(same.sum()), first_difference=first)


def equal(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """Whether all outputs of a sample are equal, (samples,); of one (samples, ...) per output."""
    same = np.ones(len(some[0]), bool)
    for a, b in zip(some, others, strict=True):
        same &= (a == b).reshape(len(a), -1).all(axis=1)
    return same


def _first_difference_or_why(
    compiled: Compiled, quantized_tflite: bytes, sample: list[np.ndarray]
) -> str:
    """The first difference, or why it cannot be found, which does not spoil the deployment."""
    try:
        return first_difference(compiled, quantized_tflite, sample)
    except Exception as error:
        return f"not found ({' '.join(str(error).split()) or type(error).__name__})"


def first_difference(compiled: Compiled, quantized_tflite: bytes, sample: list[np.ndarray]) -> str:
    """The first operator whose output bytes differ from TFLM's, by Vela's debug database.

    Args:
        compiled: the binary.
        quantized_tflite: what it was compiled from.
        sample: one array (1, ...) per input. A file with states starts from zero states; the first
            call that differs is examined.
    """
    origins = read_debug(compiled.debug)
    stream = npu.load(compiled.tflite).stream
    if origins.keys() - {4 * operation.position for operation in decode(stream)}:
        # Resident weights have moved its operations; without them, it gives the same bytes.
        compiled = vela.compile(quantized_tflite, compiled.target)
    values = _first_that_differs(compiled, quantized_tflite, sample)
    expected = _tflm_tensors(quantized_tflite, values)
    written: dict[str, np.ndarray] = {}  # by each operator's last write, in the stream's order

    def keep(operation: Operation, memory: Memory) -> None:
        origin = origins.get(4 * operation.position)
        if operation.kind != "DMA_START" and origin is not None and origin.name in expected:
            written.pop(origin.name, None)
            written[origin.name] = memory.read(fields.ofm(operation.registers))[0].flatten()

    npu.run(npu.load(compiled.tflite), values, after=keep)
    for name, bytes_ in written.items():
        if bytes_.size == expected[name].size and (bytes_ != expected[name]).any():
            return name
    return "an operator that Vela's debug database does not name"


def _first_that_differs(
    compiled: Compiled, quantized_tflite: bytes, sample: list[np.ndarray]
) -> list[np.ndarray]:
    """Inputs of the first call whose outputs differ, in the order of the file's inputs."""
    signature = Signature(quantized_tflite)
    run, program = tflm(quantized_tflite), npu.load(compiled.tflite)
    states: Sequence[np.ndarray] = signature.initial_states(1, sample)
    for number, call in enumerate(signature.calls(sample)):
        values = signature.merged(signature.quantized(call), states)
        outputs = run(values)
        if any((a != b).any() for a, b in zip(npu.run(program, values), outputs, strict=True)):
            break
        after = [outputs[pair.output] for pair in signature.pairs]
        states = signature.carried(states, after, number)
    return values


def _tflm_tensors(tflite: bytes, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Name -> stored values, flat, of every tensor that an operator writes, after one inference.

    The tensors are made outputs of the network, some at a time: TFLM can keep all tensors by
    itself, but has room for 1,024 only.
    """
    model = flatbuffer.read(tflite)
    graph = model.subgraphs[0]
    written = [int(index) for op in graph.operators for index in op.outputs]
    model.signatureDefs = []  # they would name outputs that are no longer there
    tensors = {}
    for start in range(0, len(written), _KEPT_AT_ONCE):
        graph.outputs = written[start : start + _KEPT_AT_ONCE]
        for index, output in zip(graph.outputs, tflm(flatbuffer.write(model))(values), strict=True):
            tensors[graph.tensors[index].name.decode()] = output.ravel()
    return tensors
