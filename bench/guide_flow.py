"""Arm's guide as it is written, on today's TensorFlow: the peer that `bench.py` measures."""

from typing import Any

import numpy as np

from unspool.guide.model import CELLS
from unspool.support._tensorflow import keras, tf
from unspool.support.quiet import quiet


def deployment_ready(cell: str, units: int, trained: Any) -> Any:
    """The guide's `rnn_model_tflite`: batch size 1, `unroll=True`, the trained weights."""
    image = keras.Input((28, 28), batch_size=1, name="input")
    state = CELLS[cell](units, unroll=True)(image)
    digit = keras.layers.Dense(10, activation="softmax")(state)
    model = keras.Model(image, digit)
    model.set_weights(trained.get_weights())
    return model


def convert(model: Any, calibration: np.ndarray) -> bytes:
    """The guide's post-training quantization with TFLiteConverter."""

    def representative() -> Any:
        for sample in calibration:
            yield [sample[None]]

    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        content: bytes = converter.convert()
    return content
