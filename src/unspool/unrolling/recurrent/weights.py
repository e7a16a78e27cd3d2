"""A layer whose weights are made of a trained layer's, once and again."""

from collections.abc import Callable, Mapping
from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.unrolling.recurrent.cell import Array


class OfTrained(keras.layers.Layer):  # type: ignore[misc]
    """What holds weights that are made of a trained layer's: fine-tuning makes them anew."""

    def __init__(self, read: Callable[[], Mapping[str, Array]], **kwargs: Any) -> None:
        """Make the layer; `read` returns name -> weight, of the trained layer as it is now."""
        super().__init__(**kwargs)
        self._read = read
        self._variables = {
            name: self.add_weight(
                shape=value.shape, initializer=keras.initializers.Constant(value), name=name
            )
            for name, value in read().items()
        }
        self.built = True

    def trained_values(self) -> list[Array]:
        """This layer's weights, made anew from the trained layer's, in the order of `weights`.

        Those behind its own are of a user's cell, which the trained layer has, too.
        """
        values = list(self._read().values())
        return [*values, *map(tf.convert_to_tensor, self.weights[len(values) :])]

    @property
    def names(self) -> frozenset[str]:
        """Of the weights."""
        return frozenset(self._variables)

    def tensor(self, name: str) -> Array:
        """A weight's value."""
        return tf.convert_to_tensor(self._variables[name])
