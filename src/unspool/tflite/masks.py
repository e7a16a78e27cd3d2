"""Masks: inputs that say which time steps are padded, computed from the samples themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unspool.errors import UnspoolError


@dataclass(frozen=True)
class Mask:
    """An input of 1 for each valid time step and 0 for each padded one, (1, time steps).

    It is stored as 1 and 0, with the scale 1 and the zero point 0.

    Attributes:
        input: its name; empty where only `is_cleared` matters.
        source: the input whose samples say which steps are padded; empty where the mask is an
            input of the trained model, which samples hold as they hold others.
        value: a step is padded where all values of the source are this one.
        is_cleared: the source's padded steps are set to 0, as nothing reads `value` there.

    Example:
        >>> mask = Mask("mask", source="x", value=-1.0)
        >>> mask.of(np.array([[[0.5, 2.0], [-1.0, 3.0], [-1.0, -1.0]]]))
        array([[1., 1., 0.]], dtype=float32)
    """

    input: str
    source: str
    value: float = 0.0
    is_cleared: bool = False

    def of(self, values: np.ndarray) -> np.ndarray:
        """The mask (samples, time steps) of the source's samples (samples, time steps, ...)."""
        differs = values.astype(np.float32) != np.float32(self.value)
        steps: np.ndarray = differs.any(axis=-1) if differs.ndim > 2 else differs
        return steps.astype(np.float32)

    def cleared(self, values: np.ndarray) -> np.ndarray:
        """The source's samples as the network takes them."""
        if not self.is_cleared:
            return values
        return np.where(self.of(values)[..., None] > 0, values, np.zeros((), values.dtype))


def computed(masks: Sequence[Mask]) -> dict[str, Mask]:
    """Input -> mask, of the masks that are computed from another input's samples."""
    return {mask.input: mask for mask in masks if mask.source and mask.input}


def valid(masks: Sequence[Mask], samples: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Where one of the masks is 1, (samples, time) of bool; None where there are no masks.

    Args:
        masks: of one output.
        samples: input -> its samples.
    """
    read = [mask.of(samples[mask.source]) if mask.source else samples[mask.input] for mask in masks]
    return np.any([values != 0 for values in read], axis=0) if read else None


def cleared(
    masks: Sequence[Mask], names: Sequence[str], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Samples of the inputs of these names, whose padded steps say nothing any more."""
    by_source = {mask.source: mask for mask in masks if mask.is_cleared}
    return [
        by_source[name].cleared(array) if name in by_source else array
        for name, array in zip(names, arrays, strict=True)
    ]


def padded(
    masks: Sequence[Mask],
    names: Sequence[str],
    arrays: Sequence[np.ndarray],
    lengths: Sequence[int] | np.ndarray,
) -> list[np.ndarray]:
    """Samples of the inputs of these names, with all steps from `lengths` on marked as padded.

    Args:
        masks: of the network.
        names: of its inputs without the masks that are computed.
        arrays: (samples, time steps, ...) each.
        lengths: how many steps of each sample are valid, (samples,).

    Raises:
        UnspoolError: the network has no mask, or these are no lengths of its samples.
    """
    values: dict[str, float] = {}
    for mask in masks:
        value = values.setdefault(mask.source or mask.input, mask.value if mask.source else 0.0)
        if mask.source and value != mask.value:
            both = " and ".join(f"{each:g}" for each in sorted((value, mask.value)))
            raise UnspoolError(
                f"lengths were given, but {both} say that a step of "
                f"input {mask.source!r} is padded: mark such steps in the samples"
            )
    if not values:
        raise UnspoolError("lengths were given, but the network has no mask: leave them out")
    counts = np.asarray(lengths)
    marked = [array for name, array in zip(names, arrays, strict=True) if name in values]
    longest = min(array.shape[1] for array in marked)
    if counts.shape != (len(marked[0]),) or counts.dtype.kind not in "iu":
        raise UnspoolError(
            f"lengths have the shape {counts.shape} and the type {counts.dtype}; expected whole "
            f"numbers of the shape ({len(marked[0])},)"
        )
    if counts.min() < 0 or counts.max() > longest:
        raise UnspoolError(
            f"lengths run from {counts.min()} to {counts.max()}; expected 0 to {longest} time steps"
        )
    return [
        _ended(array, counts, values[name]) if name in values else array
        for name, array in zip(names, arrays, strict=True)
    ]


def _ended(values: np.ndarray, lengths: np.ndarray, value: float) -> np.ndarray:
    is_padded = np.arange(values.shape[1]) >= lengths[:, None]
    shaped = is_padded.reshape(is_padded.shape + (1,) * (values.ndim - 2))
    return np.where(shaped, np.asarray(value, values.dtype), values)


def renamed(masks: Sequence[Mask], input_names: Sequence[str]) -> tuple[Mask, ...]:
    """Masks under names that no other input has: `mask` for a lone one, else after its source."""
    names = list(input_names)
    is_alone = sum(1 for mask in masks if mask.source and mask.input) == 1
    return tuple(
        replace(mask, input=_free("mask" if is_alone else f"{mask.source}_mask", names))
        if mask.source and mask.input
        else mask
        for mask in masks
    )


def _free(wanted: str, names: list[str]) -> str:
    name, number = wanted, 2
    while name in names:
        name, number = f"{wanted}_{number}", number + 1
    names.append(name)
    return name
