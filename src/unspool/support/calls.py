"""Sequences of a stream, cut into what one call takes."""

from collections.abc import Mapping, Sequence

import numpy as np

from unspool.errors import UnspoolError


def check_calls(
    arrays: Sequence[np.ndarray], names: Sequence[str], steps: Mapping[str, int], what: str
) -> None:
    """Check that sequences are made of whole calls, as many for each input.

    Args:
        arrays: one (samples, ...) per input.
        names: of the inputs.
        steps: input -> time steps that one call takes of it; inputs without time are left out.
        what: what the data is, for messages: "calibration data".

    Raises:
        UnspoolError: they are not.
    """
    lengths = {name: a.shape[1] for name, a in zip(names, arrays, strict=True) if name in steps}
    for name, length in lengths.items():
        if length % steps[name] or not length:
            raise UnspoolError(
                f"{what}: {length} time steps for input {name!r}, expected a multiple of "
                f"{steps[name]}, which one call takes"
            )
    calls = {name: length // steps[name] for name, length in lengths.items()}
    if len(set(calls.values())) > 1:
        counts = ", ".join(f"{count} calls for input {name!r}" for name, count in calls.items())
        raise UnspoolError(f"{what}: time steps for {counts}; expected as many for each input")
