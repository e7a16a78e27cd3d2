"""The flow of Arm's guide for any Keras model: `unroll=True`, batch size 1, TFLiteConverter.

`bench/guide_flow.py` is the guide's own model; this rebuilds every recurrent layer in the same way.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from unspool.runtime.session import Session
from unspool.support._tensorflow import keras, tf
from unspool.support.quiet import quiet


def deployment_ready(model: Any, shapes: Sequence[tuple[int, ...]]) -> Any:
    """The model with batch size 1, `unroll=True` in its recurrent layers, and its weights.

    Inputs get names that SavedModel takes, and dropout of recurrent layers is left out: its random
    state would stay in the file.

    Args:
        model: trained.
        shapes: of one sample of each input, which say how long what the model leaves open is.
    """
    whole = (
        keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
    )
    inputs = [
        keras.Input(shape, batch_size=1, dtype=tensor.dtype, name=_plain(tensor.name))
        for tensor, shape in zip(model.inputs, shapes, strict=True)
    ]
    given = keras.tree.pack_sequence_as(whole._inputs_struct, inputs)
    made = keras.models.clone_model(whole, input_tensors=given, clone_function=_unrolled)
    made.set_weights(model.get_weights())
    return made


_UNROLLED = {"unroll": True, "dropout": 0.0, "recurrent_dropout": 0.0}


def _unrolled(layer: Any) -> Any:
    config = layer.get_config()
    if isinstance(layer, keras.layers.Bidirectional):
        for way in ("layer", "backward_layer"):
            if way in config:
                config[way]["config"].update(_UNROLLED)
    elif isinstance(layer, keras.layers.RNN):
        config.update(_UNROLLED if "dropout" in config else {"unroll": True})
    return type(layer).from_config(config)


def convert(model: Any, calibration: Sequence[np.ndarray]) -> bytes:
    """The guide's post-training quantization with TFLiteConverter.

    Args:
        model: as `deployment_ready` gives it.
        calibration: one array (samples, ...) for each of the model's inputs.
    """
    names = [tensor.name for tensor in model.inputs]

    def representative() -> Iterator[Any]:
        for sample in zip(*calibration, strict=True):
            values = [np.asarray(value)[None] for value in sample]
            yield values if len(values) == 1 else dict(zip(names, values, strict=True))

    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if all("float" in str(tensor.dtype) for tensor in model.inputs):
            converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        content: bytes = converter.convert()
    return content


def predict(tflite: bytes, model: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs in TFLM, in the order of the model's; the converter orders inputs by their names."""
    session = Session(tflite, "tflm")
    names = [_plain(tensor.name) for tensor in model.inputs]
    fed = []
    for tensor in session.inputs:
        matches = [n for n, name in enumerate(names) if name in _plain(tensor.name)]
        same = [n for n, array in enumerate(arrays) if array.shape[1:] == tensor.shape[1:]]
        fed.append(arrays[(matches if len(matches) == 1 else same)[0]])
    outputs = session.predict(fed)
    order = sorted(range(len(outputs)), key=lambda n: session.outputs[n].name)
    wanted = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    given = []
    for shape in wanted:
        place = next(n for n in order if outputs[n].shape[1:] == shape)
        order.remove(place)
        given.append(outputs[place])
    return given


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
