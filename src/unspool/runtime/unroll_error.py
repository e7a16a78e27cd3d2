"""Does the deploy model compute what the trained model does? Both in float, within rounding."""

from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.runtime import evaluation, quality
from unspool.runtime.quality import OutputError

_LARGEST = 1e-5
"""How far an output of the deploy model may be from the trained model's, in float: absolute for
outputs up to 1, relative to the largest output above."""

_LAST_BITS = 4.0
"""The error may also be this many times the change of the trained model's outputs when its inputs
change in their last bit. A network that enlarges such changes, over many steps or from inputs in
large units, has no outputs that are more exact."""


def unroll_error(
    trained: Any,
    arrays: list[np.ndarray],
    outputs: list[np.ndarray],
    reference: list[np.ndarray],
) -> OutputError:
    """The error of the deploy model's outputs, against those of the trained model.

    Args:
        trained: the trained Keras model.
        arrays: samples, one array (samples, ...) per input.
        outputs: of the deploy model on them.
        reference: outputs of the trained model on them.

    Raises:
        UnspoolError: the error is larger than rounding explains.
    """
    error = quality.difference(outputs, quality.last(reference, outputs))
    limit = _LARGEST * max(1.0, *(float(np.abs(array).max()) for array in reference))
    if not error.largest <= limit:
        shaken = evaluation.predict(trained, _shaken(arrays))
        limit = max(limit, _LAST_BITS * quality.difference(shaken, reference).largest)
    if not error.largest <= limit:
        raise UnspoolError(
            f"the deploy model's outputs differ from the trained model's by up to "
            f"{error.largest:.1e} on {error.samples} samples; at most {limit:.0e} "
            "is expected: please report this model as a defect of Unspool"
        )
    return error


def _shaken(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Samples with real values changed by up to the last bit of their feature's largest."""
    rng = np.random.default_rng(0)
    return [
        array + np.abs(array).max(axis=tuple(range(array.ndim - 1))) * _noise(rng, array.shape)
        if array.dtype.kind == "f"
        else array
        for array in arrays
    ]


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (np.finfo(np.float32).eps * rng.uniform(-1, 1, shape)).astype(np.float32)
