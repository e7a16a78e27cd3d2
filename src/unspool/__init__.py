"""Unspool: trained Keras recurrent networks, unrolled, quantized and compiled for Ethos-U NPUs.

The way of the data, one function per arrow:

    trained model --unroll--> deploy model --convert--> float .tflite
      --calibrate--> ranges --quantize--> int8 .tflite --compile--> Vela .tflite

`deploy` is the whole way. Names are imported when they are first used: TensorFlow takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unspool.calibration import Calibration, calibrate
    from unspool.conversion import convert
    from unspool.deployment import Deployment, deploy
    from unspool.errors import UnspoolError
    from unspool.evaluation import Accuracy, OutputError, evaluate
    from unspool.inspection import Verdict, inspect
    from unspool.loading import load
    from unspool.quantization import quantize
    from unspool.ranges import Range
    from unspool.runtime import Session
    from unspool.targets import Target, target
    from unspool.unrolling import unroll
    from unspool.vela import Compiled, Operator, compile

_HOME = {
    "Accuracy": "evaluation",
    "Calibration": "calibration",
    "Compiled": "vela",
    "Deployment": "deployment",
    "Operator": "vela",
    "OutputError": "evaluation",
    "Range": "ranges",
    "Session": "runtime",
    "Target": "targets",
    "UnspoolError": "errors",
    "Verdict": "inspection",
    "calibrate": "calibration",
    "compile": "vela",
    "convert": "conversion",
    "deploy": "deployment",
    "evaluate": "evaluation",
    "inspect": "inspection",
    "load": "loading",
    "quantize": "quantization",
    "target": "targets",
    "unroll": "unrolling",
}

__all__ = [
    "Accuracy",
    "Calibration",
    "Compiled",
    "Deployment",
    "Operator",
    "OutputError",
    "Range",
    "Session",
    "Target",
    "UnspoolError",
    "Verdict",
    "calibrate",
    "compile",
    "convert",
    "deploy",
    "evaluate",
    "inspect",
    "load",
    "quantize",
    "target",
    "unroll",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unspool' has no attribute {name!r}")
    return getattr(import_module(f"unspool.{_HOME[name]}"), name)
