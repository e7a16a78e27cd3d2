"""Which memory a bundle's parts lie in, by the target's memory mode, and the driver's settings."""

from dataclasses import dataclass

from unspool.compilation.memories import Use
from unspool.compilation.targets import Target

_MEMORIES = {
    "Sram": "SRAM",
    "Dram": "DRAM",
    "OnChipFlash": "on-chip flash",
    "OffChipFlash": "off-chip flash",
}

# Setting of the driver -> (use of the memory, value for port 0, value for port 1). On the U55
# and U65 a value below 2 is the first AXI port; on the U85 it is the SRAM ports.
_SETTINGS: dict[str, tuple[Use, int, int]] = {
    "NPU_QCONFIG": ("const", 0, 2),
    "NPU_REGIONCFG_0": ("const", 1, 3),
    "NPU_REGIONCFG_1": ("arena", 0, 2),
    "NPU_REGIONCFG_2": ("cache", 1, 3),
}

# The driver's own, in src/ethosu_config_u*.h of ethos-u-core-driver as of 2026, in that order.
_DEFAULTS = {"ethos-u55": (2, 3, 0, 1), "ethos-u65": (2, 3, 2, 1), "ethos-u85": (2, 3, 0, 1)}


@dataclass(frozen=True)
class Regions:
    """Where a target's memory mode puts things.

    Attributes:
        model: memory of the compiled network, such as "off-chip flash".
        arena: memory of TFLM's arena.
        fast: memory of the fast scratch.
        settings: the driver's macros -> their values for this target.
        changed: those that differ from the driver's defaults.
    """

    model: str
    arena: str
    fast: str
    settings: dict[str, int]
    changed: dict[str, int]


def of(target: Target) -> Regions:
    """Read a target's memory areas from its Vela configuration.

    Raises:
        UnspoolError: the configuration file cannot be read.
    """

    def memory(use: Use) -> str:
        name = target.memory_name(use)
        return _MEMORIES.get(name, name or "the memory of your Vela configuration")

    settings = {
        macro: (first if target.port(use) == "axi0" else second)
        for macro, (use, first, second) in _SETTINGS.items()
    }
    defaults = dict(zip(_SETTINGS, _DEFAULTS[target.family], strict=True))
    return Regions(
        model=memory("const"),
        arena=memory("arena"),
        fast=memory("cache"),
        settings=settings,
        changed={macro: v for macro, v in settings.items() if v != defaults[macro]},
    )
