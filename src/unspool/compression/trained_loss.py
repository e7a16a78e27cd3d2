"""The loss that a trained model was compiled with: fine-tuning takes it over."""

from collections.abc import Mapping, Sequence
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.graph import cloned, is_graph
from unspool.frontend.inference_form import for_inference
from unspool.frontend.structure import last_activation, output_names
from unspool.support._tensorflow import keras


def check_layers(model: Any) -> None:
    """Check that a model can be made again and trained.

    Raises:
        UnspoolError: it is not made of layers in a graph.
    """
    if not is_graph(model):
        raise UnspoolError(
            f"model {model.name!r} is a {type(model).__name__}; expected a Sequential or "
            "Functional Keras model"
        )


def check_compiled(model: Any) -> None:
    """Check that a model can be fine-tuned on labels.

    Raises:
        UnspoolError: it has no loss, or is not made of layers in a graph.
    """
    check_layers(model)
    if not getattr(model, "compiled", False) or losses(model)["loss"] is None:
        raise UnspoolError(
            f"model {model.name!r} has no loss to fine-tune with: compile it, "
            "model.compile(loss=..., metrics=[...])"
        )


def named_loss(name: str, model: Any) -> Any:
    """The loss that Keras has under a name, for a model's outputs.

    A cross-entropy takes logits where no output is a softmax or a sigmoid.

    Raises:
        UnspoolError: Keras has none of this name.
    """
    is_logits = not {"softmax", "sigmoid"} & {*map(last_activation, model.outputs)}
    # A function has a class of the same name, whose objects can be saved with their options.
    words = "".join(word.capitalize() for word in name.split("_"))
    for known in (name, words) if "crossentropy" not in name else (words, name):
        try:
            loss = keras.losses.get(known)
        except ValueError:
            continue
        config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
        if is_logits and "from_logits" in config:
            return type(loss).from_config({**config, "from_logits": True})
        return known if known == name else loss
    raise UnspoolError(
        f"loss {name!r}: Keras has none of this name; expected one such as mse or "
        "sparse_categorical_crossentropy"
    )


def trainable(model: Any) -> Any:
    """The model itself, or a copy in float32 for batches of any size that keeps no states."""
    copy = for_inference(model)
    return model if copy is model else compiled_as(copy, model)


def copied(model: Any) -> Any:
    """The same model with variables of its own, compiled as it is if it is compiled."""
    copy = cloned(model)
    copy.set_weights(model.get_weights())
    return compiled_as(copy, model)


def compiled_as(copy: Any, model: Any) -> Any:
    """A copy of a model, compiled as the model is, with an optimizer like its own, at the start."""
    if model.compiled:
        copy.compile(_like(model.optimizer), **losses(model))
    return copy


def ready_to_train(model: Any) -> Any:
    """The model; if it is compiled, its optimizer has its variables.

    Keras warns of the file of a model that was compiled and never trained.
    """
    if model.compiled:
        model.optimizer.build(model.trainable_variables)
    return model


def _like(optimizer: Any) -> Any:
    """Another optimizer with the same settings; Keras's usual one for one it cannot make again."""
    try:
        return type(optimizer).from_config(optimizer.get_config())
    except (TypeError, ValueError, NotImplementedError):
        return "rmsprop"


def losses(model: Any) -> dict[str, Any]:
    """The arguments that a model was compiled with, except the optimizer."""
    config = model._compile_config.config  # public ways give JSON, of Keras's own losses only
    return {name: config[name] for name in ("loss", "loss_weights", "metrics", "weighted_metrics")}


def with_a_loss(model: Any) -> list[int]:
    """The numbers of the outputs that a model's loss is of: not of states, which have None."""
    names, loss = output_names(model), model.loss
    if isinstance(loss, Mapping):
        return [n for n, name in enumerate(names) if loss.get(name) is not None]
    if isinstance(loss, Sequence) and not isinstance(loss, str):
        return [n for n, each in enumerate(loss) if each is not None]
    return list(range(len(names)))


def loss_name(model: Any) -> str:
    """The name of a model's loss, such as `sparse_categorical_crossentropy`; of several, each."""
    return ", ".join(map(_name, keras.tree.flatten(model.loss)))


def _name(loss: Any) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss)
