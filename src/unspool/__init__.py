"""Unspool: trained Keras recurrent networks, unrolled, quantized and compiled for Ethos-U NPUs.

The way of the data, one function per arrow:

    trained model --unroll--> deploy model --convert--> float .tflite
      --calibrate--> ranges --quantize--> int8 .tflite --compile--> Vela .tflite

`deploy` is the whole way; `unroll_stream`, `calibrate_stream` and `deploy_stream` are the same with
states in and out. Names are imported when they are first used: TensorFlow takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unspool.budgets import Breach, Budget
    from unspool.calibration import Calibration, Round, calibrate, calibrate_stream
    from unspool.candidates import Candidate
    from unspool.compression import (
        Compressed,
        Epoch,
        FineTuning,
        KernelResult,
        KernelSetting,
        compress,
    )
    from unspool.conversion import convert
    from unspool.deployment import Deployment, Options, deploy, deploy_stream
    from unspool.drift import Curve, Drift
    from unspool.errors import UnspoolError, UnspoolWarning
    from unspool.evaluation import Accuracy, Regression, evaluate
    from unspool.feature_scales import with_feature_scales
    from unspool.firmware import bundle
    from unspool.input_scaling import InputScaling
    from unspool.inspection import Verdict, inspect
    from unspool.loading import load
    from unspool.measuring import Measured, NotMeasured
    from unspool.quality import Agreement, ColumnError, OutputError, Quality
    from unspool.quantization import quantize
    from unspool.ranges import Range
    from unspool.remedies import Remedy
    from unspool.residency import Resident, keep_resident
    from unspool.runtime import Session
    from unspool.searching import Search, search
    from unspool.signature import Outside
    from unspool.simulation import Simulation
    from unspool.sweeping import Cost, Sweep, Trial, sweep
    from unspool.targets import Target, all_targets, target
    from unspool.unrolling import unroll, unroll_stream
    from unspool.vela import Compiled, Operator, compile

_HOME = {
    "Accuracy": "evaluation",
    "Agreement": "quality",
    "Breach": "budgets",
    "Budget": "budgets",
    "Calibration": "calibration",
    "Candidate": "candidates",
    "ColumnError": "quality",
    "Compiled": "vela",
    "Compressed": "compression",
    "Cost": "sweeping",
    "Curve": "drift",
    "Deployment": "deployment",
    "Drift": "drift",
    "Epoch": "compression",
    "FineTuning": "compression",
    "InputScaling": "input_scaling",
    "KernelResult": "compression",
    "KernelSetting": "compression",
    "Measured": "measuring",
    "NotMeasured": "measuring",
    "Operator": "vela",
    "Options": "deployment",
    "OutputError": "quality",
    "Outside": "signature",
    "Quality": "quality",
    "Range": "ranges",
    "Regression": "evaluation",
    "Remedy": "remedies",
    "Resident": "residency",
    "Round": "calibration",
    "Search": "searching",
    "Session": "runtime",
    "Simulation": "simulation",
    "Sweep": "sweeping",
    "Target": "targets",
    "Trial": "sweeping",
    "UnspoolError": "errors",
    "UnspoolWarning": "errors",
    "Verdict": "inspection",
    "all_targets": "targets",
    "bundle": "firmware",
    "calibrate": "calibration",
    "calibrate_stream": "calibration",
    "compile": "vela",
    "compress": "compression",
    "convert": "conversion",
    "deploy": "deployment",
    "deploy_stream": "deployment",
    "evaluate": "evaluation",
    "inspect": "inspection",
    "keep_resident": "residency",
    "load": "loading",
    "quantize": "quantization",
    "search": "searching",
    "sweep": "sweeping",
    "target": "targets",
    "unroll": "unrolling",
    "unroll_stream": "unrolling",
    "with_feature_scales": "feature_scales",
}

__all__ = [
    "Accuracy",
    "Agreement",
    "Breach",
    "Budget",
    "Calibration",
    "Candidate",
    "ColumnError",
    "Compiled",
    "Compressed",
    "Cost",
    "Curve",
    "Deployment",
    "Drift",
    "Epoch",
    "FineTuning",
    "InputScaling",
    "KernelResult",
    "KernelSetting",
    "Measured",
    "NotMeasured",
    "Operator",
    "Options",
    "OutputError",
    "Outside",
    "Quality",
    "Range",
    "Regression",
    "Remedy",
    "Resident",
    "Round",
    "Search",
    "Session",
    "Simulation",
    "Sweep",
    "Target",
    "Trial",
    "UnspoolError",
    "UnspoolWarning",
    "Verdict",
    "all_targets",
    "bundle",
    "calibrate",
    "calibrate_stream",
    "compile",
    "compress",
    "convert",
    "deploy",
    "deploy_stream",
    "evaluate",
    "inspect",
    "keep_resident",
    "load",
    "quantize",
    "search",
    "sweep",
    "target",
    "unroll",
    "unroll_stream",
    "with_feature_scales",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unspool' has no attribute {name!r}")
    return getattr(import_module(f"unspool.{_HOME[name]}"), name)
