"""A second loss for fine-tuning: how far the outputs are from the trained model's."""

from collections.abc import Callable
from typing import Any

from unspool.frontend.activations import activation_name
from unspool.support._tensorflow import keras, tf


class Teacher:
    """The trained model, whose outputs the student is drawn towards.

    Called on inputs and the student's outputs for them; returns the weighted distance, a scalar.
    """

    def __init__(self, model: Any, weight: float) -> None:
        """With a weight of 0 the model is never run."""
        self._model = model
        self.weight = weight
        losses = keras.tree.flatten(model.loss)
        configs = [loss.get_config() for loss in losses if hasattr(loss, "get_config")]
        is_logits = any(config.get("from_logits") for config in configs)
        self._distances = [_distance(tensor, is_logits) for tensor in model.outputs]

    def __call__(self, inputs: Any, outputs: Any) -> Any:
        """The distance of outputs from the trained model's."""
        right = keras.tree.flatten(self._model(inputs, training=False))
        pairs = zip(self._distances, right, keras.tree.flatten(outputs), strict=True)
        means = [
            tf.reduce_mean(far(tf.cast(a, tf.float32), tf.cast(b, tf.float32)))
            for far, a, b in pairs
        ]
        return self.weight * tf.add_n(means)


def _distance(output: Any, is_logits: bool) -> Callable[[Any, Any], Any]:
    """How to measure the distance of an output; this depends on the layer that computes it."""
    if is_logits and output.shape[-1] > 1:
        return lambda right, got: keras.losses.kl_divergence(
            tf.nn.softmax(right), tf.nn.softmax(got)
        )
    layer = output._keras_history.operation
    layer = getattr(layer, "layer", layer)  # of a TimeDistributed
    activation = getattr(layer, "activation", None)
    is_softmax = isinstance(layer, keras.layers.Softmax) or (
        activation is not None and activation_name(activation) == "softmax"
    )
    distance: Callable[[Any, Any], Any] = (
        keras.losses.kl_divergence if is_softmax else keras.losses.mean_squared_error
    )
    return distance
