"""Graphs that have no form, and the line that says so, behind the node's name."""

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, floats, one, plus, w
from onnx_forms.shapes import ints

_TRAINING = "was exported in training mode; call model.eval() before the export"

FORMS: dict[str, tuple[Form, str]] = {
    "Concat": (
        Form([node("Concat", "x c", "y", axis=1)], constants={"c": w(1, 20000, 5)}),
        "takes a constant for a sample: (1, 20000, 5) has 100,000 entries; expected at most 16,384",
    ),
    "Softmax of one": (
        one("Softmax", axis=1, shape=(1, 1, 5)),
        "goes over axis 1 of (1, 1, 5), of which it makes ones; expected more entries",
    ),
    "Softmax of two": (
        one("Softmax", opset=11),
        "goes over axes [1, 2] at once; expected one (opset 13 or later)",
    ),
    "Einsum of two": (
        Form([node("Einsum", "x z", "y", equation="bti,bih->bth")], more={"z": (1, 5, 2)}),
        "multiplies 2 tensors, 0 of them constant; expected one that is computed and one that is "
        "constant",
    ),
    "Einsum with a diagonal": (
        one("Einsum", w(5, 5), equation="bti,ii->bt"),
        "has the equation 'bti,ii->bt'; expected one such as 'btgi,gih->btgh', each letter once "
        "in a term",
    ),
    "Einsum with dots": (
        one("Einsum", w(5, 4), equation="...i,ih->...h"),
        "has the equation '...i,ih->...h'; expected one such as 'btgi,gih->btgh', each letter "
        "once in a term",
    ),
    "Einsum without a sum": (
        one("Einsum", w(4), equation="bti,h->btih"),
        "makes btih of bti and h; expected a sum over axes of both alone",
    ),
    "Einsum of other sizes": (
        one("Einsum", w(3, 5, 4), shape=(1, 2, 4), equation="bti,tih->bth"),
        "multiplies (1, 2, 4) by (3, 5, 4) as bti,tih: a misfit",
    ),
    "Einsum of many": (
        one("Einsum", w(5000, 2, 2), shape=(1, 5000, 2), equation="bgi,gih->bgh"),
        "has 5000 kernels of 4 entries, of which one kernel would have 100,000,000; expected at "
        "most 16,777,216",
    ),
    "MatMul by a vector": (one("MatMul", w(5)), "multiplies by a vector; expected a matrix"),
    "MatMul of a vector": (
        Form([node("MatMul", "c x", "y")], constants={"c": w(3)}),
        "multiplies by a vector; expected a matrix",
    ),
    "MatMul of other sizes": (
        one("MatMul", w(4, 2)), "multiplies axis 2 of (1, 3, 5) by a matrix of 4 rows"
    ),
    "MatMul of a vector that is computed": (
        Form([node("MatMul", "x z", "y")], (1, 3, 5), more={"z": (5,)}),
        "multiplies by a vector; expected a matrix",
    ),
    "Cast": (one("Cast", to=9), "leads to type 9; expected floats, int32 or int64"),
    "Div": (
        one("Div", np.array(2), dtype="int64"),
        "divides whole numbers, which has no form on the NPU; divide floats",
    ),
    "Selu": (one("Selu", alpha=1.5), "has alpha=1.5; expected 1.67326, as Keras's selu"),
    "Gather": (
        one("Gather", np.array(3), axis=1), "takes what is not there of axis 1 of (1, 3, 5)"
    ),
    "Gather of many": (
        one("Gather", np.arange(300)[::-1].copy(), axis=1, shape=(1, 300)),
        "takes 300 entries one by one; expected a Slice",
    ),
    "Slice": (
        one("Slice", ints(3), ints(3), ints(2)),
        "takes no entry of axis 2 of (1, 3, 5); expected some",
    ),
    "Split": (
        Form([node("Split", "x c", "y z", axis=2)], constants={"c": ints(2, 2)}),
        "splits 5 entries into [2, 2]; expected 2 parts of them",
    ),
    "Pad": (
        one("Pad", ints(0, 0, 1, 0, 0, 1), mode="wrap", opset=19),
        "pads with mode='wrap'; expected 'constant', 'edge' or 'reflect'",
    ),
    "Reshape": (one("Reshape", ints(1, 4, 4)), "(1, 3, 5) does not go into (1, 4, 4)"),
    "Dropout": (one("Dropout", np.float32(0.5), np.array(True)), _TRAINING),
    "BatchNormalization": (
        one("BatchNormalization", plus(3), w(3), w(3), plus(3), training_mode=1), _TRAINING
    ),
    "BatchNormalization of other sizes": (
        one("BatchNormalization", plus(4), w(4), w(4), plus(4)),
        "has weights of (4,) for axis 1 of (1, 3, 5)",
    ),
    "LayerNormalization of two axes": (
        one("LayerNormalization", plus(3, 5), axis=1),
        "goes over axes [1, 2]; expected the last one of more than one entry",
    ),
    "LayerNormalization by steps": (
        one("LayerNormalization", plus(5, 1), shape=(1, 5, 5)),
        "has weights of (5, 1) for axis 2 of (1, 5, 5); expected a row",
    ),
    "GroupNormalization": (
        one("GroupNormalization", plus(3), w(3), num_groups=2, opset=21),
        "has 2 groups of 3 channels; expected equal ones",
    ),
    "PRelu": (one("PRelu", w(4)), "has slopes of (4,) for (1, 3, 5)"),
    "Conv": (
        one("Conv", w(2, 4, 3)), "slides a kernel of (2, 4, 3) over (1, 3, 5), which misfit"
    ),
    "Conv 3d": (
        one("Conv", w(2, 3, 1, 1, 1), shape=(1, 3, 4, 4, 4)),
        "slides over 3 axes; expected one or two",
    ),
    "ConvTranspose to a shape": (
        one("ConvTranspose", w(3, 1, 3), output_shape=[7]),
        "has the attribute output_shape, which has no form yet; expected pads",
    ),
    "ConvTranspose that fits itself": (
        one("ConvTranspose", w(3, 1, 3), auto_pad="SAME_UPPER"),
        "has auto_pad='SAME_UPPER'; expected pads",
    ),
    "ConvTranspose with more": (
        one("ConvTranspose", w(3, 1, 3), output_padding=[1], strides=[2]),
        "adds output_padding=[1] to what it makes; expected less",
    ),
    "AveragePool": (
        one("AveragePool", kernel_shape=[2], strides=[2], ceil_mode=1),
        "averages what is left over at the end (ceil_mode=1); expected 0",
    ),
    "Reshape to many axes": (
        one("Reshape", ints(*[1] * 98, 3, 5)), "makes 100 axes; expected at most 64"
    ),
    "Resize": (
        one("Resize", None, floats(1, 1, 2), mode="linear"),
        "resizes with mode='linear'; expected 'nearest'",
    ),
    "Resize by a part": (
        one("Resize", None, floats(1, 1, 0.6), mode="nearest"),
        "resizes (1, 3, 5) by 1, 1, 0.6; expected whole factors, 1 for batch and channels",
    ),
    "Resize of channels": (
        one("Resize", None, floats(1, 2, 2), mode="nearest"),
        "resizes (1, 3, 5) by 1, 2, 2; expected whole factors, 1 for batch and channels",
    ),
    "Resize from corner to corner": (
        one("Resize", None, floats(1, 1, 2), mode="nearest",
            coordinate_transformation_mode="align_corners"),
        "takes entries by 'align_corners' and 'round_prefer_floor'; expected such as repeat each "
        "entry: 'asymmetric' and 'floor'",
    ),
    "MaxPool with dilations": (
        one("MaxPool", kernel_shape=[2], dilations=[2]),
        "has dilations, which have no form on the NPU",
    ),
    "AveragePool with dilations": (
        one("AveragePool", kernel_shape=[2], dilations=[2], opset=19),
        "has dilations, which have no form on the NPU",
    ),
    "ConvTranspose with dilations": (
        one("ConvTranspose", w(3, 1, 3), dilations=[2]),
        "has dilations, which have no form on the NPU",
    ),
    "Swish of another slope": (
        one("Swish", alpha=0.5, opset=24), "has alpha=0.5; expected 1"
    ),
    "AveragePool on one side": (
        one("AveragePool", kernel_shape=[3], pads=[2, 0]),
        "pads axis 2 of 5 entries by (2, 0), which has no form yet; expected none, or as many as "
        "keep the length",
    ),
}  # fmt: skip
