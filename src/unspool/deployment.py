"""All stages together: trained model -> a binary for the NPU, and how good it is."""

from dataclasses import replace
from typing import Any

from unspool import stages
from unspool.before_work import Labels, checked, inspected, steps_in_front, warn
from unspool.compilation import targets, vela
from unspool.compilation.compiled import Compiled
from unspool.compilation.residency import compiling
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.targets import Target
from unspool.deployed import Deployment, Options, save
from unspool.errors import UnspoolError
from unspool.inspection.lost_ranges import lost_ranges
from unspool.remedies.refining import refining
from unspool.remedies.remedy import Remedy
from unspool.remedies.trying import Network, try_remedies
from unspool.runtime import evaluation
from unspool.runtime.forms import Forms
from unspool.runtime.measuring import measure
from unspool.stages import Way
from unspool.support.eager_kernels import kernels_freed
from unspool.support.progress import Clock, Watch
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer, tflm_limits
from unspool.unrolling import pieces
from unspool.unrolling.feature_scales import with_feature_scales
from unspool.unrolling.graph_checks import check_graph
from unspool.unrolling.pieces import Pieces
from unspool.unrolling.stream_checks import check_streams
from unspool.unrolling.stream_model import shortest

__all__ = ["Deployment", "Labels", "Options", "deploy", "deploy_stream", "save"]


_DEFAULTS = Options()


