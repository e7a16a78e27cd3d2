"""A second loss for fine-tuning, or the only one: how far outputs are from the trained model's."""

from collections.abc import Callable
from typing import Any

from unspool.frontend.structure import last_activation
from unspool.support._tensorflow import keras, tf


class Teacher:
    """The trained model, whose outputs the student is drawn towards.

    Called on inputs and the student's outputs for them; returns the distance, a scalar.
    """

    def __init__(self, model: Any, weight: float) -> None:
        """The weight is that of the distance beside a loss; with 0 the model is never run."""
        self._model = model
        self.weight = weight
        losses = keras.tree.flatten(getattr(model, "loss", None))
        configs = [loss.get_config() for loss in losses if hasattr(loss, "get_config")]
        is_logits = any(config.get("from_logits") for config in configs)
        self._distances = [_distance(tensor, is_logits) for tensor in model.outputs]

    def __call__(self, inputs: Any, outputs: Any) -> Any:
        """The distance of outputs from the trained model's, of all steps that are not padded."""
        return self.distance(keras.tree.flatten(self._model(inputs, training=False)), outputs)

    def distance(self, right: Any, outputs: Any) -> Any:
        """The distance of outputs from those that the trained model gives."""
        pairs = zip(self._distances, right, keras.tree.flatten(outputs), strict=True)
        return tf.add_n([distance_of_tensors(far, a, b) for far, a, b in pairs])


def distance_of_tensors(far: Callable[[Any, Any], Any], right: Any, got: Any) -> Any:
    """The mean distance of a tensor (samples, ...) from another, of steps that are not padded.

    Args:
        far: the distance of each sample, or of each of its steps.
        right: the tensor to come near to; its mask says which steps are padded.
        got: the other one.
    """
    distances = far(tf.cast(right, tf.float32), tf.cast(got, tf.float32))
    mask = getattr(right, "_keras_mask", None)  # (samples, time), where steps may be padded
    if mask is None or len(distances.shape) < 2:
        return tf.reduce_mean(distances)
    others = [1] * (len(distances.shape) - 2)
    shape = tf.concat([tf.shape(mask), others], 0)
    counted = tf.reshape(tf.cast(mask, tf.float32), shape) * tf.ones_like(distances)
    return tf.math.divide_no_nan(tf.reduce_sum(distances * counted), tf.reduce_sum(counted))


def _distance(output: Any, is_logits: bool) -> Callable[[Any, Any], Any]:
    """How to measure the distance of an output; this depends on the layer that computes it."""
    if is_logits and output.shape[-1] > 1:
        return lambda right, got: _divergence(tf.nn.softmax(right), tf.nn.softmax(got))
    if last_activation(output) == "softmax":
        return _divergence
    distance: Callable[[Any, Any], Any] = keras.losses.mean_squared_error
    return distance


def _divergence(right: Any, got: Any) -> Any:
    """Kullback-Leibler, which stays 0 or more where int8 rounds a sum of 1 to another."""
    return keras.losses.kl_divergence(right, got) + tf.reduce_sum(got - right, axis=-1)
