"""A network against its target's limits: what its arithmetic and its traffic would take at best."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from unspool.compilation.compiled import Compiled, Traffic


@dataclass(frozen=True)
class Limit:
    """A resource, and the cycles that an inference keeps it busy.

    Attributes:
        label: such as "Arithmetic" or "Off-chip flash".
        cycles: Vela's estimate, over all operators; None where it has none of its own.
        ideal: the work divided by what the resource does in a cycle. It may exceed `cycles` a
            little: Vela counts the bytes of a network and the cycles of its operators apart.
        how: the work and the rate, in words.
    """

    label: str
    cycles: int | None
    ideal: float
    how: str


@dataclass(frozen=True)
class Limits:
    """All limits of a network on its target.

    Attributes:
        total: cycles of an inference, Vela's estimate.
        rows: arithmetic, then the memories in use, then the weights read once.
        tightest: the row that takes the most cycles.
        weight_reads: how often the weights cross their port in an inference, on average; 0 where
            they are not read.
        mac_percent: of the multiply-accumulates that the NPU could do in `total` cycles.
    """

    total: int
    rows: tuple[Limit, ...]
    tightest: Limit
    weight_reads: float
    mac_percent: float


def limits(compiled: Compiled) -> Limits | None:
    """The limits of a compiled network; None where none of it runs on the NPU."""
    parts = [op.parts for op in compiled.operators if op.on_npu]
    if not compiled.cycles or not parts:
        return None
    busy = {name: sum(part[name] for part in parts) for name in parts[0]}
    rows = [_arithmetic(compiled, busy), *_memories(compiled, busy)]
    tightest = max(rows, key=lambda row: row.cycles or 0)
    reads = 0.0
    weights = 1024 * compiled.weights_kib
    source = _weight_port(compiled)
    if source and source.weight_bytes and weights:
        reads = source.weight_bytes / weights
        rows.append(_transfer(f"Weights once, {source.memory}", None, weights, source))
    return Limits(
        total=compiled.cycles,
        rows=tuple(rows),
        tightest=tightest,
        weight_reads=reads,
        mac_percent=100 * compiled.macs / (compiled.target.macs * compiled.cycles),
    )


def _arithmetic(compiled: Compiled, busy: Mapping[str, int]) -> Limit:
    peak = compiled.target.macs
    how = f"{compiled.macs:,} MACs at {peak} per cycle"
    return Limit("Arithmetic", busy["NPU"], compiled.macs / peak, how)


def _memories(compiled: Compiled, busy: Mapping[str, int]) -> Iterator[Limit]:
    flashes = [traffic for traffic in compiled.traffic if traffic.memory.endswith("flash")]
    for traffic in compiled.traffic:
        # Vela has one count of cycles for both flashes: it is of the one that is in use.
        key = "flash" if len(flashes) == 1 and traffic in flashes else traffic.memory
        label = traffic.memory[0].upper() + traffic.memory[1:]
        yield _transfer(label, busy.get(key), traffic.bytes, traffic)


def _weight_port(compiled: Compiled) -> Traffic | None:
    """The memory that weights come from; None where the network has no traffic at all.

    Where they are staged they are read twice, from their memory and from SRAM: the former counts.
    """
    others = [t for t in compiled.traffic if t.memory != "SRAM" and t.weight_bytes]
    if others:
        return max(others, key=lambda traffic: traffic.weight_bytes)
    return next((t for t in compiled.traffic if t.memory == "SRAM"), None)


def _transfer(label: str, cycles: int | None, size: float, traffic: Traffic) -> Limit:
    """The limit that a memory's bandwidth sets to a transfer of `size` bytes."""
    rate = traffic.bytes_per_cycle
    how = f"{size / 1024:,.1f} KiB at {rate:g} bytes per cycle"
    return Limit(label, cycles, size / rate, how)
