"""Command stream words -> operations, each with the registers as it sees them."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.registers import (
    ELEMENTWISE_MODES,
    LONG,
    OPERATIONS,
    POOLING_MODES,
    SHORT,
    WITHOUT_EFFECT,
)


@dataclass(frozen=True)
class RegisterWrite:
    """One register write.

    Attributes:
        name: of the register.
        value: the parameter, or payload | parameter << 32.
        position: its first word in the stream.
    """

    name: str
    value: int
    position: int


@dataclass(frozen=True)
class Registers:
    """The registers at one moment. They keep their values until they are written again.

    Operations share the history of the stream instead of each having a copy of all values.

    Attributes:
        history: register -> the positions and the values of all its writes in the stream.
        position: the moment, as a word of the stream.
    """

    history: Mapping[str, tuple[list[int], list[int]]]
    position: int

    def get(self, name: str, default: int | None = None) -> int | None:
        """The unsigned value of a register, or `default` where it is not written yet."""
        positions, values = self.history.get(name, ((), ()))
        index = bisect_left(positions, self.position)
        return values[index - 1] if index else default

    def __getitem__(self, name: str) -> int:
        """The unsigned value of a register.

        Raises:
            UnspoolError: it is not written yet.
        """
        value = self.get(name)
        if value is None:
            raise UnspoolError(f"{name} is used, but the stream has not written it")
        return value

    def signed16(self, name: str) -> int:
        """A short register as a signed 16-bit number."""
        value = self[name] & 0xFFFF
        return value - 0x10000 if value & 0x8000 else value

    def address(self, name: str) -> int:
        """A 40-bit address or stride; strides may be negative (two's complement)."""
        value = self[name] & ((1 << 40) - 1)
        return value - (1 << 40) if value >> 39 else value


@dataclass(frozen=True)
class Operation:
    """One operation of the stream.

    Attributes:
        kind: CONV, DEPTHWISE, POOL, ELEMENTWISE or DMA_START.
        mode: the variant of a POOL or ELEMENTWISE; else empty.
        position: the word of the operation itself.
        registers: as it sees them.
        writes: the register writes since the operation before it.
    """

    kind: str
    mode: str
    position: int
    registers: Registers
    writes: tuple[RegisterWrite, ...]

    @property
    def name(self) -> str:
        """For people: the kind, its mode and its place."""
        mode = f" {self.mode}" if self.mode else ""
        return f"{self.kind}{mode} at word {self.position}"


@lru_cache(maxsize=8)
def decode(stream: bytes) -> tuple[Operation, ...]:
    """All operations of a stream of little-endian 32-bit words, up to its STOP.

    Raises:
        UnspoolError: a code or mode is unknown, or a payload or the STOP is missing.
    """
    words = np.frombuffer(stream[: len(stream) // 4 * 4], "<u4").tolist()
    return tuple(_operations(words))


def _operations(words: list[int]) -> Iterator[Operation]:
    history: dict[str, tuple[list[int], list[int]]] = {}
    writes: list[RegisterWrite] = []

    def write(name: str, value: int, position: int) -> None:
        writes.append(RegisterWrite(name, value, position))
        positions, values = history.setdefault(name, ([], []))
        positions.append(position)
        values.append(value)

    at = 0
    while at < len(words):
        word = words[at]
        code, parameter, payload = word & 0x3FF, word >> 16, word >> 14 & 3
        if payload == 1 and code in LONG:
            if at + 1 >= len(words):
                raise UnspoolError(f"the stream ends inside {LONG[code]} at word {at}")
            write(LONG[code], words[at + 1] | parameter << 32, at)
            at += 1
        elif payload == 0 and code in SHORT:
            write(SHORT[code], parameter, at)
        elif payload == 0 and code in OPERATIONS:
            kind = OPERATIONS[code]
            if kind == "STOP":
                return
            if kind not in WITHOUT_EFFECT:
                mode = _mode(kind, parameter, at)
                yield Operation(kind, mode, at, Registers(history, at), tuple(writes))
                writes.clear()
        else:
            raise UnspoolError(
                f"unknown command code 0x{code:03x} (word 0x{word:08x}) at word {at}"
            )
        at += 1
    raise UnspoolError(f"the stream of {len(words)} words has no STOP")


def _mode(kind: str, parameter: int, at: int) -> str:
    modes = {"POOL": POOLING_MODES, "ELEMENTWISE": ELEMENTWISE_MODES}.get(kind)
    if modes is None:
        return ""
    if parameter >= len(modes):
        raise UnspoolError(f"unknown {kind} mode {parameter} at word {at}")
    return modes[parameter]
