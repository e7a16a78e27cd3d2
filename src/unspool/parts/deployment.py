"""A network in parts, from the trained model to binaries that are called one after the other."""

from dataclasses import dataclass, replace
from typing import Any

from unspool.before_work import Labels, checked, inspected, steps_in_front
from unspool.compilation import targets
from unspool.compilation.in_parts import CompiledParts
from unspool.compilation.residency.keeping import Resident
from unspool.deployed import Options
from unspool.deployment import way_of
from unspool.errors import UnspoolError
from unspool.parts.binaries import chained
from unspool.parts.chain import Chain
from unspool.parts.remedies import NetworkInParts, try_in_parts
from unspool.remedies.remedy import Remedy
from unspool.runtime.measuring import Measured, measure
from unspool.support.eager_kernels import kernels_freed
from unspool.support.progress import Clock, Watch
from unspool.support.samples import Samples
from unspool.unrolling import taken
from unspool.unrolling.graph_checks import check_graph

_DEFAULTS = Options()


@dataclass(frozen=True)
class DeploymentInParts:
    """The results of each stage, and what was measured of the network as a whole.

    Attributes:
        trained: the trained Keras model.
        chain: the parts, with their files and binaries; `chain.run` runs them.
        activations: "int8" or "int16".
        compiled: what the binaries take together, with Vela's estimates.
        resident: the weights that are kept in SRAM, of all parts; None where that was not asked
            for. The estimates of `compiled` are without.
        measured: how good the network is.
        remedies: what was tried against too large an error.
        warnings: what is likely to go wrong, in a line each.
        seconds: stage -> wall-clock time that it took, of all parts.
    """

    trained: Any
    chain: Chain
    activations: str
    compiled: CompiledParts
    resident: Resident | None
    measured: Measured
    remedies: tuple[Remedy, ...]
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
    remedies: tuple[Remedy, ...] = ()
    if options.remedy_seconds and measured.quality and measured.quality.is_poor:
        network = NetworkInParts(model, arrays, steps_per_call, time_steps, options)
        remedies = try_in_parts(network, watch)
    return DeploymentInParts(
        trained=model,
        chain=chain,
        activations=options.activations,
        compiled=compiled,
        resident=chain.resident(compiled),
        measured=measured,
        remedies=remedies,
        warnings=(*moved, *warned, *(text for each in chain.parts for text in each.warnings)),
        seconds=clock.seconds,
    )


def _check(options: Options) -> None:
    if options.fed_back:
        raise UnspoolError(
            "`steps_per_call` and states that the model takes and gives itself: expected at most "
            "one, as such a model is called step by step already"
        )
