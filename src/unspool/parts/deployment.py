"""A network in parts, from the trained model to binaries that are called one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from unspool import stages
from unspool.before_work import Labels, checked, inspected, steps_in_front, told
from unspool.compilation import targets
from unspool.compilation.in_parts import CompiledPart, CompiledParts, together
from unspool.compilation.targets import Target
from unspool.deployed import Options
from unspool.deployment import compiled_for, way_of
from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.inspection.lost_ranges import lost_ranges
from unspool.parts.chain import Chain
from unspool.parts.cutting import Cut, Part, cut
from unspool.parts.forms import Forms
from unspool.parts.sizes import handed_on
from unspool.quantization.calibration import Calibration
from unspool.quantization.ranges import Range
from unspool.runtime import evaluation, linked
from unspool.runtime.measuring import Measured, measure
from unspool.stages import Way
from unspool.support.eager_kernels import kernels_freed
from unspool.support.progress import Clock, Watch
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer
from unspool.unrolling import taken
from unspool.unrolling.graph_checks import check_graph
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.stream_checks import check_streams

_DEFAULTS = Options()


@dataclass(frozen=True)
class DeploymentInParts:
    """The results of each stage, and what was measured of the network as a whole.

    Attributes:
        trained: the trained Keras model.
        chain: the parts, with their files and binaries; `chain.run` runs them.
        activations: "int8" or "int16".
        compiled: what the binaries take together, with Vela's estimates.
        measured: how good the network is.
        warnings: what is likely to go wrong, in a line each.
        seconds: stage -> wall-clock time that it took, of all parts.
    """

    trained: Any
    chain: Chain
    activations: str
    compiled: CompiledParts
    measured: Measured
    warnings: tuple[str, ...]
    seconds: dict[str, float]


@kernels_freed()
def deploy_in_parts(
    model: Any,
    calibration: Samples,
    *,
    steps_per_call: int,
    test: tuple[Samples, Labels] | None = None,
    time_steps: int | None = None,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> DeploymentInParts:
    """Take a trained Keras model to several binaries, some of which are called in a loop.

    What `deploy` with `steps_per_call` refuses is cut into parts: recurrent layers run in loops,
    those that read a sequence from its end beside those that read it from its beginning, and what
    needs a whole sequence at once runs once, before, between or after them.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: samples, as `deploy` takes them.
        steps_per_call: time steps of one call of a loop, a divisor of the sequence's length. Loops
            over sequences of another length take as many, or the next smaller divisor of theirs.
        test: samples, and what the outputs should have been, as `deploy` takes it.
        time_steps: length of the sequence where the model leaves it open.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.

    Example:
        >>> done = unspool.deploy_in_parts(
        ...     bidirectional, data, steps_per_call=2, options=unspool.Options(remedy_seconds=0)
        ... )
        >>> [part.compiled.calls for part in done.compiled.parts]
        [3]
    """
    _check(options)
    check_graph(model)
    model, calibration, test, moved = steps_in_front(model, calibration, test)
    clock, target = Clock(watch), options.target or targets.target()
    whole = way_of(time_steps, None, options)
    model, arrays, tested = checked(model, calibration, test, time_steps, whole)
    subject = whole.scaled(model, arrays)
    warned = inspected(subject, arrays, target, time_steps, options, clock)
    taken.calls(subject, time_steps, steps_per_call)
    chain, compiled = chained(subject, arrays, steps_per_call, time_steps, options, clock)
    chain = replace(chain, trained=model)
    measured = measure(chain, arrays, tested, clock)
    return DeploymentInParts(
        trained=model,
        chain=chain,
        activations=options.activations,
        compiled=compiled,
        measured=measured,
        warnings=(*moved, *warned, *(text for each in chain.parts for text in each.warnings)),
        seconds=clock.seconds,
    )


def chained(
    model: Any,
    arrays: Sequence[np.ndarray],
    steps_per_call: int,
    time_steps: int | None,
    options: Options,
    clock: Clock,
) -> tuple[Chain, CompiledParts]:
    """A model in parts, each as far as its binary, and what they take together.

    Args:
        model: a built Keras model, without what only training needs.
        arrays: samples to calibrate with, one (samples, ...) per input.
        steps_per_call: as `deploy_in_parts` takes it.
        time_steps: length of the sequence where the model leaves it open.
        options: target, calibration and quantization.
        clock: times the stages.

    Raises:
        UnspoolError: as `deploy_in_parts`.
    """
    made = cut(model, time_steps, full_length=options.full_length)
    if not any(part.is_loop for part in made.parts):
        raise UnspoolError(
            f"model {model.name!r}: no recurrent layer of it can be called several times for a "
            "sequence: the model gives each its first state, or it lies within another layer; "
            "expected no `steps_per_call`"
        )
    work = _Work(options, options.target or targets.target(), clock, steps_per_call)
    parts = work.parts(made, arrays)
    binaries = [part.binary for part in parts]
    sizes = handed_on(binaries, [part.quantized_tflite for part in parts], made.outputs)
    return Chain(model, made, parts), together(binaries, sizes)


def _check(options: Options) -> None:
    if options.fed_back:
        raise UnspoolError(
            "`steps_per_call` and states that the model takes and gives itself: expected at most "
            "one, as such a model is called step by step already"
        )
    if options.resident_weights is not None:
        raise UnspoolError(
            "`resident_weights` and a network in parts: not together yet; expected at most one"
        )


@dataclass(frozen=True)
class _Work:
    """Takes one part after the other to its binary."""

    options: Options
    target: Target
    clock: Clock
    steps_per_call: int

    def parts(self, made: Cut, arrays: Sequence[np.ndarray]) -> tuple[Forms, ...]:
        """All parts, in the order in which they run."""
        values = dict(zip(made.inputs, arrays, strict=True))
        ranges: dict[str, Range] = {}
        done = []
        for part in made.parts:
            read = linked.taken(part.inputs, values)
            forms = self.forms(part, read, ranges)
            ranges |= _given(forms)
            values |= linked.given_by(part.outputs, evaluation.predict(part.model, read))
            done.append(forms)
        return tuple(done)

    def forms(self, part: Part, read: Sequence[np.ndarray], ranges: Mapping[str, Range]) -> Forms:
        """A part as far as its binary, whose inputs keep the ranges that they were given with."""
        steps, way = self.way(part)
        names = [tensor.name for tensor in structure.inputs(part.model)]
        known = {
            name: ranges[port.value]
            for name, port in zip(names, part.inputs, strict=True)
            if port.value in ranges
        }
        way = replace(way, calibrate=partial(_with_ranges, way.calibrate, known))
        calibrated, tflite = stages.quantized(part.model, read, way, self.clock)
        warned = told(lost_ranges(part.model, calibrated.float_tflite, tflite))
        compiled, _ = compiled_for(tflite, self.target, None, self.clock)
        binary = CompiledPart(compiled, part.inputs, part.outputs, steps)
        return Forms(part, calibrated, tflite, binary, warned)

    def way(self, part: Part) -> tuple[int | None, Way]:
        """How many time steps a call takes, and how the part is unrolled."""
        if not part.is_loop:
            return None, way_of(None, None, self.options)
        multiple = check_streams(part.model, CALLS).multiple
        length = taken.length(part.model, None)
        possible = [n for n in taken.divisors(length) if n % multiple == 0]
        if not possible:
            raise UnspoolError(
                f"a sequence of {length} time steps within the model is not made of whole calls: "
                f"its strides need a multiple of {multiple} in each; expected no `steps_per_call`"
            )
        steps = max((n for n in possible if n <= self.steps_per_call), default=possible[0])
        return steps, way_of(None, steps, self.options)


_NEAR = 0.01
"""How far a range may be from that which it is given with, of its width, to be made the same."""


def _given(forms: Forms) -> dict[str, Range]:
    """The ranges of what a part gives."""
    graph = flatbuffer.look(forms.calibrated.float_tflite).subgraphs[0]
    ranges = forms.calibrated.calibration.ranges
    return {  # states, if there are any, come behind them
        port.value: ranges[graph.tensors[index].name.decode()]
        for port, index in zip(forms.part.outputs, graph.outputs, strict=False)
    }


def _with_ranges(
    calibrate: Callable[..., Calibration],
    known: Mapping[str, Range],
    float_tflite: bytes,
    data: Samples,
    **options: Any,
) -> Calibration:
    """Calibrate a part; inputs keep the ranges that they were given with, or nearly have.

    Then their bytes are handed on as they are. An input that is tied to others, by a Concatenate,
    may have a wider one.
    """
    found = calibrate(float_tflite, data, **options)
    ranges = dict(found.ranges)
    for tie in found.observations.ties if found.observations else ():
        for name in known.keys() & set(tie):
            if _are_near(ranges[name], known[name]):
                ranges |= dict.fromkeys(ranges.keys() & set(tie), known[name])
    return replace(found, ranges=ranges)


def _are_near(one: Range, other: Range) -> bool:
    ends = (one.minimum - other.minimum, one.maximum - other.maximum)
    return max(map(abs, ends)) <= _NEAR * other.width
