"""Arguments that the library's messages name, and the flags that the commands have for them."""

import re

NAMED = (
    "activations",
    "allow_cpu",
    "call_microseconds",
    "config",
    "feature_scales",
    "fixed_inputs",
    "from_tensor",
    "full_length",
    "input_shapes",
    "lookahead",
    "max_accuracy_drop",
    "max_flash_kib",
    "max_ms",
    "max_output_error",
    "max_sram_kib",
    "metric",
    "no_cpu",
    "out",
    "pool_since_reset",
    "pool_window",
    "resident_weights",
    "sort",
    "states",
    "steps_per_call",
    "test",
    "time_steps",
    "to_tensor",
)
"""Those that the library's messages name, in backticks."""


_SHORT = {
    "fixed_inputs": "--set",
    "from_tensor": "--from",
    "input_shapes": "--shape",
    "to_tensor": "--to",
}


def flag(name: str) -> str:
    """The flag of an argument: "max_ms" is `--max-ms`."""
    return _SHORT.get(name) or "--" + name.replace("_", "-")


def with_flags(text: str) -> str:
    """A message with flags in place of arguments.

    >>> with_flags("input 'x' has an open length: say how long it is (`time_steps`)")
    "input 'x' has an open length: say how long it is (--time-steps)"
    """
    return re.sub(rf"`({'|'.join(NAMED)})`", lambda match: flag(match[1]), text)
