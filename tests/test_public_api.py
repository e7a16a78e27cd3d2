"""The public API is a short list; a name that comes or goes does so on purpose."""

import subprocess
import sys

import pytest

import unspool

NAMES = {
    *("unroll", "convert", "calibrate", "quantize", "evaluate", "compile", "deploy"),
    *("unroll_stream", "calibrate_stream", "deploy_stream", "bundle", "keep_resident"),
    *("unroll_calls", "call_costs", "CallCost"),
    *("deploy_in_parts", "DeploymentInParts", "bundle_in_parts"),
    *("inspect", "origins", "Origin", "load", "to_onnx", "target", "Session", "compress", "search"),
    *(
        "Build",
        "Candidate",
        "Compressed",
        "Epoch",
        "FineTuning",
        "Goal",
        "KernelResult",
        "KernelSetting",
    ),
    *("Search", "UnitsResult", "on_cluster"),
    *("all_targets", "sweep", "Breach", "Budget", "Cost", "Sweep", "Trial"),
    *("Agreement", "ColumnError", "Measured", "NotMeasured", "Regression", "Remedy"),
    *("UnspoolWarning", "Outside", "Quality", "InputScaling", "with_feature_scales"),
    *("Accuracy", "Calibration", "Compiled", "Curve", "Deployment", "Drift", "Operator", "Options"),
    *(
        "OutputError",
        "Range",
        "Resident",
        "Round",
        "Simulation",
        "Target",
        "UnspoolError",
        "Verdict",
    ),
}


def test_the_list_is_this() -> None:
    assert set(unspool.__all__) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_name_is_there_with_a_docstring(name: str) -> None:
    value = getattr(unspool, name)
    assert callable(value), "a submodule must not stand where a function should"
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'transmogrify'"):
        _ = unspool.transmogrify


def test_importing_the_package_does_not_wait_for_tensorflow() -> None:
    code = "import unspool, unspool.cli, sys; print('tensorflow' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
