"""Functions of `keras.ops` over an axis, by operators that have an int8 form."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from unspool.support._tensorflow import tf


def largest(operation: Any) -> Callable[[Any], Any]:
    """The form of `max` and `amax`."""
    return lambda x: largest_over(x, _axes(operation, x), operation.keepdims)


def largest_over(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Largest values, by a pooling operator: what is reduced becomes rows, all else channels.

    Args:
        x: a tensor.
        axes: to reduce, from 0 on.
        keepdims: keep them, with size 1.
    """
    channels = [n for n in range(len(x.shape)) if n not in axes]
    rows = [x.shape[axis] for axis in axes]
    flat = tf.reshape(tf.transpose(x, [*axes, *channels]), (1, *_window(rows), -1))
    pooled = tf.nn.max_pool2d(flat, flat.shape[1:3], 1, "VALID")
    shape = [
        1 if n in axes else size for n, size in enumerate(x.shape) if keepdims or n in channels
    ]
    return tf.reshape(pooled, shape)


def smallest(operation: Any) -> Callable[[Any], Any]:
    """The form of `min` and `amin`, by the largest of what is negative.

    Vela's own REDUCE_MIN gives other values where a pooling reads the same tensor.
    """
    return lambda x: -largest_over(-x, _axes(operation, x), operation.keepdims)


def _window(sizes: list[int]) -> tuple[int, int]:
    """Rows and columns of one window over all of them."""
    return (sizes[0], math.prod(sizes[1:])) if sizes else (1, 1)


def span(operation: Any) -> Callable[[Any], Any]:
    """The form of `ptp`: largest less smallest value."""

    def spanned(x: Any) -> Any:
        axes = _axes(operation, x)
        return largest_over(x, axes, operation.keepdims) + largest_over(
            -x, axes, operation.keepdims
        )

    return spanned


def log_of_sum(operation: Any) -> Callable[[Any], Any]:
    """The form of `logsumexp`."""

    def summed(x: Any) -> Any:
        axes = _axes(operation, x)
        top = largest_over(x, axes, True)
        total = tf.math.log(tf.reduce_sum(tf.exp(x - top), axes, keepdims=operation.keepdims))
        return total + (top if operation.keepdims else tf.reshape(top, total.shape))

    return summed


def running_sum(operation: Any) -> Callable[[Any], Any]:
    """The form of `cumsum`: a product with a triangle of ones, summed in 32 bits."""

    def summed(x: Any) -> Any:
        if operation.axis is None:
            x = tf.reshape(x, (-1,))
        axis, rank = (operation.axis or 0) % len(x.shape), len(x.shape)
        order = [*(n for n in range(rank) if n != axis), axis]
        triangle = np.triu(np.ones((x.shape[axis],) * 2, np.float32))
        product = tf.tensordot(tf.transpose(x, order), tf.constant(triangle), 1)
        return tf.transpose(product, np.argsort(order))

    return summed


def product(operation: Any) -> Callable[[Any], Any]:
    """The form of `prod`."""

    def multiplied(x: Any) -> Any:
        axes = _axes(operation, x)
        for axis in axes:
            factors = tf.split(x, x.shape[axis], axis=axis)
            x = functools.reduce(tf.multiply, factors)
        return x if operation.keepdims else tf.squeeze(x, axes)

    return multiplied


def _axes(operation: Any, x: Any) -> tuple[int, ...]:
    rank = len(x.shape)
    axes = range(rank) if operation.axis is None else np.ravel(operation.axis)
    return tuple(sorted(int(axis) % rank for axis in axes))
