"""Command stream words <-> commands, for whoever changes a stream.

`encode(parse(stream)) == stream` for every stream that ends with its STOP: a command keeps its
words. `decoder` looks at the same words as operations and registers, for whoever reads them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError
from unspool.npu.registers import LONG, OPERATIONS, SHORT

_PAYLOAD = 1 << 14  # one 32-bit word follows
_CODES = {name: code for table in (OPERATIONS, SHORT, LONG) for code, name in table.items()}
_LONG = frozenset(LONG.values())


@dataclass(frozen=True)
class Command:
    """A register write or an operation.

    Attributes:
        name: as `registers` has it, such as WEIGHT_BASE or CONV.
        words: one word, or two where a payload follows.
    """

    name: str
    words: tuple[int, ...]


def command(name: str, value: int = 0) -> Command:
    """A command; `value` is its parameter, or payload | parameter << 32 where it has a payload.

    Raises:
        UnspoolError: the value does not fit: 16 bits, or 48 with a payload.
    """
    limit = 48 if name in _LONG else 16
    if not 0 <= value < 1 << limit:
        raise UnspoolError(f"{name} {value:#x}: expected a value of {limit} bits")
    if name in _LONG:
        return Command(name, (_CODES[name] | _PAYLOAD | value >> 32 << 16, value & 0xFFFFFFFF))
    return Command(name, (_CODES[name] | value << 16,))


def parse(stream: bytes) -> tuple[Command, ...]:
    """All commands of a stream of little-endian 32-bit words, up to its STOP.

    Raises:
        UnspoolError: a code is unknown, or the stream ends without a STOP.
    """
    return tuple(_commands(np.frombuffer(stream[: len(stream) // 4 * 4], "<u4").tolist()))


def encode(commands: Iterable[Command]) -> bytes:
    """The stream of little-endian 32-bit words of some commands."""
    return np.array([word for item in commands for word in item.words], "<u4").tobytes()


def _commands(words: list[int]) -> Iterator[Command]:
    at = 0
    while at < len(words):
        code, payload = words[at] & 0x3FF, words[at] >> 14 & 3
        table = {0: SHORT | OPERATIONS, 1: LONG}.get(payload, {})
        size = 1 + payload
        if code not in table or at + size > len(words):
            raise UnspoolError(f"unknown command 0x{words[at]:08x} at word {at}")
        yield Command(table[code], tuple(words[at : at + size]))
        if table[code] == "STOP":
            return
        at += size
    raise UnspoolError(f"the stream of {len(words)} words has no STOP")
