"""Operators that litert-quantizer does not list, under the names of others while it works.

What stands in has the same operands and asks for the same of their scales, so that only the name
has to be changed back.
"""

from collections.abc import Mapping

from ai_edge_litert import schema_py_generated as schema

from unspool.tflite import flatbuffer

_STAND_INS = {
    "int8": {"MINIMUM": "MAXIMUM", "ELU": "GELU"},
    "int16": {"MINIMUM": "MAXIMUM"},
}
"""Type -> operator that TFLM has in this type -> what stands in for it."""

Replaced = Mapping[bytes, str]
"""Output tensor -> the operator that writes it, before."""


def put_in(model: flatbuffer.Model, activations: str) -> Replaced:
    """Rename operators of a float model; returns which they were."""
    known = _STAND_INS[activations]
    replaced: dict[bytes, str] = {}
    graph = model.subgraphs[0]
    for op in graph.operators:
        kind = flatbuffer.operator_kind(model, op)
        if kind in known:
            replaced[graph.tensors[op.outputs[0]].name] = kind
            op.opcodeIndex = flatbuffer.code(model, known[kind])
            if kind == "ELU":
                op.builtinOptionsType = schema.BuiltinOptions.GeluOptions
                op.builtinOptions = schema.GeluOptionsT()
    return replaced


def put_back(model: flatbuffer.Model, replaced: Replaced) -> None:
    """Give the operators of a quantized model their own names again."""
    graph = model.subgraphs[0]
    for op in graph.operators:
        kind = replaced.get(graph.tensors[op.outputs[0]].name)
        if kind and flatbuffer.operator_kind(model, op) in _STAND_INS["int8"].values():
            op.opcodeIndex = flatbuffer.code(model, kind)
            if kind == "ELU":
                op.builtinOptionsType, op.builtinOptions = schema.BuiltinOptions.NONE, None
    flatbuffer.drop_unused_codes(model)
