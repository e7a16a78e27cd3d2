"""Gemm, MatMul, Embedding."""

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, of_channels, one, turned, w

FORMS = {
    "gemm": one("Gemm", w(5, 4), shape=(1, 5)),
    "gemm transB": one("Gemm", w(4, 5), w(4), shape=(1, 5), transB=1),
    "gemm alpha beta": one("Gemm", w(5, 4), w(4), shape=(1, 5), alpha=0.5, beta=2.0),
    "gemm beta zero": one("Gemm", w(5, 4), w(4), shape=(1, 5), beta=0.0),
    "gemm scalar": one("Gemm", w(5, 4), np.float32(0.7), shape=(1, 5)),
    "gemm one by one": one("Gemm", w(5, 4), w(1, 1), shape=(1, 5)),
    "gemm row": one("Gemm", w(5, 4), w(1, 4), shape=(1, 5), opset=7),
    "gemm of one": one("Gemm", w(1, 4), w(4), shape=(1, 1)),
    "gemm to one": one("Gemm", w(5, 1), w(1), shape=(1, 5)),
    "gemm behind a squeeze": behind_gru(
        node("Squeeze", "g", "s"), node("Gemm", "s w b", "t"), node("Unsqueeze", "t a", "y"),
        w=w(4, 3), b=w(3), a=np.array([0]),
    ),
    "gemm matrix": behind_gru(
        node("Squeeze", "g", "s"), node("Gemm", "s w b", "t"), node("Unsqueeze", "t a", "y"),
        w=w(4, 3), b=w(5, 3), a=np.array([0]),
    ),
    "gemm column": behind_gru(
        node("Squeeze", "g", "s"), node("Gemm", "s w b", "t"), node("Unsqueeze", "t a", "y"),
        w=w(4, 3), b=w(5, 1), a=np.array([0]),
    ),
    "gemm transA": behind_gru(
        node("Squeeze", "g", "s"), node("Gemm", "s w b", "t", transA=1),
        node("Unsqueeze", "t a", "y"),
        w=w(5, 3), b=w(3), a=np.array([0]),
    ),
    "matmul": one("MatMul", w(5, 4)),
    "matmul of rank 2": one("MatMul", w(5, 4), shape=(1, 5)),
    "matmul of rank 4": one("MatMul", w(5, 4), shape=(1, 2, 3, 5)),
    "matmul by a deep one": one("MatMul", w(1, 5, 4), shape=(1, 5)),
    "matmul by a deeper one": one("MatMul", w(1, 1, 5, 4)),
    "matmul turned": turned([0, 2, 1], "MatMul", w(3, 4)),
    "matmul of one": one("MatMul", w(1, 4), shape=(1, 3, 1)),
    "matmul to one": one("MatMul", w(5, 1)),
    "matmul left": Form([node("MatMul", "w x", "y")], (1, 3, 5), {"w": w(4, 3)}),
    "matmul left deep": Form([node("MatMul", "w x", "y")], (1, 3, 5), {"w": w(1, 1, 4, 3)}),
    "matmul left of one": Form([node("MatMul", "w x", "y")], (1, 1, 5), {"w": w(4, 1)}),
    "matmul left behind": behind_gru(node("MatMul", "w g", "y"), w=w(3, 1)),
    "matmul and add": Form(
        [node("MatMul", "x w", "m"), node("Add", "b m", "y")], (1, 3, 5), {"w": w(5, 4), "b": w(4)}
    ),
    "matmul and a deep add": Form(
        [node("MatMul", "x w", "m"), node("Add", "m b", "t"),
         node("Transpose", "t", "y", perm=[0, 1, 3, 2])],
        (1, 5), {"w": w(5, 4), "b": w(1, 1, 1, 4)},
    ),
    "matmul and a scalar": Form(
        [node("MatMul", "x w", "m"), node("Add", "m b", "y")], (1, 3, 5), {"w": w(5, 1), "b": w(1)}
    ),
    "matmul and a wide add": Form(
        [node("MatMul", "x w", "m"), node("Add", "m b", "y")], (1, 3, 5), {"w": w(5, 1), "b": w(4)}
    ),
    "matmul of two": Form(
        [node("MatMul", "x z", "y")], (1, 3, 5), more={"z": (1, 5, 2)}
    ),
    "matmul of two, ranks": Form(
        [node("MatMul", "x z", "y")], (1, 2, 3, 5), more={"z": (1, 5, 2)}
    ),
    "matmul of two, turned": of_channels(
        node("Transpose", "c", "t", perm=[0, 2, 1]), node("MatMul", "c t", "y")
    ),
    "attention": of_channels(
        node("Transpose", "c", "t", perm=[0, 2, 1]), node("MatMul", "t c", "m"),
        node("Softmax", "m", "p", axis=-1), node("MatMul", "p t", "y"),
    ),
    "matmul of two with ones": Form(
        [node("MatMul", "x z", "y")], (1, 1, 5), more={"z": (1, 5, 1)}
    ),
    "matmul by several": one("MatMul", w(3, 5, 4), shape=(1, 3, 2, 5)),
    "matmul by several, to more": one("MatMul", w(3, 5, 4), shape=(1, 1, 2, 5)),
    "matmul by several on the left": Form(
        [node("MatMul", "w x", "y")], (1, 3, 5, 2), {"w": w(3, 4, 5)}
    ),
    "matmul by several of several": one("MatMul", w(2, 1, 5, 4), shape=(1, 2, 3, 2, 5)),
    "einsum of groups": one("Einsum", w(2, 5, 4), shape=(1, 3, 2, 5), equation="btgi,gih->btgh"),
    "einsum of groups, turned": one(
        "Einsum", w(4, 2, 5), shape=(1, 5, 3, 2), equation="b i t g, h g i -> b h t g"
    ),
    "einsum by a matrix": one("Einsum", w(5, 4), equation="bti,ih->bth"),
    "einsum of two axes": one("Einsum", w(3, 5, 4), equation="bti,tih->bh"),
    "einsum of a constant first": Form(
        [node("Einsum", "w x", "y", equation="hi,bti->bth")], (1, 3, 5), {"w": w(4, 5)}
    ),
    "einsum of grouped layers": Form(
        [node("Reshape", "x apart", "a"), node("Einsum", "a w", "e", equation="btgi,gih->btgh"),
         node("Reshape", "e joined", "y")],
        (1, 3, 10),
        {"w": w(2, 5, 4), "apart": np.array([1, 3, 2, 5]), "joined": np.array([0, 0, -1])},
    ),
    "embedding": Form(
        [node("Gather", "t x", "y")], (1, 6), {"t": w(4, 3)}, dtype="int64"
    ),
    "embedding of one id": Form(
        [node("Gather", "t x", "y")], (1,), {"t": w(4, 3)}, dtype="int64"
    ),
    "embedding of steps": Form(
        [node("Gather", "t x", "y")], (6, 1), {"t": w(4, 3)}, dtype="int32", batch=1
    ),
    "embedding of one column": Form(
        [node("Gather", "t x", "y")], (1, 6), {"t": w(4, 1)}, dtype="int64"
    ),
    "embedding of sums": Form(
        [node("Add", "x one", "i"), node("Gather", "t i", "y")],
        (1, 6), {"t": w(5, 3), "one": np.array(1)}, dtype="int64",
    ),
    "embedding by a cast": Form(
        [node("Cast", "x", "i", to=7), node("Gather", "t i", "y")], (1, 6), {"t": w(5, 3)},
        dtype="int32",
    ),
}  # fmt: skip
