"""What is refused, or warned of, before any work on a deployment."""

import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from unspool.compilation.targets import Target
from unspool.deployed import Options
from unspool.errors import UnspoolWarning
from unspool.frontend import structure
from unspool.frontend.inference_form import for_inference
from unspool.frontend.time_first import time_first
from unspool.inspection import calibration_data
from unspool.inspection.inspecting import inspect
from unspool.runtime.labels import check_test
from unspool.runtime.measuring import Test
from unspool.stages import Way
from unspool.support import samples
from unspool.support.progress import Clock
from unspool.support.samples import Samples
from unspool.unrolling.graph_checks import check_graph
from unspool.unrolling.layer_rules import Verdict, check

Labels: TypeAlias = Samples
"""What the only output should have been, or output name -> what that output should have been."""


def checked(
    model: Any,
    calibration: Samples,
    test: tuple[Samples, Labels] | None,
    length: int | None,
    way: Way,
) -> tuple[Any, list[np.ndarray], Test | None]:
    """The model without what only training needs, and the samples, where they fit it."""
    check_graph(model)
    model = for_inference(model)
    arrays = samples.check(calibration, structure.inputs(model), "calibration data")
    way.check(model, arrays, "calibration data")
    if test is None:
        return model, arrays, None
    checked = Test(*check_test(model, test, length))
    way.check(model, checked.data, "test data")
    return model, arrays, checked


def steps_in_front(
    model: Any, calibration: Samples, test: tuple[Samples, Labels] | None
) -> tuple[Any, Samples, tuple[Samples, Labels] | None, tuple[str, ...]]:
    """The model and its data with time steps in front of other axes, and what changed."""
    turned = time_first(model)
    if not turned.notes:
        return model, calibration, test, ()
    inputs = structure.inputs(model)
    arrays = turned.samples(samples.check(calibration, inputs, "calibration data"))
    if test is not None:
        held = samples.check(test[0], inputs, "test data")
        test = turned.samples(held), turned.labels(test[1])
    return turned.model, arrays, test, warn(turned.notes)


def verdicts_of(
    model: Any, target: Target, time_steps: int | None, options: Options
) -> tuple[Verdict, ...]:
    """What `inspect` says of a model that is to be deployed so."""
    return inspect(
        model,
        time_steps=time_steps,
        activations=options.activations,
        target=target,
        full_length=options.full_length,
    )


def inspected(
    model: Any,
    arrays: Sequence[np.ndarray],
    target: Target,
    time_steps: int | None,
    options: Options,
    clock: Clock,
) -> tuple[str, ...]:
    """Refuse, before any work, what cannot be deployed; warn of what is likely to go wrong."""
    with clock.stage("inspect"):
        verdicts = verdicts_of(model, target, time_steps, options)
    check(verdicts, model, options.allow_cpu)
    if options.full_length:
        calibration_data.check_full(model, arrays)
    texts = calibration_data.doubts(model, arrays, full_length=options.full_length)
    return warn(texts)


def warn(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What was found, as warnings."""
    for text in texts:
        warnings.warn(text, UnspoolWarning, stacklevel=5)
    return texts
