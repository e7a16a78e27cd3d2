"""The memories of a target: how fast the NPU reads them, how much of them it may use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from unspool.compilation.vela_config import setting
from unspool.errors import UnspoolError

Use: TypeAlias = Literal["const", "arena", "cache"]

# That a port moves per cycle, as Vela has it.
_AXI_BYTES = {"ethos-u55": 8, "ethos-u65": 16, "ethos-u85": 16}


@dataclass(frozen=True)
class Memory:
    """A memory as the NPU sees it.

    Attributes:
        port: "axi0" or "axi1".
        name: the kind of memory behind the port: "Sram", "Dram", "OffChipFlash", ...
        bytes_per_cycle: bandwidth, per cycle of the NPU.
        read_latency: NPU cycles before the first byte.
        limit: bytes that the memory mode grants for the network; None where it grants all.
    """

    port: str
    name: str
    bytes_per_cycle: float
    read_latency: int
    limit: int | None


def behind(config: Path, system_config: str, memory_mode: str, use: Use) -> tuple[str, str]:
    """(port, memory) for a use; empty where the configuration does not say."""
    port = setting(config, f"Memory_Mode.{memory_mode}", f"{use}_mem_area").lower()
    return port, setting(config, f"System_Config.{system_config}", f"{port}_port")


def memory(config: Path, family: str, system_config: str, memory_mode: str, use: Use) -> Memory:
    """The memory that a memory mode puts its weights (`const`), its arena or its cache in.

    The bandwidth is that of Vela (`architecture_features.py`): the width of a port, 8 bytes on
    the U55 and 16 on the others, times the clock scale of the memory, times its ports on the U85.

    Args:
        config: a Vela configuration file.
        family: of the accelerator, such as "ethos-u55".
        system_config: a section of the file.
        memory_mode: a section of the file.
        use: what the memory is used for.

    Raises:
        UnspoolError: the configuration does not say which memory that is, or how fast it is.
    """
    port, name = behind(config, system_config, memory_mode, use)
    if not name or family not in _AXI_BYTES:
        raise UnspoolError(
            f"{config.name}: {system_config} and {memory_mode} have no figures for {use}_mem_area"
        )
    system = f"System_Config.{system_config}"
    scale = setting(config, system, f"{name}_clock_scale") or "1"
    latency = setting(config, system, f"{name}_read_latency") or "0"
    ports = setting(config, system, f"{name}_ports_used") or "1"
    limit = ""
    if use != "const":
        limit = setting(config, f"Memory_Mode.{memory_mode}", "arena_cache_size")
    try:
        bandwidth = _AXI_BYTES[family] * float(scale) * int(ports)
        found = Memory(port, name, bandwidth, int(latency), int(limit) if limit else None)
    except ValueError:
        found = None
    if found is None or not 0 < found.bytes_per_cycle < float("inf"):
        raise UnspoolError(
            f"{config.name}: {system_config} has clock scale {scale!r}, read latency {latency!r} "
            f"and {ports!r} ports for {name}, {memory_mode} has arena cache size {limit!r}; "
            "expected numbers"
        )
    return found
