"""One architecture through one flow: what it takes, and what is left of its accuracy."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import unspool
from unspool.compilation import vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.targets import target
from unspool.report.commands import Request
from unspool.report.making import of_deployment
from unspool.runtime.prediction import predict
from unspool.runtime.session import Session
from unspool.support._tensorflow import keras
from zoo import guide
from zoo.core import Architecture, Arrays

Row = dict[str, Any]


def ordered(model: Any, data: Arrays) -> list[np.ndarray]:
    """Inputs in the order of the model's inputs."""
    if isinstance(data, dict):
        return [data[tensor.name] for tensor in model.inputs]
    return data if isinstance(data, list) else [data]


def in_keras(model: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The model's outputs in the order of its outputs."""
    fed: Any = arrays[0]
    if not isinstance(model, keras.Sequential):
        fed = keras.tree.pack_sequence_as(model._inputs_struct, list(arrays))
    outputs = model.predict(fed, batch_size=50, verbose=0)
    return [np.asarray(output) for output in keras.tree.flatten(outputs)]


def judged(
    architecture: Architecture,
    targets: Arrays,
    reference: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
) -> list[Row]:
    """For each output: its error against Keras, and both against the targets.

    Returns:
        "error_percent": mean absolute error of the column where it is largest, as a percentage of
        that column's range in Keras; "unit": "%" of right classes or "rmse"; "float"; "int8".
    """
    rows = []
    losses = keras.tree.flatten(architecture.loss)
    for number, (a, b, wanted) in enumerate(
        zip(outputs, reference, keras.tree.flatten(targets), strict=True)
    ):
        a, b = (x.reshape(-1, x.shape[-1]).astype(np.float64) for x in (a, b))
        spread = np.ptp(b, axis=0)
        moves = spread > 1e-6 * max(1.0, float(np.abs(b).max()))
        errors = 100 * np.abs(a - b).mean(0)[moves] / spread[moves]
        row: Row = {"error_percent": float(np.max(errors)) if errors.size else 0.0}
        loss = losses[number] if len(losses) > number else losses[0]
        wanted = np.asarray(wanted)
        if wanted.dtype.kind in "iu":
            row["unit"] = "%"
            row["float"], row["int8"] = (_right(x, wanted, loss) for x in (b, a))
        else:
            row["unit"] = "rmse"
            away = wanted.reshape(b.shape)
            row["float"], row["int8"] = (float(np.sqrt(((x - away) ** 2).mean())) for x in (b, a))
        rows.append(row)
    return rows


def _right(outputs: np.ndarray, wanted: np.ndarray, loss: Any) -> float:
    """Percent of classes that are right; one column of several is a yes or no of its own."""
    if wanted.size == outputs.size:
        limit = 0.0 if getattr(loss, "from_logits", False) else 0.5
        return float(100 * ((outputs > limit) == wanted.reshape(outputs.shape)).mean())
    return float(100 * (outputs.argmax(-1) == wanted.ravel()).mean())


def compiled_row(compiled: Compiled, quantized: bytes) -> Row:
    """What Vela says of a binary, and how large the files are."""
    return {
        "flash_kib": compiled.flash_kib,
        "constants_kib": compiled.constants_kib,
        "sram_kib": compiled.sram_kib,
        "int8_kib": len(quantized) / 1024,
        "cycles": compiled.cycles,
        "npu_operators": compiled.npu_operators,
        "cpu_operators": len(compiled.cpu_operators),
        "cpu": sorted({f"{op.kind}: {op.reason[:120]}" for op in compiled.cpu_operators}),
    }


def deployed(architecture: Architecture, model: Any) -> unspool.Deployment:
    """The model deployed as the zoo does it: no time for remedies, the simulator's word."""
    calibration, _ = architecture.data(np.random.default_rng(2), architecture.calibration)
    options = unspool.Options(allow_cpu=architecture.allow_cpu, remedy_seconds=0)
    if architecture.states:
        steps = architecture.time_steps or 1
        return unspool.deploy_stream(model, calibration, time_steps=steps, options=options)
    return unspool.deploy(model, calibration, time_steps=architecture.time_steps, options=options)


def said(done: unspool.Deployment) -> list[str]:
    """What Unspool's verdict has against a deployment."""
    report = of_deployment(done, {}, Request("model_int8.tflite", "out"))
    return [check.text for check in report.verdict if check.state == "bad"]


def by_unspool(architecture: Architecture, model: Any) -> Row:
    """Deploy with Unspool, and measure on fresh samples."""
    done = deployed(architecture, model)
    data, targets = architecture.data(np.random.default_rng(3), architecture.tested)
    arrays = ordered(model, data)
    reference = in_keras(model, arrays)
    if architecture.states:
        session = Session(done.quantized_tflite, "tflm")
        outputs = _step_by_step(session, arrays, reference)
    else:
        outputs = predict(done.quantized_tflite, arrays, "tflm")
    simulation = done.simulation
    return {
        **compiled_row(done.compiled, done.quantized_tflite),
        "outputs": judged(architecture, targets, reference, outputs),
        "compared": simulation.samples,
        "equal": simulation.equal,
        "not_simulated": simulation.reason,
        "first_difference": simulation.first_difference,
        "seconds": sum(done.seconds.values()),
        "stages": done.seconds,
        "warnings": list(done.warnings),
        "said": said(done),
        "not_measured": [f"{n.what}: {n.reason}" for n in done.measured.not_measured],
    }


def _step_by_step(
    session: Session, arrays: Sequence[np.ndarray], reference: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Every sequence call by call from zero states: the outputs of all calls, or of the last."""
    call_outputs: list[list[np.ndarray]] = [[] for _ in reference]
    for sample in zip(*arrays, strict=True):
        session.reset()
        for number, output in enumerate(session.run(*sample)):
            whole = reference[number].shape[1:]
            call_outputs[number].append(output.reshape(whole) if len(whole) > 1 else output[-1])
    return [np.stack(outputs) for outputs in call_outputs]


def by_guide(architecture: Architecture, model: Any) -> Row:
    """The guide's flow on the same weights; a stream is a whole sequence, without states."""
    calibration, _ = architecture.data(np.random.default_rng(2), architecture.calibration)
    data, targets = architecture.data(np.random.default_rng(3), architecture.tested)
    arrays = ordered(model, data)
    start = time.perf_counter()
    ready = guide.deployment_ready(model, [array.shape[1:] for array in arrays])
    quantized = guide.convert(ready, ordered(model, calibration))
    compiled = vela.compile(quantized, target())
    seconds = time.perf_counter() - start
    row = {**compiled_row(compiled, quantized), "seconds": seconds}
    try:
        outputs = guide.predict(quantized, ready, arrays)
        row["outputs"] = judged(architecture, targets, in_keras(model, arrays), outputs)
    except Exception as error:
        row["not_run"] = str(error).strip().splitlines()[-1] if str(error) else repr(error)
    return row
