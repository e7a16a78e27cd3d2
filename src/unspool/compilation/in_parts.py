"""A network of several binaries that run one after the other, and what they take together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from unspool.compilation.arena import Arena
from unspool.compilation.compiled import Compiled, Traffic
from unspool.compilation.handed_on import Place, plan
from unspool.tflite.masks import Mask, computed


@dataclass(frozen=True)
class Port:
    """An input or an output of a part of a network.

    Attributes:
        value: what it takes or gives: an input of the network, or what a part gave.
        is_sequence: whether that has time steps.
        backwards: whether its time steps go through it from the last to the first.
    """

    value: str
    is_sequence: bool
    backwards: bool = False


@dataclass(frozen=True)
class Ends:
    """What a network in parts takes and gives.

    Attributes:
        inputs: the values that are its inputs, by their names.
        outputs: the values that are its outputs.
        masks: the values that say which time steps are padded.
        padding: for each output, the masks of which one is 1 in every step that is not padded.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    masks: tuple[Mask, ...] = ()
    padding: tuple[tuple[Mask, ...], ...] = ()

    @property
    def fed(self) -> tuple[str, ...]:
        """The values that are there before the first part: inputs, and what is computed of them."""
        return (*self.inputs, *computed(self.masks))


@dataclass(frozen=True)
class CompiledPart:
    """The binary of a part of a network.

    Attributes:
        compiled: the binary, with the figures of all of its calls.
        inputs: one for each input of the file that is no state, in its order.
        outputs: one for each output of the file that is no state, in its order.
        steps_per_call: time steps that a call takes of its shortest sequence; None where the part
            is called once, with all of them.
    """

    compiled: Compiled
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    steps_per_call: int | None


@dataclass(frozen=True)
class CompiledParts(Compiled):
    """Several binaries as one network: what an inference takes of all of them.

    They share TFLM's arena: its `MicroAllocator` lets interpreters that do not run at the same time
    have their tensors in the same bytes, and keeps the structures of each.

    Attributes:
        parts: the binaries, in the order in which they run.
        ends: what the network takes and gives.
        handed_on: where in a buffer beside the arena lies what they hand on to later ones.
    """

    parts: tuple[CompiledPart, ...] = ()
    ends: Ends = Ends((), ())
    handed_on: Mapping[str, Place] = field(default_factory=dict)

    @cached_property
    def arena(self) -> Arena:
        """The arena that all of them share."""
        each = [part.compiled.arena for part in self.parts]
        before = [sum(a.bookkeeping for a in each[:number]) for number in range(len(each))]
        return Arena(
            offsets={},
            planned=max(arena.planned for arena in each),
            scratch=max(arena.scratch for arena in each),
            fast_scratch=max(arena.fast_scratch for arena in each),
            bookkeeping=sum(arena.bookkeeping for arena in each),
            planning=max(
                bookkeeping + a.planning for bookkeeping, a in zip(before, each, strict=True)
            ),
        )

    @property
    def handed_on_kib(self) -> float:
        """The buffer of what they hand on."""
        return max((place.end for place in self.handed_on.values()), default=0) / 1024

    @property
    def sram_kib(self) -> float:
        """SRAM to reserve: the arena, where it lies there, and what parts hand on."""
        return super().sram_kib + self.handed_on_kib

    @property
    def flash_kib(self) -> float:
        """Size of all files; measured."""
        return sum(part.compiled.flash_kib for part in self.parts)

    @property
    def command_stream_kib(self) -> float:
        """What all files hold of commands for the NPU; measured."""
        return sum(part.compiled.command_stream_kib for part in self.parts)


def together(
    binaries: Sequence[CompiledPart], ends: Ends, sizes: Mapping[str, int]
) -> CompiledParts:
    """The figures of an inference that runs several binaries.

    Args:
        binaries: in the order in which they run.
        ends: what the network takes and gives.
        sizes: bytes of each value that one hands on to later ones, and is no output of the network.
    """
    parts = [binary.compiled for binary in binaries]
    first = parts[0]
    in_dram = first.target.memory_name("const") == "Dram"
    whole = CompiledParts(
        tflite=b"",
        target=first.target,
        vela_version=first.vela_version,
        cycles=sum(part.cycles for part in parts),
        milliseconds=0.0,
        tensors_sram_kib=max(part.tensors_sram_kib for part in parts),
        tensors_dram_kib=(sum if in_dram else max)(part.tensors_dram_kib for part in parts),
        constants_kib=sum(part.constants_kib for part in parts),
        weights_kib=sum(part.weights_kib for part in parts),
        macs=sum(part.macs for part in parts),
        npu_operators=sum(part.npu_operators for part in parts),
        cpu_operators=tuple(op for part in parts for op in part.cpu_operators),
        operators=tuple(op for part in parts for op in part.operators),
        traffic=_traffic(parts),
        calls=sum(part.calls for part in parts),
        parts=tuple(binaries),
        ends=ends,
        handed_on=plan(
            sizes,
            [[port.value for port in each.outputs] for each in binaries],
            [[port.value for port in each.inputs] for each in binaries],
        ),
    )
    of_npu = sum(part.milliseconds - part.call_milliseconds for part in parts)
    return replace(whole, milliseconds=of_npu + whole.call_milliseconds)


def _traffic(parts: Sequence[Compiled]) -> tuple[Traffic, ...]:
    """What all of them move between the NPU and each memory."""
    by_memory: dict[str, Traffic] = {}
    for each in (traffic for part in parts for traffic in part.traffic):
        before = by_memory.get(each.memory)
        by_memory[each.memory] = each if before is None else _added(before, each)
    return tuple(by_memory.values())


def _added(one: Traffic, other: Traffic) -> Traffic:
    return replace(
        one,
        bytes=one.bytes + other.bytes,
        weight_bytes=one.weight_bytes + other.weight_bytes,
    )
