"""Keras's attention layers, on one sequence, of operators that the NPU runs and TFLM has.

Products of two activations are BATCH_MATMUL, which Vela runs in int8. What Keras multiplies scores
by is multiplied into a kernel or into the queries, of which there are fewer values. A sum over the
width of (queries, keys, width), which Vela leaves on the CPU, is a product with a kernel of one
column.
"""

import inspect
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

from unspool.support._tensorflow import keras, tf
from unspool.tflite.rewriting import TFLM_INPUTS
from unspool.unrolling.recurrent.cell import Array, weight
from unspool.unrolling.recurrent.weights import OfTrained
from unspool.unrolling.recurrent_layers import DeployLayer

Values: TypeAlias = dict[str, Array]
"""Weights by name, as the deploy-time layer uses them."""

_TO_BE_GIVEN = ("query", "value", "key", "inputs")
_LEFT_OUT = ("training", "return_attention_scores")


class Heads(OfTrained):
    """MultiHeadAttention, or GroupQueryAttention, whose groups of queries share keys and values.

    The queries of a group stand one after the other, as those of one head: nothing is repeated.
    """

    def __init__(self, source: Any, **kwargs: Any) -> None:
        super().__init__(partial(_heads, source), dtype="float32", **kwargs)
        self.groups, self.width = source._key_dense.kernel.shape[1:]
        self.shared = source._query_dense.kernel.shape[1] // self.groups
        self.shape = source._output_dense.kernel.shape[2:]

    def call(self, query: Array, value: Array, key: Array) -> list[Array]:
        """Attend from a query (1, queries, features) to a value and a key (1, keys, features).

        Returns:
            [(1, queries, *output shape), weights (1, heads, queries, keys)]; what is not used
            costs nothing.
        """
        count, keys = query.shape[1], key.shape[1]
        groups, shared, width = self.groups, self.shared, self.width
        q = tf.reshape(self._dense(query, "query"), (count, groups, shared, width))
        q = tf.reshape(tf.transpose(q, (1, 2, 0, 3)), (groups, shared * count, width))
        k = tf.reshape(self._dense(key, "key"), (keys, groups, width))
        v = tf.reshape(self._dense(value, "value"), (keys, groups, -1))
        scores = tf.matmul(q, tf.transpose(k, (1, 2, 0)), name="scores")
        weights = tf.nn.softmax(scores, name="weights")
        mixed = tf.matmul(weights, tf.transpose(v, (1, 0, 2)), name="mixed")
        mixed = tf.transpose(tf.reshape(mixed, (groups, shared, count, -1)), (2, 0, 1, 3))
        mixed = tf.reshape(mixed, (count, -1))
        if "gate_kernel" in self.names:
            mixed = tf.multiply(mixed, tf.sigmoid(self._dense(query, "gate")), name="gated")
        output = tf.reshape(self._dense(mixed, "output"), (1, count, *self.shape))
        return [output, tf.reshape(weights, (1, groups * shared, count, keys))]

    def _dense(self, x: Array, name: str) -> Array:
        """(..., rows, features) -> (rows, width), by one of the layer's kernels."""
        rows = tf.reshape(x, (-1, x.shape[-1]))
        product = tf.matmul(rows, self.tensor(f"{name}_kernel"))
        return tf.nn.bias_add(product, self.tensor(f"{name}_bias"), name=name)


def _heads(layer: Any) -> Values:
    """Kernels (features, width) and biases (width,), of all heads side by side."""
    parts = {
        "query": layer._query_dense,
        "key": layer._key_dense,
        "value": layer._value_dense,
        "output": layer._output_dense,
        **({"gate": layer._gate_dense} if hasattr(layer, "_gate_dense") else {}),
    }
    values: Values = {}
    for name, dense in parts.items():
        summed = 2 if name == "output" else 1  # heads and their width, or features
        kernel = weight(dense.kernel)
        kernel = tf.reshape(kernel, (math.prod(kernel.shape[:summed]), -1))
        bias = tf.zeros(kernel.shape[1])
        if dense.bias is not None:
            bias = tf.reshape(weight(dense.bias), (-1,))
        scale = 1 / math.sqrt(dense.kernel.shape[2]) if name == "query" else 1.0
        values |= {f"{name}_kernel": kernel * scale, f"{name}_bias": bias * scale}
    return values


