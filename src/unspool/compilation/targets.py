"""Targets: an accelerator, a system configuration and a memory mode, by Vela's names."""

import math
from dataclasses import dataclass
from pathlib import Path

from unspool.compilation.memories import Memory, Use, behind, memory
from unspool.compilation.vela_config import arm_config, sections, setting
from unspool.errors import UnspoolError
from unspool.support.files import AnyPath

ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
"""The accelerators that Vela compiles for; the number is multiply-accumulates per cycle."""

_DEFAULTS = {  # what Vela itself takes when it is given none
    "ethos-u55": ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u65": ("Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
    "ethos-u85": ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
}

CALL_MICROSECONDS = 20.0
"""Assumed of a call where nothing else is said: at 400 MHz, 8,000 cycles of the CPU."""


@dataclass(frozen=True)
class Target:
    """What to compile for. Make one with `target`, which checks it.

    Attributes:
        accelerator: such as "ethos-u55-128".
        system_config: clock and memory bandwidths, a section of `config`.
        memory_mode: what lies in which memory, a section of `config`.
        config: a Vela configuration file.
        call_microseconds: that a call costs beside the NPU's work, in driver and interpreter: an
            assumption, for networks that are called several times for a sequence.

    Example:
        >>> target = unspool.target("ethos-u65-256")
        >>> target.family, target.macs
        ('ethos-u65', 256)
    """

    accelerator: str
    system_config: str
    memory_mode: str
    config: Path
    call_microseconds: float = CALL_MICROSECONDS

    def __str__(self) -> str:
        return f"{self.accelerator}, {self.system_config}, {self.memory_mode}"

    @property
    def family(self) -> str:
        """The accelerator without its size: "ethos-u55", "ethos-u65" or "ethos-u85"."""
        return self.accelerator.rpartition("-")[0]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a cycle."""
        return int(self.accelerator.rpartition("-")[2])

    def memory(self, use: Use) -> Memory:
        """The memory that weights ("const"), the arena or the cache lie in.

        Raises:
            UnspoolError: the configuration does not say which memory that is, or how fast it is.

        Example:
            >>> target("ethos-u55-128").memory("const").name
            'OffChipFlash'
        """
        return memory(self.config, self.family, self.system_config, self.memory_mode, use)

    def port(self, use: Use) -> str:
        """The port of that memory, "axi0" or "axi1"; "" where the configuration does not say."""
        return behind(self.config, self.system_config, self.memory_mode, use)[0]

    def memory_name(self, use: Use) -> str:
        """The name of that memory: "Sram", "Dram", "OffChipFlash"; "" where it is not given."""
        return behind(self.config, self.system_config, self.memory_mode, use)[1]

    @property
    def sram_limit(self) -> int | None:
        """Bytes of SRAM that the memory mode grants; None where it does not say."""
        try:
            return self.memory("cache").limit
        except UnspoolError:
            return None


def target(
    accelerator: str = "ethos-u55-128",
    system_config: str | None = None,
    memory_mode: str | None = None,
    config: AnyPath | None = None,
    call_microseconds: float = CALL_MICROSECONDS,
) -> Target:
    """A target with its defaults filled in: those that Vela takes for the accelerator's family.

    Args:
        accelerator: one of `ACCELERATORS`.
        system_config: name of a `System_Config` in the configuration file.
        memory_mode: name of a `Memory_Mode` in the configuration file.
        config: a Vela configuration file; Arm's own, `Arm/vela.ini`, where None.
        call_microseconds: that a call costs beside the NPU's work.

    Raises:
        UnspoolError: a name is unknown, or the accelerator does not have it; or the microseconds
            are not a finite number, 0 or more.

    Example:
        >>> print(unspool.target("ethos-u55-128"))
        ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram
    """
    check_accelerator(accelerator)
    if not 0 <= call_microseconds < math.inf:
        raise UnspoolError(
            f"`call_microseconds` {call_microseconds:g}: expected a finite number, 0 or more"
        )
    family = accelerator.rpartition("-")[0]
    default_system, default_mode = _DEFAULTS[family]
    path = Path(config) if config else arm_config()
    chosen = Target(
        accelerator,
        system_config or default_system,
        memory_mode or default_mode,
        path,
        call_microseconds,
    )
    systems, modes = system_configs(accelerator, path), memory_modes(accelerator, path)
    if chosen.system_config not in systems:
        raise UnspoolError(
            f"system configuration {chosen.system_config!r}: expected, for {accelerator} in "
            f"{path.name}, one of {', '.join(systems) or '(none there)'}"
        )
    fitting = [mode for mode in modes if fits(path, chosen.system_config, mode)]
    if chosen.memory_mode not in fitting:
        raise UnspoolError(
            f"memory mode {chosen.memory_mode!r}: expected, for {accelerator} with "
            f"{chosen.system_config}, one of {', '.join(fitting) or '(none there)'}"
        )
    return chosen


def system_configs(accelerator: str, config: Path) -> list[str]:
    """System configurations of a file that are meant for an accelerator.

    Those named after a family, `Ethos_U65_...`, are for that family; others fit all.
    """
    family = accelerator.rpartition("-")[0].replace("ethos-u", "Ethos_U")
    return [
        name
        for name in sections(config, "System_Config")
        if not name.startswith("Ethos_U") or name.startswith(family)
    ]


def memory_modes(accelerator: str, config: Path) -> list[str]:
    """Memory modes of a file that an accelerator has: the U55 has no dedicated SRAM."""
    return [
        name
        for name in sections(config, "Memory_Mode")
        if not (accelerator.startswith("ethos-u55") and _is_dedicated(config, name))
    ]


def check_accelerator(name: str) -> None:
    """Check the name of an accelerator.

    Raises:
        UnspoolError: Vela compiles for none of this name.
    """
    if name not in ACCELERATORS:
        raise UnspoolError(f"target {name!r}: expected one of {', '.join(ACCELERATORS)}")


def _is_dedicated(config: Path, mode: str) -> bool:
    areas = [setting(config, f"Memory_Mode.{mode}", f"{k}_mem_area") for k in ("arena", "cache")]
    return areas[0] != areas[1]


def fits(config: Path, system: str, mode: str) -> bool:
    """Whether a memory mode's arena lies in memory that can be written."""
    port = setting(config, f"Memory_Mode.{mode}", "arena_mem_area").lower()
    return "Flash" not in setting(config, f"System_Config.{system}", f"{port}_port")
