"""What each of TFLM's kernels takes, as a table; `tflm_rules` has what does not fit into columns.

They are the reference kernels of tflite-micro 0.dev20261023. The limits were read from its sources;
`tests/tflite/test_tflm_limits.py` compares each with TFLM itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from unspool.tflite import tflm_rules
from unspool.tflite.tflm_rules import Operator, no_rule

LARGEST_RANK = 6
"""Dimensions of a shape in TFLM, which overwrites other memory with any more, unchecked."""


@dataclass(frozen=True)
class Limit:
    """What TFLM's kernel of one kind of operator allows.

    Attributes:
        types: of the data that it reads; empty where every type is accepted.
        data: the position of the data among the inputs.
        makes: the types that it writes; empty where they follow from those that it reads.
        rank: fewest and most dimensions of the data.
        inputs: the most inputs that it takes.
        constants: inputs that must be constants.
        same: types whose inputs and outputs must share one scale and zero point.
        check: a further rule; what is wrong and what to do, or nothing.
    """

    types: str = ""
    data: int = 0
    makes: str = ""
    rank: tuple[int, int] = (0, LARGEST_RANK)
    inputs: int | None = None
    constants: tuple[int, ...] = ()
    same: str = ""
    check: Callable[[Operator], str] = no_rule


_F, _8, _16 = "float32", "float32 int8", "float32 int8 int16"
_ROWS = (
    ("ABS LEAKY_RELU RELU RELU6 RSQRT", Limit(_16)),
    ("ADD SUB", Limit(_16 + " int32", check=tflm_rules.sums)),
    ("ADD_N CUMSUM ELU GATHER MIRROR_PAD", Limit(_8)),
    ("ARG_MAX ARG_MIN", Limit(_8 + " uint8", makes="int32")),
    ("AVERAGE_POOL_2D MAX_POOL_2D", Limit(_16, rank=(4, 4), check=tflm_rules.pools)),
    ("BATCH_MATMUL", Limit(_16, rank=(0, 5))),
    ("BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND", Limit(_8, rank=(3, 4))),
    ("BROADCAST_TO", Limit(rank=(0, 5), constants=(1,))),
    ("CAST", Limit(_16 + " int32 uint32 bool", makes=_16 + " int32 bool")),
    ("CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD LOG NEG ROUND SIN SQRT SQUARE", Limit(_F)),
    ("CONCATENATION", Limit(_16 + " int32 int64 bool", inputs=10, same="int8")),
    ("CONV_2D DEPTHWISE_CONV_2D", Limit(_16, rank=(4, 4), check=tflm_rules.weights)),
    ("DEPTH_TO_SPACE SPACE_TO_DEPTH", Limit(_8, rank=(4, 4))),
    ("DEQUANTIZE", Limit("int8 int16 uint8", makes=_F)),
    ("DIV", Limit(_8 + " int32")),
    ("DYNAMIC_UPDATE_SLICE UNPACK", Limit(_16 + " int32")),
    ("EQUAL NOT_EQUAL", Limit(_8 + " int32 int64 bool", check=tflm_rules.comparisons)),
    ("EXPAND_DIMS", Limit(_16, constants=(1,))),
    ("FILL", Limit(_8 + " int32", data=1, constants=(0,))),
    ("FULLY_CONNECTED", Limit(_16, check=tflm_rules.weights)),
    ("GATHER_ND", Limit(_8, check=tflm_rules.gathers)),
    ("GREATER", Limit(_16 + " int32 int64", check=tflm_rules.comparisons)),
    ("GREATER_EQUAL LESS LESS_EQUAL", Limit(_8 + " int32 int64", check=tflm_rules.comparisons)),
    ("HARD_SWISH", Limit(_8, check=tflm_rules.hard_swishes)),
    ("L2_NORMALIZATION", Limit(_8, rank=(0, 4))),
    ("L2_POOL_2D", Limit(_F, rank=(4, 4))),
    ("LOGISTIC TANH", Limit(_16, check=tflm_rules.sigmoids)),
    ("LOG_SOFTMAX", Limit(_8, check=tflm_rules.softmaxes)),
    ("MAXIMUM MINIMUM", Limit(_16 + " int32 int64")),
    ("MEAN SUM", Limit(_16, check=tflm_rules.means)),
    ("MUL", Limit(_16 + " int32")),
    ("PACK", Limit(_16 + " int32 int64")),
    ("PAD PADV2", Limit(_16 + " int32", rank=(0, 5), constants=(1,))),
    ("PRELU", Limit(_16, check=tflm_rules.prelus)),
    ("QUANTIZE", Limit(_16 + " int32 uint8", makes="int8 int16 int32 uint8")),
    ("REDUCE_MAX REDUCE_MIN", Limit(_8, same="int8")),
    ("RESIZE_BILINEAR", Limit(_8, rank=(4, 4), constants=(1,))),
    ("RESIZE_NEAREST_NEIGHBOR", Limit(_16, rank=(4, 4), constants=(1,))),
    ("SELECT_V2", Limit(_16, data=1)),
    ("SLICE", Limit(_16 + " int32 bool", rank=(0, 5))),
    ("SOFTMAX", Limit(_16, check=tflm_rules.softmaxes)),
    ("SPLIT", Limit(_16 + " int32", data=1, constants=(0,))),
    ("SPLIT_V", Limit(_16 + " int32", constants=(2,))),
    ("SQUARED_DIFFERENCE", Limit(_16 + " int32", check=tflm_rules.sums)),
    ("STRIDED_SLICE", Limit(_16 + " int32 bool", rank=(0, 4), constants=(1, 2, 3))),
    ("TRANSPOSE", Limit(_16, rank=(0, 5), constants=(1,))),
    ("TRANSPOSE_CONV", Limit(_16, data=2, rank=(4, 4), check=tflm_rules.weights)),
    ("ZEROS_LIKE", Limit(_8 + " int32 int64")),
    ("RESHAPE REVERSE_V2 SQUEEZE", Limit()),  # and, not looked into:
    ("ASSIGN_VARIABLE BROADCAST_ARGS CALL_ONCE EMBEDDING_LOOKUP IF LOGICAL_AND", Limit()),
    ("LOGICAL_NOT LOGICAL_OR READ_VARIABLE REDUCE_ALL SHAPE SVDF", Limit()),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM VAR_HANDLE WHILE", Limit()),
)

LIMITS: Mapping[str, Limit] = MappingProxyType(
    {kind: limit for kinds, limit in _ROWS for kind in kinds.split()}
)
"""LiteRT's kind of operator -> what TFLM's kernel takes; one that is not here has no kernel."""
