"""Where in memory Vela puts each tensor, and for how long: what `--verbose-allocation` prints."""

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^Allocation, memory (\w+), usage mask: .*$")
_END = "Allocation Peak Tensor Size"
_ROW = re.compile(
    r"^\s*(\d+) -\s+(\d+):\s+0x([0-9a-f]+) -\s+0x([0-9a-f]+):\s+(\d+):\s+\d+: (\w+)\s*: (.*)$"
)
_STAGED = "WB_"  # what Vela's names of weight buffers start with


@dataclass(frozen=True)
class Allocation:
    """A tensor's place in the memory that an inference writes.

    Attributes:
        name: of the tensor.
        memory: Vela's name of the memory: "Sram" or "Dram".
        start: when it is first needed, on Vela's own scale, which counts operators.
        end: when it is last needed, on the same scale.
        address: bytes from the start of the network's part of this memory.
        size: bytes.
        staged: whether it holds weights on their way from a slower memory.
    """

    name: str
    memory: str
    start: int
    end: int
    address: int
    size: int
    staged: bool


def read(log: str) -> tuple[Allocation, ...]:
    """The allocations that Vela printed; tensors that share a place are listed once.

    Args:
        log: what `vela --verbose-allocation` printed. Its table of read-only tensors is left out:
            they lie in the file, and their addresses are those of another memory.
    """
    by_place: dict[tuple[str, int, int, int, int], Allocation] = {}
    memory = ""
    for line in log.splitlines():
        if block := _BLOCK.match(line):
            memory = block[1]
        elif line.startswith(_END):
            memory = ""
        elif memory and (row := _ROW.match(line)):
            start, end, size = int(row[1]), int(row[2]), int(row[5])
            address = int(row[3], 16)
            key = memory, start, end, address, size
            staged = row[6] == "Unknown" and row[7].startswith(_STAGED)
            # Operators that work in place share it; the last name is the result's.
            by_place[key] = Allocation(row[7], memory, start, end, address, size, staged)
    return tuple(by_place.values())
