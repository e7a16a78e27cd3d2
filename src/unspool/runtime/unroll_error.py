"""Does the deploy model compute what the trained model does? Both in float, within rounding."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import evaluation, quality
from unspool.runtime.quality import OutputError
from unspool.tflite.masks import Mask

_LARGEST = 1e-5
"""How far an output of the deploy model may be from the trained model's, in float: absolute for
outputs up to 1, relative to the largest output above."""

_LAST_BITS = 4.0
"""The error may also be this many times the change of the trained model's outputs when its inputs
change in their last bit. A network that enlarges such changes, over many steps or from inputs in
large units, has no outputs that are more exact."""

_DRAWS = 8
"""So often are inputs changed, and the largest change of outputs counts: on a network of 47 steps
with large weights, six draws gave 2.3e-4 to 1.1e-3."""


def unroll_error(
    trained: Any,
    masks: Mapping[str, Sequence[Mask]],
    arrays: list[np.ndarray],
    outputs: list[np.ndarray],
    reference: list[np.ndarray],
) -> OutputError:
    """The error of the deploy model's outputs, against those of the trained model.

    Args:
        trained: the trained Keras model.
        masks: input -> the masks that mark steps of it, or that it is; in the inputs' order.
        arrays: samples, one array (samples, ...) per input.
        outputs: of the deploy model on them.
        reference: outputs of the trained model on them.

    Raises:
        UnspoolError: the error is larger than rounding explains.
    """
    error = quality.difference(outputs, reference)
    limit = _LARGEST * max(1.0, *(float(np.abs(array).max()) for array in reference))
    if not error.largest <= limit:
        limit = max(limit, _LAST_BITS * _change(trained, masks, arrays, reference))
    if not error.largest <= limit:
        raise UnspoolError(
            f"the deploy model's outputs differ from the trained model's by up to "
            f"{error.largest:.1e} on {error.samples} samples; at most {limit:.0e} "
            "is expected: please report this model as a defect of Unspool"
        )
    return error


def _change(
    trained: Any,
    masks: Mapping[str, Sequence[Mask]],
    arrays: list[np.ndarray],
    reference: list[np.ndarray],
) -> float:
    """How far outputs move when inputs move in their last bit."""
    rng = np.random.default_rng(0)
    moves = [
        _moves(name, array, each) for (name, each), array in zip(masks.items(), arrays, strict=True)
    ]

    def shaken() -> list[np.ndarray]:
        return [
            (array + most * rng.uniform(-1, 1, array.shape)).astype(array.dtype)
            for array, most in zip(arrays, moves, strict=True)
        ]

    return max(
        quality.difference(evaluation.predict(trained, shaken()), reference).largest
        for _ in range(_DRAWS)
    )


def _moves(name: str, array: np.ndarray, masks: Sequence[Mask]) -> np.ndarray:
    """How far each value of an input may move: the last bit of its feature's largest.

    Whole numbers and masks stay as they are, and so do the steps that a mask calls padded.
    """
    if array.dtype.kind != "f" or any(mask.input == name for mask in masks):
        return np.zeros(1)
    most = np.finfo(np.float32).eps * np.abs(array).max(axis=tuple(range(array.ndim - 1)))
    for mask in masks:
        if mask.source == name:
            most = most * mask.of(array)[..., None]
    return np.asarray(most)
