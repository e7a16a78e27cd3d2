"""The memories of a target: how fast the NPU reads them, how much of them it may use."""

from dataclasses import dataclass
from typing import Literal

from unspool.compilation.targets import Target, setting
from unspool.errors import UnspoolError

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


def memory(target: Target, use: Literal["const", "arena", "cache"]) -> Memory:
    """The memory that a target puts its weights (`const`), its arena or its cache in.

    The bandwidth is that of Vela (`architecture_features.py`): the width of a port, 8 bytes on
    the U55 and 16 on the others, times the clock scale of the memory, times its ports on the U85.

    Raises:
        UnspoolError: the configuration does not say which memory that is, or how fast it is.
    """
    mode, system = f"Memory_Mode.{target.memory_mode}", f"System_Config.{target.system_config}"
    port = setting(target.config, mode, f"{use}_mem_area").lower()
    name = setting(target.config, system, f"{port}_port")
    family = target.accelerator.rpartition("-")[0]
    if not name or family not in _AXI_BYTES:
        raise UnspoolError(f"{target}: {target.config.name} has no figures for {use}_mem_area")
    scale = setting(target.config, system, f"{name}_clock_scale") or "1"
    latency = setting(target.config, system, f"{name}_read_latency") or "0"
    ports = setting(target.config, system, f"{name}_ports_used") or "1"
    limit = setting(target.config, mode, "arena_cache_size") if use != "const" else ""
    try:
        bandwidth = _AXI_BYTES[family] * float(scale) * int(ports)
        found = Memory(port, name, bandwidth, int(latency), int(limit) if limit else None)
    except ValueError:
        found = None
    if found is None or not 0 < found.bytes_per_cycle < float("inf"):
        raise UnspoolError(
            f"{target}: {target.config.name} has clock scale {scale!r}, read latency "
            f"{latency!r} and {ports!r} ports for {name}, arena cache size {limit!r}; "
            "expected numbers"
        )
    return found
