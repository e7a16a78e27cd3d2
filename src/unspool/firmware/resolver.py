"""The calls that tell TFLM which operators a compiled file has."""

from unspool.compilation.placement import NPU
from unspool.tflite import flatbuffer

_SPELLED = {  # those that differ from the kind's words in capitals
    NPU: "AddEthosU",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
}


def calls(model: flatbuffer.Model) -> list[str]:
    """Names of the methods of TFLM's `MicroMutableOpResolver`, such as `AddEthosU`, in order."""
    kinds = dict.fromkeys(kind for kind, _ in flatbuffer.operators(model))
    return [_SPELLED.get(kind) or "Add" + kind.title().replace("_", "") for kind in kinds]
