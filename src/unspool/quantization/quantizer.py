"""Ranges -> int8 .tflite, through litert-quantizer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litert_quantizer import qtyping, recipe_manager
from litert_quantizer.model_modifier import ModelModifier
from litert_quantizer.params_generator import ParamsGenerator

from unspool.errors import UnspoolError
from unspool.quantization import curves, kernels, rounding, scales, stand_ins
from unspool.quantization.moments import Moments
from unspool.quantization.ranges import Range
from unspool.quantization.rescaling import rescale
from unspool.support.collecting import uncollected
from unspool.support.quiet import quiet
from unspool.tflite import flatbuffer, marks
from unspool.tflite.gaps import Irregular
from unspool.tflite.leaving_out import leave_out, put_back

ACTIVATIONS = {"int8": 8, "int16": 16}
"""Types of the activations, by name, with their bits; weights are int8 in both."""

_Operation = qtyping.TFLOperationName
_GRANULARITIES = (
    (_Operation.ALL_SUPPORTED, qtyping.QuantGranularity.TENSORWISE),
    (_Operation.CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
    (_Operation.DEPTHWISE_CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
)
_NOT_LISTED = {"int8": (), "int16": (_Operation.SLICE, _Operation.MAX_POOL_2D, _Operation.PACK)}
"""Operators that every runtime has in this type, but litert-quantizer's own list leaves out."""


_NO_MOMENTS: Moments = {}


@uncollected()
def quantize(
    float_tflite: bytes,
    ranges: Mapping[str, Range],
    activations: str = "int8",
    moments: Moments = _NO_MOMENTS,
) -> bytes:
    """Quantize weights to int8, and activations, inputs and outputs included, to int8 or int16.

    Dense and recurrent kernels get one scale per tensor: with one scale per channel the weights
    spread over more int8 values, and Vela's compressed weight stream grows by a tenth at the same
    accuracy (docs/decisions.md). Convolutions keep one scale per output channel; so does a last
    layer whose channels differ in size by more than 16.

    Args:
        float_tflite: as `convert` returns it.
        ranges: a range for every activation tensor, as in `Calibration.ranges`.
        activations: "int8", or "int16" for twice the memory and less error.
        moments: `Calibration.moments`: weights are rounded so that what each layer computes on the
            calibration data changes least; without them each is rounded to the nearest level.

    Returns:
        the bytes of a quantized .tflite file that LiteRT and TFLM read.

    Raises:
        UnspoolError: an operator cannot be quantized; the message names it, or the type is unknown.

    Example:
        >>> int8_tflite = unspool.quantize(float_tflite, calibration.ranges)
        >>> unspool.Session(int8_tflite).inputs[0].dtype
        dtype('int8')
    """
    if activations not in ACTIVATIONS:
        raise UnspoolError(f"activations {activations!r}: expected {' or '.join(ACTIVATIONS)}")
    source = flatbuffer.read(float_tflite)
    try:
        model = _quantized(source, ranges, activations, marks.read(source).layers, moments)
    except Irregular:
        model = _quantized(flatbuffer.read(float_tflite), ranges, activations, (), moments)
    operators = [op for op in flatbuffer.float_operators(model) if op[0] != "DEQUANTIZE"]
    if operators:
        kinds = ", ".join(sorted({kind for kind, _ in operators}))
        raise UnspoolError(
            f"operators have no {activations} form and would run in float on the CPU: {kinds}, "
            f"the first at {flatbuffer.first_name(operators[0][1])!r}; replace the layer that this "
            "tensor is named after",
            reason=f"{kinds} has no {activations} form",
        )
    _undo_requantized_outputs(model)
    return flatbuffer.write(model)


