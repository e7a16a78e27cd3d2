"""Normalizations."""

from typing import Any

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, of_channels, one, plus, turned, w


def batch(channels: int) -> list[np.ndarray]:
    """Scale, shift, mean and variance."""
    return [plus(channels), w(channels), w(channels, seed=1), plus(channels, seed=1)]


def named(channels: int) -> dict[str, Any]:
    return dict(zip("smvd", batch(channels), strict=True))


FORMS = {
    "batch": one("BatchNormalization", *batch(3)),
    "batch rank 2": one("BatchNormalization", *batch(5), shape=(1, 5)),
    "batch rank 4": one("BatchNormalization", *batch(3), shape=(1, 3, 4, 5), epsilon=0.01),
    "batch of one channel": one("BatchNormalization", *batch(1), shape=(1, 1, 5)),
    "batch 9": one("BatchNormalization", *batch(3), opset=9),
    "batch turned": turned([0, 2, 1], "BatchNormalization", *batch(5)),
    "batch behind": of_channels(node("BatchNormalization", "c s m v d", "y"), **named(4)),
    "batch of steps": behind_gru(
        node("Squeeze", "g", "t"), node("BatchNormalization", "t s m v d", "n"),
        node("Unsqueeze", "n a", "y"), a=np.array([0]), **named(4),
    ),
    "layer": one("LayerNormalization", plus(5), w(5)),
    "layer no shift": one("LayerNormalization", plus(5)),
    "layer of two": one("LayerNormalization", plus(2), w(2), shape=(1, 3, 2), epsilon=0.1),
    "layer turned": turned([0, 2, 1], "LayerNormalization", plus(3), w(3)),
    "layer behind": behind_gru(node("LayerNormalization", "g s m", "y"), s=plus(4), m=w(4)),
    "layer of channels": of_channels(
        node("LayerNormalization", "c s m", "y"), s=plus(5), m=w(5)
    ),
    "layer over ones": one("LayerNormalization", plus(1, 5), w(1, 5), axis=1, shape=(1, 1, 5)),
    "layer of one scale": one("LayerNormalization", plus(1), w(5)),
    "group 18": one("GroupNormalization", plus(2), w(2), num_groups=2, shape=(1, 4, 5), opset=18),
    "group 21": one("GroupNormalization", plus(4), w(4), num_groups=2, shape=(1, 4, 5), opset=21),
    "group 21 image": one(
        "GroupNormalization", plus(4), w(4), num_groups=2, shape=(1, 4, 3, 5), opset=21
    ),
    "group of all": one(
        "GroupNormalization", plus(4), w(4), num_groups=1, shape=(1, 4, 5), opset=21
    ),
    "group of one": one(
        "GroupNormalization", plus(4), w(4), num_groups=4, shape=(1, 4, 5), opset=21
    ),
    "group behind": of_channels(
        node("GroupNormalization", "c s m", "y", num_groups=2), s=plus(4), m=w(4), opset=21
    ),
    "group told": one(
        "GroupNormalization", plus(4), w(4), num_groups=2, epsilon=0.01, shape=(1, 4, 5), opset=21
    ),
    "instance told": one("InstanceNormalization", plus(3), w(3), epsilon=0.01),
    "instance": one("InstanceNormalization", plus(3), w(3)),
    "instance image": one("InstanceNormalization", plus(3), w(3), shape=(1, 3, 4, 5)),
    "instance of one channel": one("InstanceNormalization", plus(1), w(1), shape=(1, 1, 5)),
    "instance turned": turned([0, 2, 1], "InstanceNormalization", plus(5), w(5)),
    "instance behind": of_channels(node("InstanceNormalization", "c s m", "y"), s=plus(4), m=w(4)),
    "by hand": Form(
        [node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"),
         node("Pow", "d two", "q"),
         node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v e", "a"), node("Sqrt", "a", "r"),
         node("Div", "d r", "n"), node("Mul", "n s", "t"), node("Add", "t b", "y")],
        constants={"two": np.float32(2), "e": np.float32(1e-5), "s": w(5), "b": w(5, seed=1)},
    ),
}  # fmt: skip