@kernels_freed()
def deploy(
    model: Any,
    calibration: Samples,
    *,
    test: tuple[Samples, Labels] | None = None,
    time_steps: int | None = None,
    steps_per_call: int | None = None,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> Deployment:
    """Take a trained Keras model to a binary for an Ethos-U NPU.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: samples that span what the model will meet, (samples, time, features); 50 to
            a few hundred.
        test: samples, and what the outputs should have been, as `evaluate` takes it: an array
            where the model has one output, or output name -> array; None measures nothing.
        time_steps: length of the sequence where the model leaves it open.
        steps_per_call: time steps of one call of the binary, a divisor of the sequence's length: it
            is called several times for a sequence, and its command stream is that of a call, as
            `unroll_calls` has it. None for all steps in one call.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.

    Example:
        >>> options = unspool.Options(remedy_seconds=0)
        >>> deployment = unspool.deploy(model, data, test=(data, labels), options=options)
        >>> [accuracy.runtime for accuracy in deployment.accuracies]
        ['keras', 'litert', 'tflm', 'npu']
    """
    way = way_of(time_steps, steps_per_call, options)
    moved: tuple[str, ...] = ()
    if steps_per_call is not None:
        check_graph(model)
        model, calibration, test, moved = steps_in_front(model, calibration, test)
    deployment = _deploy(model, calibration, test, time_steps, time_steps, way, options, watch)
    return replace(deployment, warnings=(*moved, *deployment.warnings))


def way_of(time_steps: int | None, steps_per_call: int | None, options: Options) -> Way:
    """All steps of a sequence in one call of the binary, or some in each of several.

    Raises:
        UnspoolError: several calls, and states that the model takes and gives itself.
    """
    common: dict[str, Any] = {
        "method": options.calibration_method,
        "activations": options.activations,
        "allow_cpu": True,  # `inspect` has asked for the user's word, and knows the target
        "full_length": options.full_length,
    }
    if steps_per_call is None:
        way = stages.sequences(time_steps, fed_back=options.fed_back, **common)
        return _scaled_and_refined(way, options)
    if options.fed_back:
        raise UnspoolError(
            "`steps_per_call` and states that the model takes and gives itself: expected at most "
            "one, as such a model is called step by step already"
        )
    return _scaled_and_refined(stages.calls(steps_per_call, time_steps, **common), options)


def stream_way_of(
    time_steps: int, cut: Pieces, rounds: int, carry_states: bool, options: Options
) -> Way:
    """A chunk of a stream in each call."""
    way = stages.stream(
        time_steps,
        cut,
        method=options.calibration_method,
        activations=options.activations,
        allow_cpu=True,  # as in `way_of`
        full_length=options.full_length,
        rounds=rounds,
        carry_states=carry_states,
    )
    return _scaled_and_refined(way, options)


def _scaled_and_refined(way: Way, options: Options) -> Way:
    if options.feature_scales:
        way = replace(way, scaled=with_feature_scales)
    return refining(way) if options.refine else way


@kernels_freed()
def deploy_stream(
    model: Any,
    calibration: Samples,
    *,
    time_steps: int | None = None,
    test: tuple[Samples, Labels] | None = None,
    calibration_rounds: int = 6,
    carry_states: bool = False,
    lookahead: bool = False,
    pool_window: int | None = None,
    pool_since_reset: bool = False,
    options: Options = _DEFAULTS,
    watch: Watch | None = None,
) -> Deployment:
    """Take a trained Keras model to a binary that is fed a stream, with states in and out.

    Args:
        model: a built Keras model with a recurrent layer.
        calibration: sequences, (sequences, time, features); time is a multiple of `time_steps`.
            Where a Permute alone reads an input, as of (channels, time), it is left out, and the
            binary takes (time, channels); so with outputs.
        time_steps: of one call of the binary; the fewest that the model takes where None, 1 or a
            multiple of its strides.
        test: sequences, and what the outputs should have been, as `deploy` takes it: of outputs in
            time in each step, of others after the last call; None measures nothing.
        calibration_rounds: as `calibrate_stream` takes it.
        carry_states: the device never resets its states; as `calibrate_stream` takes it.
        lookahead: accept outputs that come late, as `unroll_stream` takes it.
        pool_window: over how many of the last time steps the model pools, as `unroll_stream` takes
            it; sequences have as many.
        pool_since_reset: until there are so many, it pools over those since the reset, as
            `unroll_stream` takes it; sequences may be shorter, then.
        options: target, calibration and quantization.
        watch: called with a stage's name, how much of it is done, and how much there is in all.

    Raises:
        UnspoolError: something that was given does not fit; the message says what.

    Example:
        >>> options = unspool.Options(remedy_seconds=0)
        >>> deployment = unspool.deploy_stream(model, data, time_steps=2, options=options)
        >>> unspool.Session(deployment.quantized_tflite).state_names
        ('gru/h',)
    """
    check_graph(model)
    model, calibration, test, moved = steps_in_front(model, calibration, test)
    cut = pieces.stream(lookahead, pool_window, pool_since_reset)
    chunks = check_streams(model, cut)
    time_steps = time_steps or chunks.multiple
    way = stream_way_of(time_steps, cut, calibration_rounds, carry_states, options)
    tried = time_steps
    if chunks.windows:
        # How late outputs are, and whether they may be, is known when the model is rebuilt. Where
        # it leaves the length open, layers are tried on as many steps as they read.
        tried = shortest(way.unroll(model), time_steps)
    deployment = _deploy(model, calibration, test, None, tried, way, options, watch)
    return replace(deployment, warnings=(*moved, *deployment.warnings))


def _deploy(
    model: Any,
    calibration: Samples,
    test: tuple[Samples, Labels] | None,
    length: int | None,
    time_steps: int | None,
    way: Way,
    options: Options,
    watch: Watch | None,
) -> Deployment:
    clock = Clock(watch)
    target = options.target or targets.target()
    model, arrays, tested = checked(model, calibration, test, length, way)
    subject = way.scaled(model, arrays)
    warned = inspected(subject, arrays, target, time_steps, options, clock)

    calibrated, tflite = stages.quantized(subject, arrays, way, clock)
    warned += warn(lost_ranges(subject, calibrated.float_tflite, tflite))
    compiled, resident = compiled_for(tflite, target, options.resident_weights, clock)
    measured = measure(
        Forms(model, calibrated.float_tflite, tflite, compiled), arrays, tested, clock
    )
    remedies: tuple[Remedy, ...] = ()
    if options.remedy_seconds and measured.quality and measured.quality.is_poor:
        reference = evaluation.predict(model, arrays)
        network = Network(model, calibrated, way, target, arrays, reference)
        remedies = try_remedies(network, options.remedy_seconds, watch)
    return Deployment(
        trained=model,
        deploy_model=calibrated.deploy_model,
        float_tflite=calibrated.float_tflite,
        calibration=calibrated.calibration,
        activations=options.activations,
        quantized_tflite=tflite,
        compiled=compiled,
        resident=resident,
        measured=measured,
        remedies=remedies,
        warnings=warned,
        seconds=clock.seconds,
    )


def compiled_for(
    tflite: bytes, target: Target, resident_kib: float | None, clock: Clock
) -> tuple[Compiled, Resident | None]:
    """The binary, with resident weights if `resident_kib` is given, which TFLM can run."""
    with clock.stage("compile with Vela"):
        compiled = vela.compile(tflite, target)
    unrunnable = tflm_limits.problem(flatbuffer.look(compiled.tflite))
    if unrunnable:  # on the CPU, of the device as of this machine
        raise UnspoolError(unrunnable)
    return compiling.with_resident(compiled, tflite, resident_kib, clock)
