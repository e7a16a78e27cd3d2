"""The whole way on a small model, and what it refuses."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils
from conftest import random_samples, small_model

from unspool import stages
from unspool.compilation.targets import target
from unspool.deployment import Deployment, Options, deploy, save
from unspool.errors import UnspoolError
from unspool.runtime.session import Session
from unspool.unrolling.deploy_model import unroll

QUICK = Options(remedy_seconds=0)
BENCH = Path(__file__).parents[1] / "bench"


def test_every_stage_is_there(deployed: Deployment, data: np.ndarray) -> None:
    assert deployed.unroll_error is not None and deployed.quantization_error is not None
    assert deployed.unroll_error.largest <= 1e-5
    assert deployed.unroll_error.samples == deployed.quantization_error.samples == len(data)
    assert [a.runtime for a in deployed.accuracies] == ["keras", "litert", "tflm", "npu"]
    assert deployed.accuracies[0].percent == 100.0  # the labels are the model's own
    assert deployed.compiled.cpu_operators == ()
    assert deployed.compiled.target == target()


def test_the_stated_error_is_that_of_tflm(
    deployed: Deployment, model: Any, data: np.ndarray
) -> None:
    gap = np.abs(Session(deployed.quantized_tflite, "tflm").predict(data)[0] - model.predict(data))
    assert deployed.quantization_error is not None
    assert deployed.quantization_error.largest == pytest.approx(gap.max(), abs=1e-6)
    assert deployed.quantization_error.mean == pytest.approx(gap.mean(), abs=1e-6)


def test_files_are_what_was_deployed(deployed: Deployment, tmp_path: Path) -> None:
    sizes = save(deployed, tmp_path)
    assert {p.name: p.stat().st_size for p in tmp_path.iterdir()} == sizes
    assert (tmp_path / "model_int8.tflite").read_bytes() == deployed.quantized_tflite
    assert (tmp_path / "model_vela.tflite").read_bytes() == deployed.compiled.tflite


def test_without_test_data_no_accuracy_is_made_up(model: Any, data: np.ndarray) -> None:
    assert deploy(model, data, options=QUICK).accuracies == ()


def test_token_ids_are_looked_up_on_the_u85() -> None:
    """Without `allow_cpu`: the compiled file holds nothing but the operator of the NPU."""
    from unspool.support._tensorflow import keras

    ids = keras.Input((6,), dtype="int32", name="ids")
    embedded = keras.layers.Embedding(20, 4)(ids)
    model = keras.Model(ids, keras.layers.Dense(3)(keras.layers.GRU(8)(embedded)))
    tokens = np.random.default_rng(0).integers(0, 20, (30, 6))
    done = deploy(model, tokens, options=replace(QUICK, target=target("ethos-u85-256")))
    left = flatbuffer_utils.read_model_from_bytearray(bytearray(done.compiled.tflite))
    assert [code.customCode for code in left.operatorCodes] == [b"ethos-u"]
    assert done.compiled.cpu_operators == ()
    with pytest.raises(UnspoolError, match=r"U55 and U65 leave it to the CPU.*`allow_cpu`"):
        deploy(model, tokens, options=QUICK)


def test_progress_is_told_for_every_stage(model: Any, data: np.ndarray) -> None:
    progress: dict[str, list[tuple[int, int]]] = {}

    def watch(stage: str, done: int, total: int) -> None:
        progress.setdefault(stage.partition(":")[0], []).append((done, total))

    deploy(model, data, options=QUICK, watch=watch)
    stages = ["inspect", "unroll", "convert", "calibrate", "quantize", "compile with Vela"]
    assert list(progress)[:6] == stages
    assert all(steps[0][0] == 0 and steps[-1][0] == steps[-1][1] for steps in progress.values())


def test_an_open_length_is_unrolled(data: np.ndarray) -> None:
    deployed = deploy(
        small_model(steps=None), random_samples(20, steps=4), time_steps=4, options=QUICK
    )
    assert Session(deployed.quantized_tflite).inputs[0].shape == (1, 4, 5)


def test_a_deploy_model_that_differs_is_an_error(
    model: Any, data: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault put into the weights on the way must not pass."""

    def faulty(*arguments: Any, **options: Any) -> Any:
        rebuilt = unroll(*arguments, **options)
        weights = rebuilt.get_weights()
        rebuilt.set_weights([weights[0] + 0.01, *weights[1:]])
        return rebuilt

    monkeypatch.setattr(stages, "unroll", faulty)
    with pytest.raises(UnspoolError, match=r"differ from the trained model's by up to .*1e-05"):
        deploy(model, data)


@pytest.mark.parametrize(
    ("calibration", "test", "message"),
    [
        (np.zeros((2, 6, 4)), None, r"calibration data: .*\(2, 6, 4\), expected \(samples, 6, 5\)"),
        (np.zeros((0, 6, 5)), None, "calibration data: zero samples"),
        (np.zeros((2, 6, 5)), (np.zeros((2, 6, 4)), np.zeros(2, int)), "test data: .*shape"),
        (np.zeros((2, 6, 5)), (np.zeros((2, 6, 5)), np.zeros(3, int)), "labels have the shape"),
    ],
)
def test_data_that_does_not_fit_is_refused(
    model: Any, calibration: np.ndarray, test: tuple[np.ndarray, np.ndarray] | None, message: str
) -> None:
    with pytest.raises(UnspoolError, match=message):
        deploy(model, calibration, test=test)


@pytest.mark.slow
def test_a_process_that_deploys_network_after_network_stays_as_small() -> None:
    """The benchmark, in a process of its own; TensorFlow alone would add a MiB for each."""
    command = [
        sys.executable,
        str(BENCH / "memory.py"),
        "--deployments",
        "40",
        "--alone",
        "unspool",
    ]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    sizes = [float(line.split()[1]) for line in lines if line]
    assert len(sizes) == 4 and sizes[-1] < 1.1 * sizes[0]
