"""Figures of Arm's guide, and of its flow run again."""

from unspool.compilation.kinds import (
    ACCURACY,
    CONSTANTS,
    CPU_OPERATORS,
    CYCLES,
    NPU_OPERATORS,
)
from unspool.compilation.targets import Target

_GUIDES_FIGURES = {ACCURACY.of("litert"): 97.57}
"""What the guide itself states: int8 accuracy after one epoch, 10,000 images."""

_OPERATORS = {NPU_OPERATORS.id: 391, CPU_OPERATORS.id: 0}
_GUIDES_FLOW = {
    "Shared_Sram": {CONSTANTS.id: 629.9, CYCLES.id: 6.23e6, **_OPERATORS},
    "Sram_Only": {CONSTANTS.id: 629.9, CYCLES.id: 0.884e6, **_OPERATORS},
}
"""The guide's flow (TFLiteConverter, `unroll=True`) rerun with TensorFlow 2.21 and Vela 5.2 for
ethos-u55-128 and Ethos_U55_High_End_Embedded; operators as in Vela's detailed listing, which counts
fused ones. `make bench` runs it again."""


def guides_figures(cell: str, units: int, target: Target) -> dict[str, float]:
    """The guide's figures for a model and a target, by figure id; empty where none are known."""
    if (cell, units) != ("gru", 256):
        return {}
    if (target.accelerator, target.system_config) != (
        "ethos-u55-128",
        "Ethos_U55_High_End_Embedded",
    ):
        return dict(_GUIDES_FIGURES)
    return {**_GUIDES_FIGURES, **_GUIDES_FLOW.get(target.memory_mode, {})}
