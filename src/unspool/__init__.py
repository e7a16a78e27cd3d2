"""Unspool: trained Keras recurrent networks, unrolled, quantized and compiled for Ethos-U NPUs.

The way of the data, one function per arrow:

    trained model --unroll--> deploy model --convert--> float .tflite
      --calibrate--> ranges --quantize--> int8 .tflite --compile--> Vela .tflite

`deploy` is the whole way. `unroll_calls` is for a network that is called several times for a
sequence, `deploy_in_parts` for one that takes several binaries for that; `unroll_stream`,
`calibrate_stream` and `deploy_stream` are the same with states in and out. Names are imported when
they are first used: TensorFlow takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unspool.calls import call_costs
    from unspool.compilation.budgets import Breach, Budget
    from unspool.compilation.call_costs import CallCost
    from unspool.compilation.compiled import Compiled, Operator
    from unspool.compilation.residency.keeping import Resident, keep_resident
    from unspool.compilation.sweeping import Cost, Sweep, Trial, sweep
    from unspool.compilation.target_selection import all_targets
    from unspool.compilation.targets import Target, target
    from unspool.compilation.vela import compile
    from unspool.compression.build import Build
    from unspool.compression.candidates import Candidate
    from unspool.compression.cluster import on_cluster
    from unspool.compression.compressing import Compressed, compress
    from unspool.compression.fine_tuning import Epoch
    from unspool.compression.fine_tuning_run import FineTuning
    from unspool.compression.goal import Goal
    from unspool.compression.kernels import KernelResult, KernelSetting
    from unspool.compression.search_results import Search
    from unspool.compression.searching import search
    from unspool.compression.units.removal import UnitsResult
    from unspool.deployed import Deployment, Options
    from unspool.deployment import deploy, deploy_stream
    from unspool.errors import UnspoolError, UnspoolWarning
    from unspool.firmware import bundle
    from unspool.frontend.origins import Origin, origins
    from unspool.inspection.inspecting import inspect
    from unspool.loading import load, to_onnx
    from unspool.parts.deployment import DeploymentInParts, deploy_in_parts
    from unspool.parts.saving import bundle_in_parts
    from unspool.quantization.calibration import Calibration, Round, calibrate, calibrate_stream
    from unspool.quantization.quantizer import quantize
    from unspool.quantization.ranges import Range
    from unspool.remedies.remedy import Remedy
    from unspool.runtime.drift import Curve, Drift
    from unspool.runtime.evaluation import evaluate
    from unspool.runtime.measuring import Measured, NotMeasured
    from unspool.runtime.quality import Agreement, ColumnError, OutputError, Quality
    from unspool.runtime.scores import Accuracy, Regression
    from unspool.runtime.session import Session
    from unspool.runtime.verification import Simulation
    from unspool.tflite.input_scaling import InputScaling
    from unspool.tflite.outside import Outside
    from unspool.unrolling.conversion import convert
    from unspool.unrolling.deploy_model import unroll
    from unspool.unrolling.feature_scales import with_feature_scales
    from unspool.unrolling.layer_rules import Verdict
    from unspool.unrolling.stream_model import unroll_calls, unroll_stream

_HOME = {
    "Accuracy": "runtime.scores",
    "Agreement": "runtime.quality",
    "Breach": "compilation.budgets",
    "Budget": "compilation.budgets",
    "Build": "compression.build",
    "Calibration": "quantization.calibration",
    "CallCost": "compilation.call_costs",
    "Candidate": "compression.candidates",
    "ColumnError": "runtime.quality",
    "Compiled": "compilation.compiled",
    "Compressed": "compression.compressing",
    "Cost": "compilation.sweeping",
    "Curve": "runtime.drift",
    "Deployment": "deployed",
    "DeploymentInParts": "parts.deployment",
    "Drift": "runtime.drift",
    "Epoch": "compression.fine_tuning",
    "FineTuning": "compression.fine_tuning_run",
    "InputScaling": "tflite.input_scaling",
    "KernelResult": "compression.kernels",
    "KernelSetting": "compression.kernels",
    "Measured": "runtime.measuring",
    "NotMeasured": "runtime.measuring",
    "Operator": "compilation.compiled",
    "Options": "deployed",
    "Origin": "frontend.origins",
    "OutputError": "runtime.quality",
    "Outside": "tflite.outside",
    "Quality": "runtime.quality",
    "Range": "quantization.ranges",
    "Regression": "runtime.scores",
    "Remedy": "remedies.remedy",
    "Resident": "compilation.residency.keeping",
    "Round": "quantization.calibration",
    "Goal": "compression.goal",
    "UnitsResult": "compression.units.removal",
    "on_cluster": "compression.cluster",
    "Search": "compression.search_results",
    "Session": "runtime.session",
    "Simulation": "runtime.verification",
    "Sweep": "compilation.sweeping",
    "Target": "compilation.targets",
    "Trial": "compilation.sweeping",
    "UnspoolError": "errors",
    "UnspoolWarning": "errors",
    "Verdict": "unrolling.layer_rules",
    "all_targets": "compilation.target_selection",
    "bundle": "firmware",
    "calibrate": "quantization.calibration",
    "calibrate_stream": "quantization.calibration",
    "call_costs": "calls",
    "compile": "compilation.vela",
    "compress": "compression.compressing",
    "convert": "unrolling.conversion",
    "bundle_in_parts": "parts.saving",
    "deploy": "deployment",
    "deploy_in_parts": "parts.deployment",
    "deploy_stream": "deployment",
    "evaluate": "runtime.evaluation",
    "inspect": "inspection.inspecting",
    "keep_resident": "compilation.residency.keeping",
    "load": "loading",
    "origins": "frontend.origins",
    "quantize": "quantization.quantizer",
    "search": "compression.searching",
    "sweep": "compilation.sweeping",
    "target": "compilation.targets",
    "to_onnx": "loading",
    "unroll": "unrolling.deploy_model",
    "unroll_calls": "unrolling.stream_model",
    "unroll_stream": "unrolling.stream_model",
    "with_feature_scales": "unrolling.feature_scales",
}

__all__ = [
    "Accuracy",
    "Agreement",
    "Breach",
    "Budget",
    "Build",
    "Calibration",
    "CallCost",
    "Candidate",
    "ColumnError",
    "Compiled",
    "Compressed",
    "Cost",
    "Curve",
    "Deployment",
    "DeploymentInParts",
    "Drift",
    "Epoch",
    "FineTuning",
    "Goal",
    "InputScaling",
    "KernelResult",
    "KernelSetting",
    "Measured",
    "NotMeasured",
    "Operator",
    "Options",
    "Origin",
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
    "UnitsResult",
    "UnspoolError",
    "UnspoolWarning",
    "Verdict",
    "all_targets",
    "bundle",
    "bundle_in_parts",
    "calibrate",
    "calibrate_stream",
    "call_costs",
    "compile",
    "compress",
    "convert",
    "deploy",
    "deploy_in_parts",
    "deploy_stream",
    "evaluate",
    "inspect",
    "keep_resident",
    "load",
    "on_cluster",
    "origins",
    "quantize",
    "search",
    "sweep",
    "target",
    "to_onnx",
    "unroll",
    "unroll_calls",
    "unroll_stream",
    "with_feature_scales",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unspool' has no attribute {name!r}")
    return getattr(import_module(f"unspool.{_HOME[name]}"), name)
