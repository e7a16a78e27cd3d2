"""Makes foreign.tar.xz: .tflite files as TensorFlow's own converter writes them.

    pip install --no-deps tf-keras   # beside the project's dependencies
    TF_USE_LEGACY_KERAS=1 python tests/compilation/foreign/make_foreign.py

Keras 2, since the converter knows its LSTM: it becomes one UNIDIRECTIONAL_SEQUENCE_LSTM, whose
states are variable tensors. A stateful one that is unrolled keeps them in resource variables. Keras
3's becomes a WHILE, and crashes the converter in int8.
"""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

L = keras.layers
STEPS, FEATURES = 4, 5


def network(body: Callable[[Any], Any], steps: int = STEPS) -> Any:
    """A classifier of three classes with a fixed batch of one, as a device runs it."""
    x = keras.Input((steps, FEATURES), batch_size=1, name="x")
    return keras.Model(x, L.Dense(3, activation="softmax", name="y")(body(x)))


def words() -> Any:
    x = keras.Input((STEPS,), batch_size=1, dtype="int32", name="x")
    return keras.Model(x, L.Dense(3)(L.GRU(4, unroll=True)(L.Embedding(20, 4)(x))))


def curves(x: Any) -> Any:
    """SIN and CUMSUM have no form on an NPU, and CUMSUM none in int8."""
    return L.Flatten()(tf.sin(tf.cumsum(L.Dense(8, activation="relu")(x), axis=1)))


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "gru": (
        lambda: network(L.GRU(4, unroll=True)),
        "float dynamic half int8 ends int16",
    ),
    "loop": (lambda: network(L.GRU(4)), "float"),  # a WHILE
    "curves": (lambda: network(curves), "float dynamic int8 ends"),
    "words": (words, "float int8 ends"),
    "lstm": (lambda: network(L.LSTM(8)), "float half int8 ends"),
    "stream": (lambda: network(L.LSTM(8), steps=1), "int8"),
    "stateful": (lambda: network(L.LSTM(4, stateful=True, unroll=True), steps=1), "float"),
    "two": (lambda: network(lambda x: L.LSTM(6)(L.LSTM(8, return_sequences=True)(x))), "int8"),
    "both": (lambda: network(L.Bidirectional(L.LSTM(8))), "int8"),
}
"""Model -> how to build it, and the types that it is there in."""


def converted(model: Any, types: str, rng: np.random.Generator) -> bytes:
    """The bytes of a .tflite file: `ends` is int8 between a float input and a float output."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.experimental_enable_resource_variables = True
    shape, ids = tuple(model.input_shape[1:]), model.inputs[0].dtype == tf.int32
    samples = rng.integers(0, 20, (50, 1, *shape)) if ids else rng.normal(size=(50, 1, *shape))
    if types != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if types == "half":
        converter.target_spec.supported_types = [tf.float16]
    if types in ("int8", "ends", "int16"):
        dtype = np.int32 if ids else np.float32
        converter.representative_dataset = lambda: ([sample.astype(dtype)] for sample in samples)
    if types == "int16":
        operators = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        converter.target_spec.supported_ops = [tf.lite.OpsSet[operators]]
    if types == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_output_type = tf.int8
        converter.inference_input_type = tf.float32 if ids else tf.int8  # ids stay as they are
    return bytes(converter.convert())


def main() -> None:
    rng = np.random.default_rng(0)
    with tarfile.open(Path(__file__).parent / "foreign.tar.xz", "w:xz", preset=9) as archive:
        for name, (build, all_types) in MODELS.items():
            keras.utils.set_random_seed(1)
            model = build()
            model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
            for types in all_types.split():
                content = converted(model, types, rng)
                entry = tarfile.TarInfo(f"{name}_{types}.tflite")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
