"""What moves values about."""

from typing import Any

import numpy as np
from onnx_models import node

from onnx_forms.form import Form, behind_gru, of_channels, one, plus, turned, w


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def cut(starts: Any, stops: Any, axes: Any = None, steps: Any = None, **attributes: Any) -> Form:
    given = [None if v is None else ints(*v) for v in (starts, stops, axes, steps)]
    while given[-1] is None:
        given.pop()
    return one("Slice", *given, **attributes)


def split(outputs: int, sizes: Any = None, opset: int = 17, **attributes: Any) -> Form:
    names = [f"y{n}" for n in range(outputs)]
    shape = attributes.pop("shape", (1, 6, 5))
    reads, constants = "x", {}
    if sizes is not None:
        reads, constants = "x sizes", {"sizes": ints(*sizes)}
    return Form(
        [node("Split", reads, " ".join(names), **attributes)],
        shape,
        constants,
        opset,
        outputs=names,
    )


LAST = 2**63 - 1
FORMS = {
    "concat": Form([node("Concat", "x z", "y", axis=1)], more={"z": (1, 2, 5)}),
    "concat last": Form([node("Concat", "x z", "y", axis=-1)], more={"z": (1, 3, 1)}),
    "concat with itself": Form([node("Concat", "x x", "y", axis=2)]),
    "concat of one": one("Concat", axis=1),
    "concat ones": Form([node("Concat", "x z", "y", axis=1)], (1, 1, 5), more={"z": (1, 1, 5)}),
    "concat ones behind": Form(
        [node("Concat", "x z", "y", axis=2)], (1, 5, 1), more={"z": (1, 5, 1)}
    ),
    "concat all ones": Form([node("Concat", "x z", "y", axis=1)], (1, 1), more={"z": (1, 1)}),
    "concat turned": of_channels(
        node("Transpose", "steps", "b", perm=[1, 0, 2]), node("MatMul", "b w", "m"),
        node("Transpose", "m", "t", perm=[0, 2, 1]), node("Concat", "t c", "y", axis=1), w=w(4, 2),
    ),
    "concat states": behind_gru(
        node("Transpose", "g", "t", perm=[2, 1, 0, 3]), node("Concat", "t t", "y", axis=1)
    ),
    "split": split(3, axis=1, opset=11),
    "split 13": split(2, axis=-2, opset=13),
    "split 18": split(3, axis=1, num_outputs=3, opset=18),
    "split 18 uneven": split(3, axis=1, num_outputs=3, opset=18, shape=(1, 7, 2)),
    "split given": split(2, (4, 2), axis=1, opset=13),
    "split given 11": split(2, axis=1, split=[1, 5], opset=11),
    "split behind": of_channels(
        node("Split", "c", "a b", axis=1), node("Mul", "a b", "y"), opset=17
    ),
    "slice": cut([1], [3], [2]),
    "slice all axes": cut([0, 1, 1], [1, 3, 4]),
    "slice to the end": cut([2], [LAST], [2]),
    "slice negative": cut([-3], [-1], [-1]),
    "slice from before": cut([-100], [2], [2]),
    "slice beyond": cut([1], [100], [2]),
    "slice steps": cut([0], [LAST], [2], [2]),
    "slice backwards": cut([-1], [-LAST], [2], [-1]),
    "slice backwards all": cut([4], [-6], [2], [-1]),
    "slice backwards by two": cut([-1], [-LAST], [2], [-2]),
    "slice backwards a part": cut([3], [0], [2], [-1]),
    "slice backwards of one": cut([-1], [-LAST], [1], [-1], shape=(1, 1, 5)),
    "slice several": cut([1, -2], [3, LAST], [1, 2]),
    "slice 9": one("Slice", opset=9, axes=[1, 2], starts=[1, -2], ends=[3, LAST]),
    "slice last": cut([-1], [LAST], [1]),
    "slice turned": turned([0, 2, 1], "Slice", ints(1), ints(3), ints(2)),
    "slice last step": behind_gru(
        node("Slice", "g a b c", "y"), a=ints(-1), b=ints(LAST), c=ints(0)
    ),
    "slice steps back": behind_gru(
        node("Slice", "g a b c d", "y"), a=ints(-1), b=ints(-LAST), c=ints(0), d=ints(-1)
    ),
    "gather": one("Gather", np.array(1), axis=1),
    "gather last": one("Gather", np.array(-1), axis=1),
    "gather several": one("Gather", ints(2, 0, 2), axis=2),
    "gather run": one("Gather", ints(1, 2, 3), axis=2),
    "gather matrix": one("Gather", np.array([[0, 1], [2, -1]]), axis=1),
    "gather of one": one("Gather", np.array(0), axis=1, shape=(1, 1, 5)),
    "gather of one twice": one("Gather", ints(0, 0), axis=1, shape=(1, 1, 5)),
    "gather step": behind_gru(node("Gather", "g a", "y", axis=0), a=np.array(-1)),
    "gather a middle step": behind_gru(node("Gather", "g a", "y", axis=0), a=np.array(2)),
    "reshape": one("Reshape", ints(1, 5, 3)),
    "reshape 0 and -1": one("Reshape", ints(0, -1)),
    "reshape to more": one("Reshape", ints(0, 0, 1, -1)),
    "reshape splits": one("Reshape", ints(1, 2, 2, 3, 2), shape=(1, 4, 6)),
    "reshape turned": turned([0, 2, 1], "Reshape", ints(1, -1)),
    "reshape turned, split": turned([0, 2, 1], "Reshape", ints(0, 2, 3, 4), shape=(1, 4, 6)),
    "reshape turned, joined": turned([0, 3, 1, 2], "Reshape", ints(0, 5, 12), shape=(1, 3, 4, 5)),
    "reshape behind": behind_gru(node("Reshape", "g a", "y"), a=ints(1, 2, 10)),
    "reshape channels": of_channels(node("Reshape", "c a", "y"), a=ints(1, -1)),
    "reshape heads": of_channels(
        node("Reshape", "c a", "h"), node("Transpose", "h", "y", perm=[0, 3, 1, 2]),
        a=ints(0, 2, 2, -1),
    ),
    "reshape allowing zero": one("Reshape", ints(1, 15), allowzero=1),
    "flatten": one("Flatten", shape=(1, 3, 4, 5)),
    "flatten 2": one("Flatten", axis=2, shape=(1, 1, 4, 5)),
    "flatten -1": one("Flatten", axis=-1, shape=(1, 1, 5)),
    "flatten 0": one("Flatten", axis=0),
    "flatten channels": of_channels(node("Flatten", "c", "y")),
    "squeeze": one("Squeeze", ints(1), shape=(1, 1, 5)),
    "squeeze 11": one("Squeeze", opset=11, axes=[-2], shape=(1, 1, 5)),
    "squeeze all": one("Squeeze", ints(1, 3), shape=(1, 1, 5, 1)),
    "unsqueeze": one("Unsqueeze", ints(1, 3)),
    "unsqueeze 11": one("Unsqueeze", opset=11, axes=[2]),
    "unsqueeze negative": one("Unsqueeze", ints(-1)),
    "unsqueeze turned": turned([0, 2, 1], "Unsqueeze", ints(-2, 1)),
    "scalar": Form(
        [node("Squeeze", "x a", "s"), node("Relu", "s", "r"), node("Mul", "r c", "m"),
         node("Unsqueeze", "m b", "y")],
        (1, 1), {"a": ints(0, 1), "b": ints(0), "c": np.float32(2)},
    ),
    "expand": one("Expand", ints(1, 3, 5), shape=(1, 3, 1)),
    "expand ones": one("Expand", ints(1, 1)),
    "expand more": one("Expand", ints(1, 2, 1, 5), shape=(1, 3, 5)),
    "expand turned": turned([0, 2, 1], "Expand", ints(1, 5, 4), shape=(1, 1, 5)),
    "expand a state": behind_gru(
        node("Gather", "g i", "s", axis=0), node("Expand", "s a", "y"),
        i=np.array(-1), a=ints(1, 6, 4),
    ),
    "expand all ones": one("Expand", ints(1, 4, 2), shape=(1, 1, 1)),
    "tile": one("Tile", ints(1, 2, 1)),
    "tile two": one("Tile", ints(1, 2, 3)),
    "tile ones": one("Tile", ints(1, 4, 1), shape=(1, 1, 5)),
    "tile last of one": one("Tile", ints(1, 1, 4), shape=(1, 5, 1)),
    "tile turned": turned([0, 2, 1], "Tile", ints(1, 2, 1)),
    "concat with a constant": Form(
        [node("Concat", "x c", "y", axis=1)], constants={"c": w(1, 2, 5)}
    ),
    "concat with zeros": Form(
        [node("Concat", "c x", "y", axis=2)], constants={"c": np.zeros((1, 3, 2), np.float32)}
    ),
    "a constant as a sample": Form(
        [node("LayerNormalization", "c s", "n", axis=-1), node("Add", "x n", "y")],
        constants={"c": w(1, 3, 5), "s": plus(5)},
    ),
    "pad": one("Pad", ints(0, 1, 0, 0, 2, 3)),
    "pad 10": one("Pad", opset=10, pads=[0, 0, 2, 0, 0, 1]),
    "pad zero": one("Pad", ints(0, 1, 0, 0, 2, 3), np.float32(0)),
    "pad a value of one entry": one("Pad", ints(0, 0, 0, 0, 0, 0)),
    "pad axes": one("Pad", ints(1, 2), None, ints(-1), opset=18),
    "pad ones": one("Pad", ints(0, 1, 0, 0, 1, 0), shape=(1, 1, 5)),
    "pad ones around": one("Pad", ints(0, 1, 0, 0, 2, 3), np.float32(-1.5)),
    "pad 10 ones": one("Pad", opset=10, pads=[0, 0, 2, 0, 0, 1], value=2.0),
    "pad mirrored": one("Pad", ints(0, 1, 4, 0, 2, 1), mode="reflect"),
    "pad mirrored turned": turned([0, 2, 1], "Pad", ints(0, 1, 0, 0, 0, 2), mode="reflect"),
    "pad edges": one("Pad", ints(0, 2, 0, 0, 0, 7), mode="edge"),
    "pad edges turned": turned([0, 2, 1], "Pad", ints(0, 1, 0, 0, 0, 2), mode="edge"),
    "pad turned": turned([0, 2, 1], "Pad", ints(0, 1, 0, 0, 0, 2)),
    "transpose": one("Transpose", perm=[0, 2, 1]),
    "transpose back": one("Transpose", shape=(1, 3, 4, 5)),
    "transpose of steps": behind_gru(node("Transpose", "g", "y", perm=[3, 2, 0, 1])),
    "an input": Form([node("Identity", "x", "y"), node("Relu", "x", "r")], outputs=("y", "r")),
    "same twice": Form([node("Relu", "x", "y"), node("Identity", "y", "z")], outputs=("y", "z")),
}  # fmt: skip
