"""The loss that a trained model was compiled with: fine-tuning takes it over."""

from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.graph import is_graph
from unspool.support._tensorflow import keras


def check_compiled(model: Any) -> None:
    """Check that a model can be fine-tuned.

    Raises:
        UnspoolError: it has no loss, or is not made of layers in a graph.
    """
    if not is_graph(model):
        raise UnspoolError(
            f"model {model.name!r} is a {type(model).__name__}; expected a Sequential or "
            "Functional Keras model"
        )
    if not getattr(model, "compiled", False) or model.loss is None:
        raise UnspoolError(
            f"model {model.name!r} has no loss to fine-tune with: compile it, "
            "model.compile(loss=..., metrics=[...])"
        )


def known_loss(name: str) -> str:
    """The name, which must be that of one of Keras's losses.

    Raises:
        UnspoolError: it is not.
    """
    try:
        keras.losses.get(name)
    except ValueError:
        raise UnspoolError(
            f"loss {name!r}: Keras has none of this name; expected one such as mse or "
            "sparse_categorical_crossentropy"
        ) from None
    return name


def copied(model: Any) -> Any:
    """The same model with variables of its own, compiled with the same losses."""
    model.compiled = False  # else Keras writes the losses as JSON, which a user's own cannot be
    try:
        copy = keras.models.clone_model(model)
    finally:
        model.compiled = True
    copy.set_weights(model.get_weights())
    copy.compile(**losses(model))
    return copy


def losses(model: Any) -> dict[str, Any]:
    """The arguments that a model was compiled with, except the optimizer."""
    config = model._compile_config.config  # public ways give JSON, of Keras's own losses only
    return {name: config[name] for name in ("loss", "loss_weights", "metrics", "weighted_metrics")}


def loss_name(model: Any) -> str:
    """The name of a model's loss, such as `sparse_categorical_crossentropy`."""
    loss = model.loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss)
