"""What cannot be equal to TFLM, or does not run on the NPU, each with its reason.

A test asserts every entry: bytes that differ do so, within a bound; what stays on the CPU is told.
"""

from dataclasses import dataclass
from typing import TypeAlias

from cases.core import Case

Key: TypeAlias = tuple[str, str, int | None]
"""Name of a case, activations, steps; None for all of its lengths."""


@dataclass(frozen=True)
class Differs:
    """Deployed, but some bytes of the binary are others than TFLM's.

    Attributes:
        reason: why, for the page.
        levels: by how many steps of an output at most.
        share: of the output's values that differ at most.
        seldom: the samples of the test need not show it.
    """

    reason: str
    levels: int
    share: float
    seldom: bool = False


@dataclass(frozen=True)
class OnCpu:
    """Deployed, but not all of it runs on the NPU.

    Attributes:
        reason: why, for the page.
        kind: of the operator that does not.
    """

    reason: str
    kind: str


@dataclass(frozen=True)
class Fault:
    """A known fault of Unspool; its test is expected to fail, and fails where it does not.

    Attributes:
        reason: what is wrong, for the page.
    """

    reason: str


Exceptional: TypeAlias = Differs | OnCpu | Fault

_PRODUCT = OnCpu("Vela runs BATCH_MATMUL in int8 only", "BATCH_MATMUL")
_SOFTMAX = Differs(
    "int16 SOFTMAX: about one value in 7,000 differs by one, where TFLM's table of reciprocals "
    "has two points that are others than Vela's (docs/simulator.md)",
    levels=1,
    share=0.02,
    seldom=True,
)
_RSQRT = Differs(
    "int16 RSQRT: Vela interpolates where TFLM computes; a quarter of the values differ, and the "
    "layers behind it carry that on: by 0.8 % of the range in an LSTM's memory",
    levels=550,
    share=0.99,
)


TABLE: dict[Key, Exceptional] = {
    **{
        (name, "int16", None): _SOFTMAX
        for name in (
            "Conv2D + Reshape (a CRNN)",
            "softmax head",
            "softmax head for each step",
            "softmax over steps, weighted sum",
            "RepeatVector, Permute, Multiply",
            "keyword spotter: Conv2D, GRU 154",
            "DeepSpeech: clipped ReLU, LSTM",
        )
    },
    ("LayerNormalization", "int16", None): _RSQRT,
    ("own cell: LayerNormalization in an LSTM", "int16", None): _RSQRT,
    **{
        (name, "int16", None): _PRODUCT
        for name in (
            "Dot of weights and steps",
            "Attention",
            "Attention, use_scale",
            "Attention, score_mode concat",
            "Attention of a query, a value and a key",
            "AdditiveAttention",
            "AdditiveAttention, use_scale=False",
            "Attention and AdditiveAttention of the last step",
            "MultiHeadAttention",
            "MultiHeadAttention, cross, value_dim, use_bias=False",
            "MultiHeadAttention, output_shape, dropout, use_gate",
            "MultiHeadAttention, return_attention_scores",
            "GroupQueryAttention",
            "GroupQueryAttention, one group, cross",
            "a transformer block",
        )
    },
}
"""(case, activations, steps or None for all) -> what becomes of it."""


def exception(case: Case, steps: int, activations: str) -> Exceptional | None:
    """What becomes of a case that is not deployed with TFLM's bytes; None where it is."""
    for length in (steps, None):
        entry = TABLE.get((case.name, activations, length))
        if entry:
            return entry
    return None
