"""Values to try a layer or function with."""

from collections.abc import Sequence

import numpy as np


def drawn(
    rng: np.random.Generator, shape: Sequence[int], dtype: str, low: float = 0.1
) -> np.ndarray:
    """Values that nearly every function is defined for.

    Real ones are of `low` and up to 0.8 more; whole numbers and truth values are 0 and 1.
    """
    if dtype.startswith(("float", "bfloat")):
        return rng.uniform(low, low + 0.8, shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
