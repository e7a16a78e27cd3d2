"""A model's description as Keras 2 wrote it -> as Keras 3 reads it, with what Keras 2 meant.

Where a function or a default changed between the two, the version in the file decides.
"""

import json
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import cudnn, keras2_graph
from unspool.support._tensorflow import keras

Config = dict[str, Any]

_DROPPED = frozenset({"ragged", "sparse", "optional", "batch_input_shape", "input_length"})
"""Settings without a meaning for the weights' values, which Keras 3 does not know."""

_RECURRENT = frozenset({"SimpleRNN", "GRU", "LSTM", "RNN", "ConvLSTM1D", "ConvLSTM2D"})

_FUNCTIONAL = {"module": "keras.src.models.functional", "registered_name": "Functional"}


def hard_sigmoid(x: Any) -> Any:
    """`0.2 x + 0.5`, at least 0 and at most 1; Keras 3's has the slope 1/6."""
    return keras.ops.relu6(1.2 * x + 3.0) * (1 / 6)


hard_sigmoid.__name__ = "hard_sigmoid_of_keras_2"
keras.saving.register_keras_serializable("unspool")(hard_sigmoid)


def load(path: Path, described: Config, training: Config | None) -> Any:
    """A model from a file that Keras 2 wrote.

    Args:
        path: of a .keras or .h5 file, which has the weights.
        described: the model's configuration in it.
        training: loss and metrics that the model is compiled with, if these are Keras's own.
    """
    model = keras.saving.deserialize_keras_object(modernized(described), safe_mode=True)
    text = json.dumps(described)
    with tempfile.TemporaryDirectory(prefix="unspool-") as folder:
        if any(f'"{name}"' in text for name in cudnn.LAYERS):
            path = cudnn.converted(path, Path(folder))
        model.load_weights(path)
    compile_as_saved(model, training)
    return model


def compile_as_saved(model: Any, training: Config | None) -> None:
    """Compile a model with loss and metrics as HDF5 or Keras 2 has them, if Keras knows them."""
    if training:
        losses, metrics = (training.get(key) for key in ("loss", "metrics"))
        with suppress(Exception):  # of the user's own
            model.compile(loss=_learned(losses, "losses"), metrics=_learned(metrics, "metrics"))


def modernized(described: Config) -> Config:
    """The configuration of a model that Keras 2 saved, for Keras 3.

    Args:
        described: "class_name" and "config", as they stand in the file.

    Raises:
        UnspoolError: a layer has settings that no layer of Keras 3 has.
    """
    described = {key: value for key, value in described.items() if key != "build_config"}
    kind, config = described["class_name"], described["config"]
    if kind in ("Functional", "Model"):
        graph = keras2_graph.modernized(config, [modernized(each) for each in config["layers"]])
        return {**described, "class_name": "Functional", **_FUNCTIONAL, "config": graph}
    if kind == "Sequential":
        return {**described, **_keras("models"), "config": _sequence(config)}
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return described
    return {**described, **_layer(kind, dict(config))}


def _sequence(config: Config | list[Config]) -> Config:
    """A Sequential's configuration; up to Keras 2.2 it is the list of its layers."""
    whole: Config = {"name": "sequential", "layers": config}
    if not isinstance(config, list):
        whole = config
    layers = [modernized(layer) for layer in whole["layers"]]
    first: Config = whole["layers"][0]
    if "batch_input_shape" in first["config"] and first["class_name"] != "InputLayer":
        layers.insert(0, _input(first["config"]))
    settings: Config = {key: whole[key] for key in ("name", "trainable") if key in whole}
    return {**settings, "layers": layers}


def _input(config: Mapping[str, Any]) -> Config:
    """The Input of a Sequential whose first layer has the shape."""
    settings = {
        "batch_shape": config["batch_input_shape"],
        "dtype": _dtype(config.get("dtype", "float32")),
        "name": f"{config['name']}_input",
    }
    return {"class_name": "InputLayer", **_keras("layers"), "config": settings}


def _layer(kind: str, config: Config) -> Config:
    """A layer that is no model."""
    if kind == "InputLayer" and "batch_input_shape" in config:
        config["batch_shape"] = config["batch_input_shape"]
    if kind in _RECURRENT and config.pop("time_major", False):
        raise UnspoolError(
            f"layer {config['name']!r}: has time_major=True, for which Keras 3 has no form; build "
            "it with the batch first and save the model again"
        )
    if kind == "CuDNNGRU":
        config["reset_after"] = True
    kind = cudnn.LAYERS.get(kind, kind)
    if kind in ("GRU", "GRUCell"):  # before Keras 2.1 there was no other
        config.setdefault("reset_after", False)
    if kind == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = _number(config.pop("alpha"))
    if kind == "ThresholdedReLU":
        kind, config["threshold"] = "ReLU", _number(config.pop("theta"))
    config = {key: value for key, value in config.items() if key not in _DROPPED}
    return {"class_name": kind, **_keras("layers"), "config": _settings(config)}


def _settings(config: Config) -> Config:
    """A layer's settings, other layers among them; the file has the weights' values."""
    return {
        key: _setting(key, value)
        for key, value in config.items()
        if not key.endswith("_initializer")
    }


def _setting(key: str, value: Any) -> Any:
    if key.endswith("activation"):
        return _activation(value)
    if key.endswith(("_regularizer", "_constraint")):
        return _known(value, f"{key.rsplit('_', 1)[1]}s")
    if key == "dtype":
        return _dtype(value)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, list):
        return [_setting(key, part) for part in value]
    if isinstance(value, dict) and {"class_name", "config"} <= value.keys():
        return modernized(value)
    return value


def _keras(module: str) -> Config:
    return {"module": f"keras.{module}", "registered_name": None}


def _number(value: Any) -> float:
    """A number that may have been written as an array of one."""
    return float(value["value"] if isinstance(value, dict) else value)


def _dtype(value: Any) -> Any:
    """The name of a type or of a policy."""
    return value["config"]["name"] if isinstance(value, dict) else value


def _activation(value: Any) -> Any:
    """An activation by its name, as it was defined then."""
    name = value.get("config", value.get("class_name")) if isinstance(value, dict) else value
    if name == "hard_sigmoid":
        return {
            "module": "builtins",
            "class_name": "function",
            "config": "hard_sigmoid_of_keras_2",
            "registered_name": "unspool>hard_sigmoid_of_keras_2",
        }
    return name if isinstance(name, str) else value


def _known(value: Any, module: str) -> Any:
    """A regularizer or constraint of Keras's own; inference needs none, so others are left out."""
    if not isinstance(value, dict) or not hasattr(getattr(keras, module), value["class_name"]):
        return value if isinstance(value, str) else None
    return {**value, **_keras(module)}


def _learned(value: Any, module: str) -> Any:
    """Losses or metrics, alone, in lists or by the names of outputs."""
    if isinstance(value, dict) and "class_name" in value:
        config = {k: v for k, v in value["config"].items() if k not in ("fn", "reduction")}
        described = {**value, **_keras(module), "config": config}
        return keras.saving.deserialize_keras_object(described, safe_mode=True)
    if isinstance(value, dict):
        return {key: _learned(part, module) for key, part in value.items()}
    return [_learned(part, module) for part in value] if isinstance(value, list) else value
