"""How the outputs of a Keras model are read, by its losses and its last activations."""

from typing import Any

from unspool.frontend.structure import last_activation, losses
from unspool.tflite.heads import Head

_CLASS_LOSSES = ("categorical_crossentropy", "categorical_focal", "categorical_hinge", "kl_div")
_BINARY_LOSSES = ("binary_crossentropy", "binary_focal_crossentropy")
_SIGN_LOSSES = ("hinge", "squared_hinge")


def heads(model: Any) -> tuple[Head, ...]:
    """How each output of a Keras model is read, by its loss and its last activation.

    Args:
        model: a built Sequential or Functional model, compiled or not.
    """
    return tuple(
        _head(last_activation(tensor), loss, int(tensor.shape[-1] or 0))
        for tensor, loss in zip(model.outputs, losses(model), strict=True)
    )


def _head(activation: str, loss: Any, width: int) -> Head:
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or "")
    on_logits = bool(_option(loss, "from_logits"))
    if width > 1 and any(part in name for part in _CLASS_LOSSES):
        return Head("classes", why=name)
    if name in _BINARY_LOSSES:
        return Head("binary", 0.0 if on_logits else 0.5, name + " of logits" * on_logits)
    if name in _SIGN_LOSSES:
        return Head("binary", 0.0, name)
    if activation == "softmax" and width > 1:
        return Head("classes", why=activation)
    if activation == "sigmoid" and (not name or width == 1):
        return Head("binary", 0.5, activation)
    # With a loss the values are near 0 and 1; without one, or after tanh, they are around 0.
    return Head("values", 0.5 if name and activation != "tanh" else 0.0, name)


def _option(loss: Any, key: str) -> Any:
    """An option of a Keras loss, whether that is a class or wraps a function."""
    return getattr(loss, key, None) or getattr(loss, "_fn_kwargs", {}).get(key)
