"""Signals that the zoo's data is made of; time runs along axis 1."""

import numpy as np

FIXED = 7
"""Seed of what a class, a speaker or a machine is: the same in training and in tests."""


def classes(rng: np.random.Generator, count: int, kinds: int) -> np.ndarray:
    """Classes, as many of each as of the others, in random order."""
    return rng.permutation(np.arange(count) % kinds)


def real(values: np.ndarray) -> np.ndarray:
    """The values as float32."""
    return np.asarray(values, np.float32)


def wander(
    rng: np.random.Generator, shape: tuple[int, ...], keep: float = 0.95, start: bool = True
) -> np.ndarray:
    """A first-order process of unit variance along axis 1; `keep` is its memory of a step ago."""
    steps = rng.normal(0, np.sqrt(1 - keep**2), shape)
    steps[:, 0] = rng.normal(0, 1, steps[:, 0].shape) if start else 0.0
    for step in range(1, shape[1]):
        steps[:, step] += keep * steps[:, step - 1]
    return steps


def smooth(x: np.ndarray, width: int) -> np.ndarray:
    """The mean over `width` steps, centred; the ends are held."""
    before = width // 2
    padded = np.concatenate(
        [np.repeat(x[:, :1], before, 1), x, np.repeat(x[:, -1:], width - before, 1)], axis=1
    )
    total = np.cumsum(np.concatenate([np.zeros_like(padded[:, :1]), padded], axis=1), axis=1)
    return np.asarray((total[:, width:] - total[:, :-width])[:, : x.shape[1]] / width)


def bump(t: np.ndarray, centre: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """A bell of height 1."""
    return np.exp(-0.5 * ((t - centre) / width) ** 2)


def column(values: np.ndarray) -> np.ndarray:
    """One value per sample, to be combined with (samples, time)."""
    return np.asarray(values)[:, None]


def uniform(rng: np.random.Generator, count: int, low: float, high: float) -> np.ndarray:
    """One value per sample, (samples, 1)."""
    return rng.uniform(low, high, (count, 1))


def templates(kinds: int, steps: int, width: int, rank: int = 6, seed: int = FIXED) -> np.ndarray:
    """A smooth pattern of unit variance for each class, (classes, time, width)."""
    rng = np.random.default_rng(seed)
    curves = smooth(rng.normal(0, 1, (kinds, steps, rank)), max(2, steps // 6))
    curves /= curves.std(axis=1, keepdims=True) + 1e-6
    mixing = rng.normal(0, 1 / np.sqrt(rank), (kinds, rank, width))
    return curves @ mixing


def shifted(x: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Each sample moved by its own number of steps; what leaves one end enters the other."""
    steps = (np.arange(x.shape[1])[None, :] - by[:, None]) % x.shape[1]
    return np.asarray(x[np.arange(len(x))[:, None], steps])


def one_hot(ids: np.ndarray, width: int) -> np.ndarray:
    """Ids as vectors of zeros and a one."""
    return np.asarray(np.eye(width, dtype=np.float32)[ids])