def _quantized(
    source: flatbuffer.Model,
    ranges: Mapping[str, Range],
    activations: str,
    layers: Sequence[str],
    moments: Moments,
) -> flatbuffer.Model:
    """What litert-quantizer makes of a float model, a few steps of whose layers it sees.

    Args:
        source: is changed.
        ranges: as `quantize` takes them.
        activations: as `quantize` takes it.
        layers: those of which it sees a few steps, where they are alike.
        moments: as `quantize` takes them.

    Raises:
        Irregular: it does not treat all steps alike.
    """
    folded = curves.fold(source, activations)
    statistics = scales.statistics(source, ranges, activations)
    recipe = _recipe(activations, kernels.unlike_heads(source))
    rounding.round_kernels(source, statistics, moments)
    replaced = stand_ins.put_in(source, activations)
    omissions = leave_out(source, layers)
    with quiet():  # a progress bar that its own switch does not turn off
        parameters = ParamsGenerator(source).generate_quantization_parameters(
            recipe, statistics, enable_progress_bar=False
        )
        model = _Modifier(source).modified(parameters)
    rescale(model, put_back(model, omissions), statistics, ACTIVATIONS[activations])
    if replaced:
        stand_ins.put_back(model, replaced)
    if folded:
        curves.unfold(model, folded)
    return model


class _Modifier(ModelModifier):  # type: ignore[misc]
    """litert-quantizer's, that hands over the model in place of a file of it.

    To write and parse a file in Python would be two fifths of quantizing (docs/decisions.md).
    """

    def modified(self, parameters: Any) -> flatbuffer.Model:
        self._model_of_file: flatbuffer.Model = None
        content = self.modify_model(parameters)
        if self._model_of_file is None:
            return flatbuffer.read(bytes(content))
        vars(self._model_of_file).pop("_id_for_buffer_data", None)  # its own, of no file
        return flatbuffer.as_parsed(self._model_of_file)

    def _serialize_small_model(self, quantized_model: flatbuffer.Model) -> bytearray:
        self._model_of_file = quantized_model
        return bytearray()

    def _serialize_model(self, quantized_model: flatbuffer.Model, *_: Any, **__: Any) -> bytearray:
        return self._serialize_small_model(quantized_model)


def _undo_requantized_outputs(model: Any) -> None:
    """Make each output the tensor with its own scale, not a copy with another operator's scale.

    Where a Concatenate reads a tensor that is also an output, such as a state, litert-quantizer
    requantizes the tensor for it and makes the copy the output: a state would then come out with
    another scale than it goes in with.
    """
    graph = model.subgraphs[0]
    before = {
        int(op.outputs[0]): int(op.inputs[0])
        for op in graph.operators
        if flatbuffer.operator_kind(model, op) == "QUANTIZE"
        and graph.tensors[op.outputs[0]].type == graph.tensors[op.inputs[0]].type
        and graph.tensors[op.outputs[0]].name == graph.tensors[op.inputs[0]].name + b"_quantized"
    }
    graph.outputs = [before.get(int(index), int(index)) for index in graph.outputs]
    for signature in model.signatureDefs or []:
        for output in signature.outputs or []:
            output.tensorIndex = before.get(output.tensorIndex, output.tensorIndex)


def _recipe(activations: str, by_channel: Iterable[str]) -> recipe_manager.RecipeManager:
    """litert-quantizer's recipe: static, all operators, one scale per tensor or per channel."""
    manager = recipe_manager.RecipeManager()
    for operation, granularity in _GRANULARITIES:
        manager.add_static_config(
            regex=".*",
            operation_name=operation,
            activation_num_bits=ACTIVATIONS[activations],
            weight_num_bits=8,
            weight_granularity=granularity,
        )
    for name in by_channel:
        manager.add_static_config(
            regex=f"^{re.escape(name)};?$",
            operation_name=_Operation.FULLY_CONNECTED,
            activation_num_bits=ACTIVATIONS[activations],
            weight_num_bits=8,
            weight_granularity=qtyping.QuantGranularity.CHANNELWISE,
        )
    recipe: list[dict[str, Any]] = manager.get_quantization_recipe()
    general = recipe[0]
    for operation in _NOT_LISTED[activations]:
        config = {**general["op_config"], "skip_checks": True}
        recipe.append({**general, "operation": operation.value, "op_config": config})
    manager.load_quantization_recipe(recipe)
    return manager
