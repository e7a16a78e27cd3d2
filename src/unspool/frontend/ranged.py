"""A tensor whose range is known from training: what a file's QuantizeLinear said of it."""

from typing import Any

from unspool.frontend import graph
from unspool.support._tensorflow import keras, tf

_SCOPE = "unspool_range"


@keras.saving.register_keras_serializable("unspool")
class Ranged(keras.layers.Identity):  # type: ignore[misc]
    """Its input, which calibration is to give a range, that of quantization-aware training."""

    def __init__(self, minimum: float, maximum: float, **kwargs: Any) -> None:
        """Take the smallest and the largest value that the tensor is stored with."""
        super().__init__(**kwargs)
        self.minimum, self.maximum = float(minimum), float(maximum)

    def call(self, inputs: Any) -> Any:
        """The input, (...), in float as it is."""
        with tf.name_scope(f"{_SCOPE}/{self.name}/"):  # the slash: from the root, as it is
            return tf.identity(inputs, name="same")

    def get_config(self) -> dict[str, Any]:
        """What a file holds of the layer."""
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}


def traced_layer(name: str) -> str | None:
    """The layer that a traced operator is of, if it is one that has a range."""
    scope, _, inner = name.partition("/")
    return inner.rpartition("/")[0] if scope == _SCOPE else None


def ranged(model: Any) -> tuple[Ranged, ...]:
    """The layers of a Keras model that have a range for their tensor."""
    operations = (each.operation for each in graph.operations(model))
    return tuple(layer for layer in operations if isinstance(layer, Ranged))
