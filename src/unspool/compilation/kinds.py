"""One table of figures: the id, the label, the unit and the better direction of each kind.

Ids are the keys of report.json. A kind that is there several times, such as the accuracy in each
runtime, has ids that begin with its own: `ACCURACY.of("tflm")` is "accuracy_tflm".
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Better: TypeAlias = Literal["less", "more", "either"]


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        id: its key in report.json.
        label: its name for people.
        unit: of the value: "%", "KiB", "cycles", ...; empty for a count or a pure number.
        better: "less" or "more" where one is; "either" where a change says nothing by itself.
    """

    id: str
    label: str
    unit: str
    better: Better = "less"

    def of(self, *parts: str) -> str:
        """The id of one of several figures of this kind; empty parts are left out.

        >>> ACCURACY.of("tflm", "")
        'accuracy_tflm'
        """
        return "_".join([self.id, *filter(None, parts)])


ACCURACY = Kind("accuracy", "Accuracy", "%", "more")
RMSE = Kind("rmse", "RMSE", "")
MAE = Kind("mae", "MAE", "")
R2 = Kind("r2", "R2", "", "more")
UNROLL_ERROR = Kind("unroll_error", "Largest output difference, deploy model", "")
MEAN_DIFFERENCE = Kind("quantization_error_mean", "Mean output difference", "")
LARGEST_DIFFERENCE = Kind("quantization_error_largest", "Largest output difference", "")
OUTPUT_ERROR = Kind("output_error", "Mean error of the worst column", "%")
LARGEST_OUTPUT_ERROR = Kind("output_error_largest", "Largest error of the worst column", "%")
SAME_CLASS = Kind("same_class", "Same answer as the trained model", "%", "more")
FILE_SIZE = Kind("size", "File", "KiB")
EQUAL_SAMPLES = Kind("npu_equal", "Samples equal to TFLM", "", "more")
STATE_GROWTH = Kind("state_growth", "Growth of state ranges", "%")
NPU_OPERATORS = Kind("npu_operators", "Operators on the NPU", "", "either")
CPU_OPERATORS = Kind("cpu_operators", "Operators on the CPU", "")
CALLS = Kind("calls", "Calls of an inference", "", "either")
PARTS = Kind("parts", "Binaries of an inference", "", "either")
HANDED_ON = Kind("handed_on", "Handed on between binaries", "KiB")
STATE_BYTES = Kind("state_bytes", "States carried from call to call", "bytes")
MOVING_CYCLES = Kind("moving_cycles", "Cycles that move rows of states", "cycles")
WARM_UP = Kind("warm_up", "Calls until windows are full", "")
LATE = Kind("late", "Outputs come late by", "time steps")
CYCLES = Kind("cycles", "Cycles of an inference", "cycles")
MILLISECONDS = Kind("milliseconds", "Time of an inference", "ms")
SRAM = Kind("sram", "SRAM", "KiB")
SRAM_TENSORS = Kind("sram_tensors", "Tensors in SRAM", "KiB")
SRAM_WITH_WEIGHTS = Kind("sram_with_weights", "SRAM with the network", "KiB")
DRAM = Kind("dram", "DRAM", "KiB")
FLASH = Kind("flash", "Flash", "KiB")
COMMAND_STREAM = Kind("command_stream", "Command stream", "KiB")
CONSTANTS = Kind("constants", "Weights and constants", "KiB")
WEIGHTS = Kind("weights", "Compressed weights and scales", "KiB")
CYCLES_WAITING = Kind("cycles_waiting", "Cycles waiting for", "cycles")
RESIDENT_KEPT = Kind("resident_kept", "SRAM for resident weights", "KiB")
RESIDENT_SRAM = Kind("resident_sram", "SRAM with them", "KiB")
RESIDENT_CYCLES = Kind("resident_cycles", "Cycles of an inference with them", "cycles")
RESIDENT_MILLISECONDS = Kind("resident_milliseconds", "Time of an inference with them", "ms")

KINDS = tuple(value for value in list(vars().values()) if isinstance(value, Kind))


def kind_of(figure_id: str) -> Kind | None:
    """The kind of a figure; None for an id that is not in the table.

    >>> kind_of("same_class_digit").better
    'more'
    """
    whole = {kind.id: kind for kind in KINDS}
    parts = figure_id.split("_")
    for end in range(len(parts), 0, -1):
        if (match := whole.get("_".join(parts[:end]))) is not None:
            return match
    return None
