"""A kernel's latent weights -> the weights it is to have: many zeros, few distinct values.

Training moves latent weights, free numbers; the model computes with their projection. Gradients
pass through it unchanged (the straight-through estimator, Bengio et al. 2013), except that pruned
weights get none. In every step a cluster's value is the mean of its latent weights, and each weight
belongs to the nearest value: so values are trained, and a weight may change its cluster.
"""

from typing import Any

import numpy as np

from unspool.compression.kernels import Kernel
from unspool.support._tensorflow import keras, tf

_ROUNDS = 50


class Projection(keras.layers.Layer):  # type: ignore[misc]
    """The projection of one kernel; at first it changes nothing.

    Called on latent weights of the kernel's shape; returns projected weights of that shape.
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(trainable=False)
        self.kernel = kernel
        count = kernel.setting.clusters or 1
        shape = tuple(kernel.variable.shape)
        self.mask = self.add_weight(shape=shape, initializer="ones", name="mask")
        self.values = self.add_weight(shape=(count,), initializer="zeros", name="values")
        self.is_clustered = self.add_weight(
            shape=(), initializer="zeros", dtype="bool", name="is_clustered"
        )
        self.built = True

    def call(self, latent: Any, training: bool = False) -> Any:
        """Project latent weights; in training, move the clusters' values too."""
        masked_weights = latent * self.mask
        free = tf.stop_gradient(latent)
        shared = tf.cond(self.is_clustered, lambda: self._shared(free, training), lambda: free)
        return masked_weights + tf.stop_gradient(shared * self.mask - masked_weights)

    def _shared(self, latent: Any, training: bool) -> Any:
        """Each latent weight's cluster value."""
        values = tf.convert_to_tensor(self.values)
        nearest = tf.searchsorted((values[1:] + values[:-1]) / 2, tf.reshape(latent, [-1]))
        if training:
            weight = tf.reshape(self.mask, [-1])
            sums, counts = (
                tf.math.unsorted_segment_sum(tensor, nearest, self.values.shape[0])
                for tensor in (tf.reshape(latent, [-1]) * weight, weight)
            )
            # Each value becomes its cluster's mean, unless that is empty. Means keep the order.
            values = tf.where(counts > 0, sums / tf.maximum(counts, 1.0), values)
            self.values.assign(values)
        return tf.reshape(tf.gather(values, nearest), tf.shape(latent))

    def prune(self, share: float) -> None:
        """Mask this share of the latent weights, the smallest, but never all of them."""
        latent = np.abs(np.array(self.kernel.variable))
        count = min(round(share * latent.size), latent.size - 1)
        mask = np.ones(latent.size, np.float32)
        mask[np.argpartition(latent.ravel(), count)[:count]] = 0
        self.mask.assign(mask.reshape(latent.shape))

    def cluster(self) -> None:
        """Begin to share the setting's number of values, by k-means over the kept weights."""
        if self.kernel.setting.clusters is None:
            return
        latent = np.array(self.kernel.variable)[np.array(self.mask) > 0]
        self.values.assign(k_means(latent, self.kernel.setting.clusters))
        self.is_clustered.assign(True)


def k_means(points: np.ndarray, count: int) -> np.ndarray:
    """Lloyd's algorithm on numbers (n,), begun with evenly spaced values; returns (count,), sorted.

    Not spaced by density: large weights are few, and matter most. The gap that pruning leaves
    around 0 gets no values.
    """
    values = np.linspace(points.min(), points.max(), count)
    below, above = points[points < 0].max(initial=-np.inf), points[points > 0].min(initial=np.inf)
    if np.isfinite(above - below):
        narrowed = np.linspace(points.min() - below, points.max() - above, count)
        values = narrowed + np.where(narrowed < 0, below, above)
    for _ in range(_ROUNDS):
        nearest = np.searchsorted((values[1:] + values[:-1]) / 2, points)
        sizes = np.bincount(nearest, minlength=count)
        sums = np.bincount(nearest, weights=points, minlength=count)
        values = np.where(sizes > 0, sums / np.maximum(sizes, 1), values)
    return values.astype(np.float32)
