"""TensorFlow and Keras, imported in one place: quietly, and with the one backend that converts."""

import os

from unspool.errors import UnspoolError
from unspool.support import autograph  # noqa: F401 - at the end of the process
from unspool.support.collecting import uncollected
from unspool.support.quiet import quiet

_backend = os.environ.get("KERAS_BACKEND", "tensorflow")
if _backend != "tensorflow":
    raise UnspoolError(
        f"KERAS_BACKEND is {_backend!r}, but models convert from TensorFlow only: "
        "unset it or set KERAS_BACKEND=tensorflow"
    )

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet(), uncollected():  # a quarter of the seconds otherwise
    import keras
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")

if keras.backend.backend() != "tensorflow":
    raise UnspoolError(
        f"Keras runs on the backend {keras.backend.backend()!r} (from its keras.json), but models "
        "convert from TensorFlow only: set KERAS_BACKEND=tensorflow"
    )

__all__ = ["keras", "tf"]
