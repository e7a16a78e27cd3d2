"""What is likely to go wrong with calibration data, before any work is done with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.quantization.concerns import concerns
from unspool.support.samples import OpenInput
from unspool.tflite import input_scaling
from unspool.tflite.masks import Mask, cleared
from unspool.unrolling.leading import input_scalings, leading
from unspool.unrolling.mask_checks import masks_of


def check_full(model: Any, arrays: Sequence[np.ndarray]) -> None:
    """Check that no sequence is padded.

    Args:
        model: the trained model.
        arrays: one (samples, ...) for each of its inputs.

    Raises:
        UnspoolError: some are.
    """
    for name, count in _padded(masks_of(model), structure.inputs(model), arrays).items():
        if count:
            raise UnspoolError(
                f"calibration data: {count} of {len(arrays[0])} sequences are padded in input "
                f"{name!r}; expected full ones (`full_length`)"
            )


def doubts(model: Any, arrays: Sequence[np.ndarray], *, full_length: bool) -> tuple[str, ...]:
    """What is likely to go wrong with the data, in a line each.

    Args:
        model: the trained model.
        arrays: one (samples, ...) for each of its inputs.
        full_length: its masks are left out.
    """
    inputs, masks = structure.inputs(model), [] if full_length else masks_of(model)
    names = [tensor.name for tensor in inputs]
    scalings = tuple(input_scalings(leading(model), names).values())
    scaled = input_scaling.scaled(scalings, names, cleared(masks, names, arrays))
    mask_inputs = {mask.input for mask in masks if not mask.source}
    values = [n for n, name in enumerate(names) if name not in mask_inputs]  # a mask has no range
    unpadded = [
        f"calibration data: no sequence is padded in input {name!r}; if none ever is, the network "
        "does without the mask (`full_length`)"
        for name, count in _padded(masks, inputs, arrays).items()
        if not count and name not in mask_inputs
    ]
    return (*concerns([scaled[n] for n in values], [inputs[n] for n in values]), *unpadded)


def _padded(
    masks: Sequence[Mask], inputs: Sequence[OpenInput], arrays: Sequence[np.ndarray]
) -> dict[str, int]:
    """Input that says which steps are padded -> how many sequences have such steps."""
    by_name = {tensor.name: array for tensor, array in zip(inputs, arrays, strict=True)}
    counts = {}
    for mask in masks:
        name = mask.source or mask.input
        valid = mask.of(by_name[name]) if mask.source else by_name[name]
        counts[name] = int((valid == 0).any(axis=1).sum())
    return counts
