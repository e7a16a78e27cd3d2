"""What a deploy model takes in one call, known before any work."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.frontend.sequences import in_time
from unspool.support import samples
from unspool.support.calls import check_calls
from unspool.support.samples import OpenInput, Samples
from unspool.unrolling.pieces import STREAM, Pieces


def sequences(model: Any, time_steps: int | None) -> list[OpenInput]:
    """A trained model's inputs with no dimension open but the batch.

    Args:
        model: the trained model.
        time_steps: to unroll where it leaves them open.

    Raises:
        UnspoolError: a dimension stays open, or the number of time steps is another.
    """
    inputs = structure.inputs(model)
    is_open = [len(t.shape) > 1 and t.shape[1] is None for t in inputs]
    if time_steps is not None and not any(is_open):
        fixed = {tensor.shape[1] for tensor in inputs if len(tensor.shape) > 2}
        if time_steps not in fixed:
            raise UnspoolError(
                f"input {inputs[0].name!r} has {inputs[0].shape[1]} time steps fixed "
                f"in the model, got time_steps={time_steps}: leave it out, or build the model "
                "with (None, features)"
            )
    filled = []
    for tensor, length_is_open in zip(inputs, is_open, strict=True):
        batch, *shape = tensor.shape
        if length_is_open:
            shape[0] = time_steps
        if None in shape:
            raise UnspoolError(
                f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}: "
                "say how many time steps to unroll (`time_steps`)"
                if length_is_open and None not in shape[1:]
                else f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}: "
                "only the time steps, the first dimension after the batch, may be open"
            )
        filled.append(replace(tensor, shape=(batch, *shape)))
    return filled


def chunks(model: Any, time_steps: int) -> list[OpenInput]:
    """A trained model's inputs as one call of a stream takes them.

    Args:
        model: the trained model.
        time_steps: of the shortest input; longer ones get as many more. What has no time keeps its
            shape.

    Raises:
        UnspoolError: the length of one is no multiple of another's.
    """
    inputs, timed = structure.inputs(model), in_time(model)
    lengths = [t.shape[1] for t, has_time in zip(inputs, timed, strict=True) if has_time]
    shortest = min(filter(None, lengths), default=1)
    cut = []
    for tensor, has_time in zip(inputs, timed, strict=True):
        batch, *shape = tensor.shape
        if has_time:
            rate, rest = divmod(shape[0] or shortest, shortest)
            if rest:
                raise UnspoolError(
                    f"input {tensor.name!r} has {shape[0]} time steps, another one {shortest}: "
                    "each call of a stream takes a chunk of both; expected a multiple"
                )
            shape[0] = time_steps * rate
        cut.append(replace(tensor, shape=(batch, *shape)))
    return cut


def calls(model: Any, time_steps: int | None, steps_per_call: int) -> int:
    """How many calls a whole sequence takes.

    Args:
        model: the trained model.
        time_steps: of a sequence, where the model leaves them open.
        steps_per_call: of one call; where inputs have different lengths, those of the shortest.

    Raises:
        UnspoolError: the length is no multiple of it, or as `sequences`.
    """
    whole = length(model, time_steps)
    if steps_per_call < 1 or whole % steps_per_call:
        raise UnspoolError(
            f"`steps_per_call` {steps_per_call}: a sequence of {whole} time steps is not made of "
            f"whole calls; expected one of {', '.join(map(str, divisors(whole)))}"
        )
    return whole // steps_per_call


def length(model: Any, time_steps: int | None) -> int:
    """Time steps of a whole sequence; where inputs have different lengths, of the shortest.

    Args:
        model: the trained model.
        time_steps: of a sequence, where the model leaves them open.

    Raises:
        UnspoolError: as `sequences`.
    """
    inputs, timed = sequences(model, time_steps), in_time(model)
    lengths = [int(t.shape[1] or 1) for t, has in zip(inputs, timed, strict=True) if has]
    return min(lengths, default=1)


def steps_of(model: Any, arrays: Sequence[np.ndarray]) -> int | None:
    """Time steps that samples have where the model leaves them open; None where it does not.

    Args:
        model: the trained model.
        arrays: samples that fit it, one array (samples, ...) per input.
    """
    for tensor, array in zip(structure.inputs(model), arrays, strict=True):
        if len(tensor.shape) > 1 and tensor.shape[1] is None:
            return int(array.shape[1])
    return None


def divisors(whole: int) -> list[int]:
    """The numbers of steps that a sequence is made of whole calls of, the smallest first.

    >>> divisors(28)
    [1, 2, 4, 7, 14, 28]
    """
    return [steps for steps in range(1, whole + 1) if whole % steps == 0]


def check_sequences(model: Any, data: Samples, what: str, time_steps: int | None) -> None:
    """Check that samples have the length that is unrolled.

    Args:
        model: the trained model.
        data: the samples.
        what: what the data is, for messages.
        time_steps: to unroll where the model leaves them open.

    Raises:
        UnspoolError: they have not, or as `sequences`.
    """
    samples.check(data, sequences(model, time_steps), what)


def check_chunks(
    model: Any, data: Samples, what: str, time_steps: int, cut: Pieces = STREAM
) -> None:
    """Check that sequences are made of whole calls of a stream.

    Args:
        model: the trained model.
        data: the sequences.
        what: what the data is, for messages.
        time_steps: of a call.
        cut: how; where the model pools over a window, sequences have as many steps, as Keras pools
            over all of them, or since a reset at most as many.

    Raises:
        UnspoolError: they are not, or as `chunks`.
    """
    arrays = samples.check(data, structure.inputs(model), what)
    inputs, timed = chunks(model, time_steps), in_time(model)
    steps = {t.name: int(t.shape[1] or 1) for t, has in zip(inputs, timed, strict=True) if has}
    check_calls(arrays, [tensor.name for tensor in inputs], steps, what)
    if window := cut.pool_window:
        shortest = min(a.shape[1] for a, has in zip(arrays, timed, strict=True) if has)
        if shortest > window or (shortest < window and not cut.pool_since_reset):
            at_most = ", or less" if cut.pool_since_reset else ""
            raise UnspoolError(
                f"{what}: sequences of {shortest} time steps; `pool_window` {window} pools over "
                f"the last ones, as Keras does over all: expected sequences of as many{at_most}"
            )
