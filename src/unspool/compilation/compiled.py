"""A compiled network, and what Vela says of it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from unspool.compilation import arena
from unspool.compilation.allocations import Allocation
from unspool.compilation.arena import Arena
from unspool.compilation.placement import NPU
from unspool.compilation.targets import Target
from unspool.tflite import flatbuffer


@dataclass(frozen=True)
class Operator:
    """One operator of the compiled graph, with Vela's estimate of its cost.

    Attributes:
        kind: LiteRT's kind as Vela spells it, such as "FullyConnected".
        name: of the tensor that it writes.
        on_npu: whether it runs on the NPU, or falls back to the CPU.
        cycles: Vela's estimate; the largest of the times of its parts, which overlap.
        npu_cycles: of the arithmetic.
        sram_cycles: of the SRAM accesses.
        dram_cycles: of the DRAM accesses.
        flash_cycles: of the flash accesses.
        macs: multiply-accumulates.
        reason: why it is not on the NPU, in Vela's words; empty on the NPU.
    """

    kind: str
    name: str
    on_npu: bool
    cycles: int
    npu_cycles: int
    sram_cycles: int
    dram_cycles: int
    flash_cycles: int
    macs: int
    reason: str = ""

    @property
    def parts(self) -> dict[str, int]:
        """Cycles of the arithmetic ("NPU") and of the accesses to each memory."""
        return {
            "NPU": self.npu_cycles,
            "SRAM": self.sram_cycles,
            "DRAM": self.dram_cycles,
            "flash": self.flash_cycles,
        }


@dataclass(frozen=True)
class Traffic:
    """What one inference moves between the NPU and a memory, by Vela's estimate.

    Attributes:
        memory: "SRAM", "DRAM", "on-chip flash" or "off-chip flash".
        bytes: read and written.
        weight_bytes: the part of it that is weights and scales, read.
        bytes_per_cycle: bandwidth of the system configuration, per cycle of the NPU.
    """

    memory: str
    bytes: int
    weight_bytes: int
    bytes_per_cycle: float


@dataclass(frozen=True)
class Compiled:
    """A compiled network and what Vela says of it. Fields are Vela's estimates.

    An inference of a network that is called several times for a sequence is all of these calls.

    Attributes:
        tflite: the bytes of the .tflite file for the target.
        target: what it was compiled for.
        vela_version: of the compiler.
        cycles: NPU cycles of one inference.
        milliseconds: of one inference, at the system configuration's clock; with what its calls
            cost, where there are several.
        tensors_sram_kib: what an inference's tensors take of SRAM, in KiB of 1024 bytes.
        tensors_dram_kib: what they take of DRAM, weights included where they lie there.
        constants_kib: weights and constants in flash, without the command stream.
        weights_kib: weights and scales after Vela's compression, wherever they lie.
        macs: multiply-accumulates of one inference.
        npu_operators: how many operators run on the NPU.
        cpu_operators: those that fall back to the CPU: what is left of the network in `tflite`.
        operators: every operator, in order of execution.
        debug: Vela's debug database, which says to which operator each operation of the command
            stream belongs.
        allocations: where in memory the tensors lie that an inference writes, and how long.
        traffic: of the memories that an inference uses.
        cpu_positions: of each of `cpu_operators`, where it is in the file that was compiled:
            (number of the graph, number of the operator in it).
        calls: of the network, that an inference takes.
    """

    tflite: bytes
    target: Target
    vela_version: str
    cycles: int
    milliseconds: float
    tensors_sram_kib: float
    tensors_dram_kib: float
    constants_kib: float
    weights_kib: float
    macs: int
    npu_operators: int
    cpu_operators: tuple[Operator, ...]
    operators: tuple[Operator, ...]
    debug: bytes = field(default=b"", repr=False)
    allocations: tuple[Allocation, ...] = field(default=(), repr=False)
    traffic: tuple[Traffic, ...] = ()
    cpu_positions: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    calls: int = 1

    @property
    def call_milliseconds(self) -> float:
        """What driver and interpreter take in all calls, assumed; 0 where there is only one."""
        return self.target.call_microseconds * self.calls / 1000 if self.calls > 1 else 0.0

    def milliseconds_of(self, cycles: int) -> float:
        """Time of an inference if its work took so many cycles in place of `cycles`."""
        apart = self.call_milliseconds
        return cycles * (self.milliseconds - apart) / self.cycles + apart if self.cycles else apart

    @cached_property
    def arena(self) -> Arena:
        """What TFLM needs for an inference: the tensors by Vela's plan, and its own structures."""
        return arena.read(flatbuffer.look(self.tflite))

    @property
    def sram_kib(self) -> float:
        """SRAM to reserve: TFLM's arena, where it lies there; else what the NPU has to itself."""
        in_sram = self.target.memory_name("arena") == "Sram"
        return (self.arena.size if in_sram else self.arena.fast_scratch) / 1024

    @property
    def sram_with_weights_kib(self) -> float:
        """The same with the whole file, where the memory mode has the network read from SRAM."""
        in_sram = self.target.memory_name("const") == "Sram"
        return self.sram_kib + (self.flash_kib if in_sram else 0.0)

    @property
    def dram_kib(self) -> float:
        """DRAM to reserve: weights and TFLM's arena, where they lie there."""
        if self.target.memory_name("arena") != "Dram":
            return self.tensors_dram_kib
        return self.tensors_dram_kib + (self.arena.size - self.arena.scratch) / 1024

    @property
    def flash_kib(self) -> float:
        """Size of the file, with weights, constants and the command stream; measured."""
        return len(self.tflite) / 1024

    @property
    def command_stream_kib(self) -> float:
        """What the file holds of commands for the NPU, of all parts that run on it; measured."""
        model = flatbuffer.look(self.tflite)
        streams = [
            flatbuffer.constant_bytes(model, op.inputs[0])
            for op in model.subgraphs[0].operators
            if flatbuffer.operator_kind(model, op) == NPU
        ]
        return sum(map(len, streams)) / 1024


def of_calls(compiled: Compiled, count: int) -> Compiled:
    """The figures of an inference that takes several calls, of those of one call."""
    if count == 1:
        return compiled
    whole = replace(
        compiled,
        cycles=compiled.cycles * count,
        macs=compiled.macs * count,
        operators=tuple(_repeated(operator, count) for operator in compiled.operators),
        cpu_operators=tuple(_repeated(operator, count) for operator in compiled.cpu_operators),
        traffic=tuple(
            replace(each, bytes=each.bytes * count, weight_bytes=each.weight_bytes * count)
            for each in compiled.traffic
        ),
        calls=count,
    )
    return replace(whole, milliseconds=compiled.milliseconds * count + whole.call_milliseconds)


def _repeated(operator: Operator, count: int) -> Operator:
    return replace(
        operator,
        cycles=operator.cycles * count,
        npu_cycles=operator.npu_cycles * count,
        sram_cycles=operator.sram_cycles * count,
        dram_cycles=operator.dram_cycles * count,
        flash_cycles=operator.flash_cycles * count,
        macs=operator.macs * count,
    )
