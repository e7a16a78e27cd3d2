"""How many time steps a call should take: each number of them tried."""

from dataclasses import replace
from typing import Any

from unspool import stages
from unspool.before_work import verdicts_of
from unspool.compilation import call_costs as costs
from unspool.compilation import targets, vela
from unspool.compilation.call_costs import CallCost
from unspool.deployed import Options
from unspool.deployment import way_of
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.inference_form import for_inference
from unspool.frontend.time_first import time_first
from unspool.support import samples
from unspool.support.progress import Clock, Watch
from unspool.support.samples import Samples
from unspool.unrolling import taken
from unspool.unrolling.layer_rules import check
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.stream_checks import check_streams

_SAMPLES = 8  # flash and cycles hardly depend on the ranges
_STAGE = "try steps per call"
_DEFAULTS = Options()


def call_costs(
    model: Any,
    calibration: Samples,
    *,
    time_steps: int | None = None,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> tuple[CallCost, ...]:
    """What a network costs by how many time steps a call takes: at most eight numbers of them.

    Each is unrolled, quantized with a few of the samples and compiled.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: samples, as `deploy` takes them.
        time_steps: length of the sequence where the model leaves it open.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: the model is not one that can be called several times for a sequence, or as
            `deploy`.

    Example:
        >>> [(cost.steps_per_call, cost.calls) for cost in unspool.call_costs(model, data)]
        [(1, 6), (2, 3), (3, 2), (6, 1)]
    """
    inferring = for_inference(model)
    arrays = samples.check(calibration, structure.inputs(inferring), "calibration data")
    turned = time_first(inferring)
    inferring, arrays = turned.model, turned.samples(arrays)
    target, found = options.target or targets.target(), []
    plain = replace(options, refine=False)  # which takes time, and changes no size
    ways = {k: way_of(time_steps, k, plain) for k in _possible(inferring, time_steps)}
    verdicts = verdicts_of(inferring, target, time_steps, options)
    check(verdicts, inferring, options.allow_cpu)
    with Clock(watch).stage(_STAGE, len(ways)) as progress:
        for steps, way in ways.items():
            _, tflite = stages.quantized(inferring, [a[:_SAMPLES] for a in arrays], way)
            found.append(costs.of_compiled(steps, vela.compile(tflite, target)))
            progress(1)
    return tuple(found)


def _possible(model: Any, time_steps: int | None) -> list[int]:
    multiple, whole = check_streams(model, CALLS).multiple, taken.length(model, time_steps)
    possible = [steps for steps in taken.divisors(whole) if steps % multiple == 0]
    if not possible:
        raise UnspoolError(
            f"a sequence of {whole} time steps is not made of whole calls: the model's strides "
            f"need a multiple of {multiple} in each; deploy it without `steps_per_call`"
        )
    return costs.worth_trying(possible)
