"""The deploy graph of a model with every tensor rounded as its int8 file rounds it, in float.

The graph is traced as for the conversion, and copied operator by operator. Where the int8 file has
a tensor, a rounding follows the operator that computes it, with that tensor's own scale and zero
point: what is tied in the file is tied here. Kernels are rounded to the scales that
`quantization.kernels` gives them. Gradients pass through a rounding unchanged, but not through
values that it clips (Jacob et al. 2018). So the model is trained with the errors of its int8 form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unspool import stages
from unspool.compression import roundings
from unspool.compression.copying import copied
from unspool.errors import UnspoolError
from unspool.stages import Way
from unspool.support._tensorflow import keras, tf
from unspool.support.samples import Samples
from unspool.tflite import flatbuffer
from unspool.tflite.masks import Mask, computed
from unspool.unrolling import leading


class FakeQuantized:
    """A trained model's deploy graph with roundings, over batches, on the trained model's weights.

    Called as the trained model is, inside a `tf.function`; returns its outputs, (samples, ...).
    In a `keras.StatelessScope` it uses that scope's weights.
    """

    def __init__(self, model: Any, calibration: Samples, way: Way | None = None) -> None:
        """Calibrate the trained model as it is now, and use the scales of its int8 file.

        Args:
            model: the trained model.
            calibration: samples to choose ranges with, as `calibrate` takes them.
            way: how it is unrolled and its ranges are chosen; None for whole sequences.

        Raises:
            UnspoolError: as `unroll`, `calibrate` and `quantize`; or an operator of the int8 file
                cannot be found in the graph.
        """
        self._names = [tensor.name for tensor in model.inputs]
        self._structure = getattr(model, "_outputs_struct", model.outputs[0])
        way = way or stages.sequences(allow_cpu=True)
        calibrated, int8_tflite = stages.quantized(model, calibration, way)
        interface = calibrated.deploy_model.interface
        self._masks = tuple(computed(interface.marks.masks).values())
        self._deploy_model, self._scalings = leading.stripped(
            calibrated.deploy_model, interface.inputs
        )
        self._traced = _traced(self._deploy_model)
        self._kernels = roundings.kernels(self._traced)
        self._rounded = roundings.rounded(self._traced, flatbuffer.read(int8_tflite))
        # A function, as a GradientTape sees none of the operators that are copied.
        self._batch = tf.function(self._batch_of_samples)

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Check that samples have the length that is unrolled.

        Raises:
            UnspoolError: they have another.
        """
        own = self._deploy_model.inputs[: len(self._names)]
        inputs = zip(own, self._names, arrays, strict=True)
        for tensor, name, array in inputs:
            if tuple(tensor.shape[1:]) != array.shape[1:]:
                raise UnspoolError(
                    f"training data: samples for input {name!r} have the shape "
                    f"{array.shape[1:]}, but {tuple(tensor.shape[1:])} is unrolled; fine-tuning "
                    "for int8 takes samples of that length"
                )

    def __call__(self, inputs: Any) -> Any:
        """Outputs of a batch, in the structure of the model's."""
        tensors = keras.tree.flatten(inputs)
        if isinstance(inputs, Mapping):
            tensors = [inputs[name] for name in self._names]
        dtypes = [tensor.dtype for tensor in self._deploy_model.inputs[: len(tensors)]]
        tensors = [tf.cast(tensor, dtype) for tensor, dtype in zip(tensors, dtypes, strict=True)]
        sources = [self._names.index(mask.source) for mask in self._masks]
        masks = [
            _mask(mask, tensors[position])
            for mask, position in zip(self._masks, sources, strict=True)
        ]
        for mask, position, valid in zip(self._masks, sources, masks, strict=True):
            if mask.is_cleared:
                tensors[position] *= valid[..., None]
        for position, scaling in self._scalings.items():
            tensors[position] = (tensors[position] - scaling.shift) * scaling.factor
        weights = self._weights()
        outputs = [output[:, 0] for output in self._batch(weights, [*tensors, *masks])]
        return keras.tree.pack_sequence_as(self._structure, outputs)

    def _weights(self) -> list[Any]:
        """Weights of the deploy graph, in its variables' order, made from the trained model's."""
        trained: dict[int, Any] = {}
        for layer in self._deploy_model._flatten_layers():
            if hasattr(layer, "trained_values"):
                values = zip(layer.weights, layer.trained_values(), strict=True)
                trained |= {id(variable): value for variable, value in values}
        weights = [
            trained[id(v)] if id(v) in trained else tf.convert_to_tensor(v)
            for v in self._deploy_model.variables
        ]
        return [
            roundings.rounded_kernel(weight, self._kernels[number])
            if number in self._kernels
            else weight
            for number, weight in enumerate(weights)
        ]

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def _batch_of_samples(self, weights: list[Any], inputs: list[Any]) -> list[Any]:
        """One sample at a time, as the deploy graph is, vectorized over the batch."""
        outputs: list[Any] = tf.vectorized_map(
            lambda sample: self._sample(weights, [part[None] for part in sample]), inputs
        )
        return outputs

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def _sample(self, weights: list[Any], inputs: list[Any]) -> list[Any]:
        """The traced graph on one sample, copied with its roundings."""
        fed = zip(self._traced.inputs, [*weights, *inputs], strict=True)
        values = {placeholder.name: tensor for placeholder, tensor in fed}
        for op in self._traced.graph.get_operations():
            if op.type == "Placeholder":
                results = [values[op.outputs[0].name]]
            else:
                read = [values[tensor.name] for tensor in op.inputs]
                results = copied(op, read, self._rounded.within)
            if op.name in self._rounded.results:
                results = [self._rounded.results[op.name](result) for result in results]
            values |= {
                tensor.name: result for tensor, result in zip(op.outputs, results, strict=True)
            }
        return [values[tensor.name] for tensor in self._traced.outputs]


def _mask(mask: Mask, values: Any) -> Any:
    """`Mask.of`, in TensorFlow."""
    differs = tf.not_equal(values, tf.cast(mask.value, values.dtype))
    steps = tf.reduce_any(differs, axis=-1) if len(values.shape) > 2 else differs
    return tf.cast(steps, tf.float32)


def _traced(deploy_model: Any) -> Any:
    """The deploy model's graph, (weights, inputs) -> outputs."""
    variables = deploy_model.variables
    weights = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
    inputs = [tf.TensorSpec(t.shape, t.dtype) for t in deploy_model.inputs]

    @tf.function(input_signature=[weights, inputs])  # type: ignore[untyped-decorator]
    def run(weights: list[Any], inputs: list[Any]) -> list[Any]:
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            outputs = deploy_model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return [tf.identity(output) for output in tf.nest.flatten(outputs)]

    return run.get_concrete_function()