class Scored(OfTrained):
    """Attention or AdditiveAttention: one head without kernels, scores by products or by tanh."""

    def __init__(self, source: Any, **kwargs: Any) -> None:
        super().__init__(partial(_scored, source), dtype="float32", **kwargs)

    def call(self, inputs: Sequence[Array]) -> list[Array]:
        """Attend from a query to a value, and a key that is the value where there is none.

        Args:
            inputs: (1, queries, width), (1, keys, features) and perhaps (1, keys, width).

        Returns:
            [(1, queries, features), weights (1, queries, keys)]; what is not used costs nothing.
        """
        query, value, key = (*inputs, inputs[1])[:3]
        if "scale" in self.names:
            query = tf.multiply(query, self.tensor("scale"), name="query")
        if "sum" in self.names:
            scores = self._of_pairs(query, key)
        else:
            scores = tf.matmul(query, tf.transpose(key, (0, 2, 1)), name="scores")
        weights = tf.nn.softmax(scores, name="weights")
        return [tf.matmul(weights, value, name="mixed"), weights]

    def _of_pairs(self, query: Array, key: Array) -> Array:
        """Scores (1, queries, keys): a weighted sum of tanh(query + key) over the width."""
        if "scale" in self.names:
            key = tf.multiply(key, self.tensor("scale"), name="key")
        (_, queries, width), keys = query.shape, key.shape[1]
        all_keys = _repeated(tf.reshape(key, (1, keys * width)), queries)
        all_keys = tf.reshape(all_keys, (queries, keys, width))
        pairs = tf.add(tf.reshape(query, (queries, 1, width)), all_keys, name="pairs")
        pairs = tf.tanh(pairs, name="tanh")
        kernel = tf.ones((width, 1)) * tf.reshape(self.tensor("sum"), (-1, 1))
        scores = tf.matmul(tf.reshape(pairs, (-1, width)), kernel, name="scores")
        return tf.reshape(scores, (1, queries, keys))


def _repeated(row: Array, count: int) -> Array:
    """A row (1, width) so many times, (count, width), in concatenations that TFLM takes.

    Vela adds two tensors that are both broadcast by adding each to zeros in flash, of full size.
    """
    if count <= TFLM_INPUTS:
        return tf.concat([row] * count, 0)
    tens = _repeated(tf.concat([row] * TFLM_INPUTS, 0), count // TFLM_INPUTS)
    return tf.concat([tens, *[row] * (count % TFLM_INPUTS)], 0)


def _scored(layer: Any) -> Values:
    """`scale` of queries and keys; `sum`, what tanh of their sum is multiplied by: () or (width,).

    An AdditiveAttention calls `scale` what is `sum` here.
    """
    scale = {} if layer.scale is None else {"scale": weight(layer.scale)}
    if isinstance(layer, keras.layers.AdditiveAttention):
        return {"sum": scale.get("scale", tf.ones(()))}
    if layer.score_mode == "concat":
        return {**scale, "sum": weight(layer.concat_score_weight)}
    return scale


_FORMS: dict[type, type[OfTrained]] = {
    keras.layers.AdditiveAttention: Scored,
    keras.layers.Attention: Scored,
    keras.layers.GroupQueryAttention: Heads,
    keras.layers.MultiHeadAttention: Heads,
}


def is_attention(layer: Any) -> bool:
    """Whether a layer is one of Keras's attention layers, and no subclass of one."""
    return type(layer) in _FORMS


def attention(layer: Any, name: str) -> DeployLayer:
    """The deploy-time form of a built attention layer, which is called as the layer is."""
    form = _FORMS[type(layer)](layer, name=name)

    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = _arguments(layer, args, kwargs)
        tensors = {key: arguments[key] for key in _TO_BE_GIVEN if arguments.get(key) is not None}
        if "value" in tensors:
            tensors.setdefault("key", tensors["value"])
        outputs = form(**tensors)
        return outputs if arguments.get("return_attention_scores") else outputs[0]

    return call


def problem(layer: Any, nodes: Sequence[Any]) -> str:
    """Why an attention layer cannot be deployed and what to change, or nothing.

    Args:
        layer: the layer.
        nodes: of the model's graph, the calls of it.
    """
    if getattr(layer, "_sliding_window", getattr(layer, "sliding_window", None)):
        return _masked("sliding_window")
    for node in nodes:
        arguments = _arguments(layer, node.arguments.args, node.arguments.kwargs)
        for name, value in arguments.items():
            if name in (*_TO_BE_GIVEN, *_LEFT_OUT):
                continue
            if any(each is not None and each is not False for each in keras.tree.flatten(value)):
                return _masked(name)
        for tensor in node.input_tensors:
            if len(tensor.shape) != 3:
                return (
                    f"attends over {tuple(tensor.shape)[1:-1]} of {tuple(tensor.shape)}, more than "
                    "one axis; reshape it to (batch, time, features)"
                )
    return ""


def _masked(argument: str) -> str:
    return (
        f"{argument} sets scores to minus infinity, and a range that holds it leaves int8 no "
        "levels for the others; train without, on the steps that may be seen"
    )


def _arguments(layer: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """What a layer is called with, by the names of its parameters."""
    return dict(inspect.signature(layer.call).bind(*args, **kwargs).arguments)
