"""What TFLM cannot run, found before TFLM is started, or before a device runs it.

TFLM refuses some operators with a line of C++, computes some wrongly, and stops the whole process
at others. `tflm_kernels` has the limits.
"""

from collections.abc import Iterator
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from unspool.tflite import flatbuffer
from unspool.tflite.tflm_kernels import LARGEST_RANK, LIMITS, Limit
from unspool.tflite.tflm_rules import Operator, Tensor

_NPU = "ethos-u"  # Vela's operator, which the NPU runs
_TYPES = {
    number: name.lower()
    for name, number in vars(schema.TensorType).items()
    if not name.startswith("_")
}


def problem(model: flatbuffer.Model) -> str | None:
    """The first thing in a .tflite file that TFLM cannot run, in one line; None where it can.

    In a file that Vela compiled, only the operators on the CPU are checked: TFLM runs those.
    """
    return next(problems(model), None)


def problems(model: flatbuffer.Model) -> Iterator[str]:
    """One line for every operator that TFLM cannot run, in the order of the file."""
    for name, wrong in faults(model):
        yield f"TFLM cannot run {name}: {wrong}"


def faults(model: flatbuffer.Model) -> Iterator[tuple[str, str]]:
    """Every operator that TFLM cannot run: the name of its output, and its kind and the reason."""
    for graph in model.subgraphs:
        for op in graph.operators:
            kind = flatbuffer.operator_kind(model, op)
            if kind == _NPU:
                continue
            tensors = [
                [None if i < 0 else _tensor(model, graph.tensors[i]) for i in map(int, indices)]
                for indices in (op.inputs, op.outputs)
            ]
            written = tuple(tensor for tensor in tensors[1] if tensor is not None)
            wrong = _problem(Operator(kind, tuple(tensors[0]), written, op.builtinOptions))
            if wrong:
                name = "an operator without outputs"
                if written:
                    name = repr(flatbuffer.first_name(written[0].name))
                yield name, f"{kind} {wrong}"


def _tensor(model: flatbuffer.Model, tensor: Any) -> Tensor:
    data, quantization = model.buffers[tensor.buffer].data, tensor.quantization
    scaled = (
        quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
    )
    zeros = quantization.zeroPoint if scaled else None
    return Tensor(
        name=tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name),
        shape=() if tensor.shape is None else tuple(int(n) for n in tensor.shape),
        type=_TYPES[tensor.type],
        quantization=(
            float(quantization.scale[0]) if scaled else 0.0,
            int(zeros[0]) if zeros is not None and len(zeros) else 0,
        ),
        constant=data is not None and len(data) > 0,
    )


IN_INT8 = "; quantize it to int8"
"""The end of what is wrong with an operator that is only wrong in int16."""


def _problem(op: Operator) -> str:
    """What is wrong with an operator and what to do, or nothing."""
    limit = LIMITS.get(op.kind)
    if limit is None:
        return "has no kernel in TFLM; replace it by others"
    if wrong := _type(op, limit) or _ranks(op, limit) or _operands(op, limit):
        return wrong
    try:
        return limit.check(op)
    except (
        IndexError,
        ValueError,
        TypeError,
    ):  # it looks at a tensor that a damaged file leaves out
        return f"has {len(op.operands)} inputs and {len(op.outputs)} outputs, fewer than it takes"


def _type(op: Operator, limit: Limit) -> str:
    """What is wrong with the types of an operator, or nothing."""
    data = _data(op, limit)
    input_types, output_types = limit.types.split(), limit.makes.split()
    if data is not None and input_types and data.type not in input_types:
        mend = (
            IN_INT8 if "int8" in input_types and data.type == "int16" else "; replace it by others"
        )
        return f"takes {_listed(input_types)}, not {data.type}{mend}"
    if op.outputs and output_types and op.outputs[0].type not in output_types:
        return f"writes {_listed(output_types)}, not {op.outputs[0].type}; replace it by others"
    return ""


def _ranks(op: Operator, limit: Limit) -> str:
    """What is wrong with the number of dimensions, or nothing."""
    fewest, most = limit.rank
    data = _data(op, limit)
    rank = max((len(tensor.shape) for tensor in (*op.operands, *op.outputs)), default=0)
    if rank > LARGEST_RANK:
        return f"has {rank} dimensions, TFLM has room for {LARGEST_RANK}; reshape it to fewer"
    if fewest and data is not None:
        rank = len(data.shape)
    if fewest <= rank <= most:
        return ""
    allowed = f"{most}" if fewest == most else f"{fewest} to {most}" if fewest else f"up to {most}"
    return f"has {rank} dimensions, TFLM takes {allowed}; reshape it"


def _data(op: Operator, limit: Limit) -> Tensor | None:
    return op.inputs[limit.data] if limit.data < len(op.inputs) else None


def _operands(op: Operator, limit: Limit) -> str:
    """What is wrong with the inputs, or nothing: their number, constants, a shared quantization."""
    if limit.inputs is not None and len(op.inputs) > limit.inputs:
        return (
            f"has {len(op.inputs)} inputs, TFLM takes up to {limit.inputs}; "
            "concatenate some, then the results"
        )
    for number in limit.constants:
        tensor = op.inputs[number] if number < len(op.inputs) else None
        if tensor is not None and not tensor.constant:
            return f"reads {tensor.name!r}, which must be a constant in TFLM; make its size fixed"
    if op.outputs and op.outputs[0].type in limit.same.split():
        for tensor in (tensor for tensor in op.operands if tensor.type == op.outputs[0].type):
            if tensor.quantization != op.outputs[0].quantization:
                return (
                    f"reads {tensor.name!r} with scale and zero point {tensor.quantization}, "
                    f"TFLM takes only its output's, {op.outputs[0].quantization}; tie their scales"
                )
    return ""


def _listed(types: list[str]) -> str:
    *others, last = types
    return f"{', '.join(others)} or {last}" if others else last
