"""How many time steps a call should take: each number of them tried."""

from dataclasses import replace
from typing import Any

from unspool import stages
from unspool.before_work import verdicts_of
from unspool.compilation import call_costs as costs
from unspool.compilation import targets
from unspool.compilation.call_costs import CallCost
from unspool.compilation.residency import compiling
from unspool.deployed import Options
from unspool.deployment import way_of
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.inference_form import for_inference
from unspool.frontend.time_first import time_first
from unspool.parts.binaries import chained
from unspool.support import samples
from unspool.support.progress import Clock, Watch
from unspool.support.samples import Samples
from unspool.unrolling import taken
from unspool.unrolling.layer_rules import check
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.stream_checks import smallest_chunk

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
    verdicts = verdicts_of(inferring, options.target or targets.target(), time_steps, options)
    check(verdicts, inferring, options.allow_cpu)
    plain = replace(options, refine=False)  # which takes time, and changes no size
    few = [array[:_SAMPLES] for array in arrays]
    chunk = smallest_chunk(inferring, CALLS)
    cost = _in_parts if chunk is None else _in_one
    possible = _possible(chunk or 1, taken.length(inferring, time_steps))
    all_costs, clock = [], Clock(watch)
    with clock.stage(_STAGE, len(possible)) as progress:
        for steps in possible:
            all_costs.append(cost(inferring, few, steps, time_steps, plain))
            progress(1)
    return tuple(all_costs)


def _in_one(
    model: Any, few: list[Any], steps: int, time_steps: int | None, options: Options
) -> CallCost:
    _, tflite = stages.quantized(model, few, way_of(time_steps, steps, options))
    target = options.target or targets.target()
    compiled, resident = compiling.binary(tflite, target, options.resident_weights, Clock(None))
    return costs.of_compiled(steps, compiled, compiling.cycles(compiled, resident))


def _in_parts(
    model: Any, few: list[Any], steps: int, time_steps: int | None, options: Options
) -> CallCost:
    chain, compiled = chained(model, few, steps, time_steps, options, Clock(None))
    cycles = compiling.cycles(compiled, chain.resident(compiled))
    return costs.of_compiled(steps, compiled, cycles)


def _possible(multiple: int, whole: int) -> list[int]:
    """Numbers of steps per call that are worth trying, of a sequence of so many."""
    possible = [steps for steps in taken.divisors(whole) if steps % multiple == 0]
    if not possible:
        raise UnspoolError(
            f"a sequence of {whole} time steps is not made of whole calls: the model's strides "
            f"need a multiple of {multiple} in each; deploy it without `steps_per_call`"
        )
    return costs.worth_trying(possible)
