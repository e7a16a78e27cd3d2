"""The parts of a trained model, one after the other as far as their binaries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from unspool import stages
from unspool.before_work import warn
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
from unspool.stages import Way
from unspool.support.progress import Clock
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer
from unspool.unrolling import taken
from unspool.unrolling.pieces import CALLS
from unspool.unrolling.stream_checks import check_streams


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
    cut_model = cut(model, time_steps, full_length=options.full_length)
    if not any(part.is_loop for part in cut_model.parts):
        raise UnspoolError(
            f"model {model.name!r}: no recurrent layer of it can be called several times for a "
            "sequence: it lies within another layer, or begins with an image, or with one value "
            "for several states; expected no `steps_per_call`"
        )
    work = _Work(options, options.target or targets.target(), clock, steps_per_call)
    parts = work.parts(cut_model, arrays)
    binaries = [part.binary for part in parts]
    sizes = handed_on(binaries, [part.quantized_tflite for part in parts], cut_model.ends)
    return Chain(model, cut_model, parts), together(binaries, cut_model.ends, sizes)


@dataclass(frozen=True)
class _Work:
    """Takes one part after the other to its binary."""

    options: Options
    target: Target
    clock: Clock
    steps_per_call: int

    def parts(self, cut_model: Cut, arrays: Sequence[np.ndarray]) -> tuple[Forms, ...]:
        """All parts, in the order in which they run."""
        values = linked.fed(cut_model.ends, arrays)
        ranges: dict[str, Range] = {}
        part_forms = []
        for part in cut_model.parts:
            read = linked.taken(part.inputs, values)
            forms = self.forms(part, read, ranges)
            ranges |= _output_ranges(forms)
            values |= linked.given_by(part.outputs, evaluation.predict(part.model, read))
            part_forms.append(forms)
        return tuple(part_forms)

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
        warned = warn(lost_ranges(part.model, calibrated.float_tflite, tflite))
        kib = self.options.resident_weights
        compiled, resident = compiled_for(tflite, self.target, kib, self.clock)
        binary = CompiledPart(compiled, part.inputs, part.outputs, steps)
        return Forms(part, calibrated, tflite, binary, resident, warned)

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


def _output_ranges(forms: Forms) -> dict[str, Range]:
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
    calibration = calibrate(float_tflite, data, **options)
    ranges = dict(calibration.ranges)
    for tie in calibration.observations.ties if calibration.observations else ():
        for name in known.keys() & set(tie):
            if _are_near(ranges[name], known[name]):
                ranges |= dict.fromkeys(ranges.keys() & set(tie), known[name])
    return replace(calibration, ranges=ranges)


def _are_near(one: Range, other: Range) -> bool:
    ends = (one.minimum - other.minimum, one.maximum - other.maximum)
    return max(map(abs, ends)) <= _NEAR * other.width
