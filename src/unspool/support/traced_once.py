"""The variables that Keras makes for a training, made before it."""

from typing import Any

from unspool.support._tensorflow import keras


def make_variables(model: Any, batch: Any) -> None:
    """Make the variables of a model's metrics and optimizer, by the loss of one batch.

    Keras makes them while TensorFlow traces the first step of the training. What makes variables is
    traced a second time, and to trace takes longer than the steps of a short training.

    Args:
        model: a compiled Keras model; its weights, and what its metrics hold, stay as they are.
        batch: samples, or (samples, labels) or (samples, labels, weights), as arrays or tensors.
    """
    samples, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    model.run_eagerly = True  # no graph is made for one batch
    model.test_on_batch(samples, labels, weights)
    model.reset_metrics()
    model.run_eagerly, model.test_function = False, None
    model.optimizer.build(model.trainable_variables)
