"""ATen's operators, as torch.export writes them, by ONNX's.

https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/torch.compiler_ir.html
"""

from functools import partial

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import check_entries
from unspool.frontend.torch import aten_layers
from unspool.frontend.torch.aten_layers import Translate
from unspool.frontend.torch.program import WHOLE, Call, Ref
from unspool.frontend.torch.recurrent import cell, recurrent
from unspool.frontend.torch.translation import Translation


def _as(op: str, **attributes: str) -> Translate:
    """One operand, and attributes by ONNX's names from arguments by ATen's."""

    def translate(call: Call, to: Translation) -> None:
        values = {name: call[own] for name, own in attributes.items() if own in call.arguments}
        to.add(op, [_operand(call, to, "self", "input")], call.outputs[0], **values)

    return translate


def _operand(call: Call, to: Translation, *names: str) -> str:
    """A tensor's name, or that of a constant that a number is kept as."""
    value = next(call[name] for name in names if name in call.arguments)
    return value.name if isinstance(value, Ref) else to.constant(np.float32(value))


def _of_two(op: str) -> Translate:
    def translate(call: Call, to: Translation) -> None:
        left, right = _operand(call, to, "self"), _operand(call, to, "other", "exponent")
        if call.get("alpha", 1) != 1:
            right = to.add("Mul", [right, to.constant(np.float32(call["alpha"]))])
        to.add(op, [left, right], call.outputs[0])

    return translate


def _reversed(call: Call, to: Translation) -> None:
    subtrahend = _operand(call, to, "self")
    if call.get("alpha", 1) != 1:
        subtrahend = to.add("Mul", [subtrahend, to.constant(np.float32(call["alpha"]))])
    to.add("Sub", [_operand(call, to, "other"), subtrahend], call.outputs[0])


def _same(call: Call, to: Translation) -> None:
    if call.target.endswith("dropout") and call.get("train", False):
        raise UnspoolError("was exported in training mode; call model.eval() before the export")
    to.add("Identity", [_operand(call, to, "self", "input")], call.outputs[0])


def _to_type(call: Call, to: Translation) -> None:
    """A tensor of another type: floats stay as they are, whole numbers are cut off."""
    if call.get("dtype") in WHOLE:
        to.add("Cast", [call["self"].name], call.outputs[0], to=_INT64)
    else:
        _same(call, to)


_INT64 = 7  # ONNX's number


def _constant(call: Call, to: Translation) -> None:
    name = call.target.removeprefix("new_").removesuffix("_like")
    fill = {"zeros": 0.0, "ones": 1.0}.get(name, call.get("fill_value", 0.0))
    shape = to.shapes[call["self"].name] if call.target.endswith("_like") else call["size"]
    check_entries("of constants", shape)
    to.constants[call.outputs[0]] = np.full(shape, fill, np.float32)


def _reduction(op: str) -> Translate:
    def translate(call: Call, to: Translation) -> None:
        axes = call.get("dim")
        listed = [] if axes is None else [axes] if isinstance(axes, int) else list(axes)
        names = [call["self"].name]
        if listed:
            names.append(to.constant(np.array(listed, np.int64)))
        to.add(op, names, call.outputs[0], keepdims=int(call.get("keepdim", False)))

    return translate


def _matmul(call: Call, to: Translation) -> None:
    other = _operand(call, to, "other", "mat2", "vec")
    to.add("MatMul", [call["self"].name, other], call.outputs[0])


def _addmm(call: Call, to: Translation) -> None:
    names = [call["mat1"].name, call["mat2"].name, call["self"].name]
    scales = {"alpha": call.get("alpha", 1), "beta": call.get("beta", 1)}
    to.add("Gemm", names, call.outputs[0], **scales)


