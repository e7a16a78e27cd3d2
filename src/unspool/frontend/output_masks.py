"""Which steps of a Keras model's outputs are padded, as its `evaluate` sees it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unspool.frontend.structure import packed
from unspool.support._tensorflow import keras, tf

_BATCH = 256


def output_masks(model: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """For each output (samples, time), False where a step is padded; None where none can be.

    Args:
        model: a built Sequential or Functional model.
        arrays: one (samples, ...) for each of `model.inputs`.
    """
    nothing: list[np.ndarray | None] = [None] * len(model.outputs)
    if all(len(output.shape) < 3 for output in model.outputs):
        return nothing

    def masks(batch: Any) -> list[Any]:
        outputs = keras.tree.flatten(model(batch, training=False))
        return [getattr(output, "_keras_mask", None) for output in outputs]

    size = model.inputs[0].shape[0] or _BATCH
    parts = []
    run = tf.function(masks, reduce_retracing=True)  # which leaves out all else that the model does
    for start in range(0, len(arrays[0]), size):
        batch = packed(model, [array[start : start + size] for array in arrays])
        batch = keras.tree.map_structure(tf.convert_to_tensor, batch)
        try:
            parts.append(run(batch))
        except ValueError:  # names that TensorFlow's graphs do not take
            run = masks
            parts.append(run(batch))
        if all(mask is None for mask in parts[-1]):
            return nothing
    return [
        None if batches[0] is None else np.concatenate([np.asarray(mask, bool) for mask in batches])
        for batches in zip(*parts, strict=True)
    ]
