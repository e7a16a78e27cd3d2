"""What an activation of a Keras model is, by Keras's name."""

from typing import Any

from unspool.support._tensorflow import keras

_KNOWN = ("keras.", "tensorflow.", "unspool.")


def activation_name(function: Any) -> str:
    """Keras's name of an activation, which is a function or a layer.

    A function of the user's own has its module in front, whatever it is called: "mine.tanh".
    """
    if isinstance(function, keras.layers.Activation):
        return activation_name(function.activation)
    if isinstance(function, keras.layers.ReLU):
        plain = not function.negative_slope and not function.threshold
        if plain and function.max_value in (None, 6):
            return "relu6" if function.max_value else "relu"
    name = str(getattr(function, "__name__", None) or type(function).__name__)
    home = str(getattr(function, "__module__", ""))
    return name if home.startswith(_KNOWN) else f"{home}.{name}"