TRANSLATIONS: dict[str, Translate] = {
    "abs": _as("Abs"),
    "adaptive_avg_pool1d": aten_layers.global_pool("GlobalAveragePool"),
    "adaptive_avg_pool2d": aten_layers.global_pool("GlobalAveragePool"),
    "adaptive_max_pool1d": aten_layers.global_pool("GlobalMaxPool"),
    "adaptive_max_pool2d": aten_layers.global_pool("GlobalMaxPool"),
    "add.Scalar": _of_two("Add"),
    "add.Tensor": _of_two("Add"),
    "addmm": _addmm,
    "alias": _same,
    "alpha_dropout": _same,
    "amax": _reduction("ReduceMax"),
    "amin": _reduction("ReduceMin"),
    "avg_pool1d": aten_layers.pool("AveragePool", 1),
    "avg_pool2d": aten_layers.pool("AveragePool", 2),
    "batch_norm": aten_layers.batch_norm,
    "bmm": _matmul,
    "celu": _as("Celu", alpha="alpha"),
    "clone": _same,
    "contiguous": _same,
    "conv1d": aten_layers.conv,
    "conv1d.padding": aten_layers.conv,
    "conv2d": aten_layers.conv,
    "conv2d.padding": aten_layers.conv,
    "conv_transpose1d": aten_layers.conv,
    "conv_transpose2d.input": aten_layers.conv,
    "cos": _as("Cos"),
    "detach": _same,
    "div.Scalar": _of_two("Div"),
    "div.Tensor": _of_two("Div"),
    "dropout": _same,
    "embedding": aten_layers.embedding,
    "exp": _as("Exp"),
    "feature_dropout": _same,
    "full": _constant,
    "full_like": _constant,
    "gelu": _as("Gelu", approximate="approximate"),
    "glu": aten_layers.glu,
    "group_norm": aten_layers.group_norm,
    "gru_cell": partial(cell, kind="GRU"),
    "gru.data": partial(recurrent, kind="GRU"),
    "gru.input": partial(recurrent, kind="GRU"),
    "hardswish": _as("HardSwish"),
    "instance_norm": aten_layers.instance_norm,
    "layer_norm": aten_layers.layer_norm,
    "leaky_relu": _as("LeakyRelu", alpha="negative_slope"),
    "lift_fresh_copy": _same,
    "linear": aten_layers.linear,
    "log": _as("Log"),
    "log_softmax.int": _as("LogSoftmax", axis="dim"),
    "lstm_cell": partial(cell, kind="LSTM"),
    "lstm.data": partial(recurrent, kind="LSTM"),
    "lstm.input": partial(recurrent, kind="LSTM"),
    "matmul": _matmul,
    "max.dim": aten_layers.extreme("ReduceMax"),
    "max_pool1d": aten_layers.pool("MaxPool", 1),
    "max_pool2d": aten_layers.pool("MaxPool", 2),
    "maximum": _of_two("Max"),
    "mean": _reduction("ReduceMean"),
    "mean.dim": _reduction("ReduceMean"),
    "min.dim": aten_layers.extreme("ReduceMin"),
    "minimum": _of_two("Min"),
    "mish": _as("Mish"),
    "mm": _matmul,
    "mul.Scalar": _of_two("Mul"),
    "mul.Tensor": _of_two("Mul"),
    "mv": _matmul,
    "neg": _as("Neg"),
    "new_full": _constant,
    "new_ones": _constant,
    "new_zeros": _constant,
    "ones": _constant,
    "ones_like": _constant,
    "pow.Tensor_Scalar": _of_two("Pow"),
    "prelu": aten_layers.prelu,
    "reciprocal": _as("Reciprocal"),
    "relu": _as("Relu"),
    "rnn_relu.data": partial(recurrent, kind="RNN", activation="Relu"),
    "rnn_relu.input": partial(recurrent, kind="RNN", activation="Relu"),
    "rnn_relu_cell": partial(cell, kind="RNN", activation="Relu"),
    "rnn_tanh_cell": partial(cell, kind="RNN", activation="Tanh"),
    "rnn_tanh.data": partial(recurrent, kind="RNN", activation="Tanh"),
    "rnn_tanh.input": partial(recurrent, kind="RNN", activation="Tanh"),
    "rsub.Scalar": _reversed,
    "rsub.Tensor": _reversed,
    "selu": _as("Selu"),
    "sigmoid": _as("Sigmoid"),
    "silu": _as("Swish"),
    "sin": _as("Sin"),
    "softmax.int": _as("Softmax", axis="dim"),
    "sqrt": _as("Sqrt"),
    "sub.Scalar": _of_two("Sub"),
    "sub.Tensor": _of_two("Sub"),
    "sum": _reduction("ReduceSum"),
    "sum.dim_IntList": _reduction("ReduceSum"),
    "tanh": _as("Tanh"),
    "to.dtype": _to_type,
    "upsample_nearest1d": aten_layers.nearest,
    "upsample_nearest1d.vec": aten_layers.nearest,
    "upsample_nearest2d": aten_layers.nearest,
    "upsample_nearest2d.vec": aten_layers.nearest,
    "vdot": _matmul,
    "zeros": _constant,
    "zeros_like": _constant,
}
"""Operators that compute something -> what writes a call of one."""
