"""What the operations share: the machine's state, the output stage and the DMA."""

from dataclasses import dataclass, field

from unspool.errors import UnspoolError
from unspool.npu.arithmetic import INT32_MAX, INT32_MIN, Ints, saturate
from unspool.npu.container import Program
from unspool.npu.curves import sigmoid16, tanh16
from unspool.npu.decoder import Operation
from unspool.npu.descriptors import Output
from unspool.npu.fields import SHRAM_REGION
from unspool.npu.lookup import SLOT_BYTES, SLOTS, look_up, table_bytes
from unspool.npu.memory import Memory
from unspool.npu.regions import Array
from unspool.npu.weights import Prepared

_CLIP_RANGES = {2: (0, 255), 3: (-128, 127), 5: (-32768, 32767)}
_MAX_STREAM_READS = 16  # different weight streams that a byte may be in, on average


@dataclass
class Cache:
    """What the batches of a run share.

    Attributes:
        tables: the results of all operand pairs, of elementwise operations.
        weights: prepared for convolutions.
        streams: the weight and scale streams that have been read.
    """

    tables: dict[object, Array] = field(default_factory=dict)
    weights: dict[object, Prepared] = field(default_factory=dict)
    streams: set[bytes] = field(default_factory=set)


class Machine:
    """A program, its memory, and a bound on the work.

    Attributes:
        config: the accelerator that the program is for.
        memory: of the batch.
        cache: what the batches share.
    """

    def __init__(self, program: Program, memory: Memory, max_work: int, cache: Cache) -> None:
        self.config = program.config
        self.memory = memory
        self.cache = cache
        self._work = max_work
        self._stream_bytes = _MAX_STREAM_READS * (
            len(program.read_only) + program.scratch_size + (program.fast_size or 0)
        )

    def spend(self, units: int) -> None:
        """Account for work per sample.

        Raises:
            UnspoolError: it exceeds the bound.
        """
        self._work -= units
        if self._work < 0:
            raise UnspoolError("the program takes more work than a sample may cost")

    def stream(self, what: str, region: int, address: int, length: int) -> bytes:
        """The bytes of a weight or scale stream.

        Raises:
            UnspoolError: they are too many, with those of all streams before, or not there.
        """
        if not length:
            return b""
        data = self.memory.read_bytes(region, address, length, what)
        if data not in self.cache.streams:
            self.cache.streams.add(data)
            self._stream_bytes -= length
            if self._stream_bytes < 0:
                raise UnspoolError("the program decodes too many different weight streams")
        return data

    def table(self, output: Output) -> bytes | None:
        """The bytes of an output stage's lookup table."""
        if output.table is None:
            return None
        shram = 1024 * self.config.shram_kib // self.config.cores
        address = shram - SLOT_BYTES * (SLOTS - output.table)
        length = table_bytes(output)
        return self.memory.read_bytes(SHRAM_REGION, address, length, "the lookup table")

    def finish(self, value: Ints, output: Output) -> Array:
        """The output stage after scaling: zero point, clamp, table.

        A 32-bit OFM without a forced clip range has neither zero point nor clamp (Vela leaves
        stale values in those registers): it saturates.
        """
        element = output.element
        if element.bytes == 4 and output.clip == 0:
            if output.table is not None:
                raise UnspoolError("a lookup table on 32-bit values without a clip range")
            return saturate(value, INT32_MIN, INT32_MAX).astype(element.dtype)
        if output.curve is not None:
            value = _curve(value, output)
        low, high = element.range if output.clip == 0 else _CLIP_RANGES[output.clip]
        smallest, greatest = max(low, output.low), min(high, output.high)
        if smallest > greatest:
            raise UnspoolError(f"ACTIVATION_MIN {output.low} and ACTIVATION_MAX {output.high}")
        result = saturate(value + output.zero_point, smallest, greatest)
        table = self.table(output)
        if table is not None:
            return look_up(result, low, high, table, output)
        if smallest < element.range[0] or greatest > element.range[1]:
            raise UnspoolError(f"a clamp to [{smallest}, {greatest}] for {element.dtype}")
        return result.astype(element.dtype)


def _curve(value: Ints, output: Output) -> Ints:
    if output.element.bytes != 2 or output.zero_point or output.clip:
        raise UnspoolError(f"{output.curve} on other than 16-bit values around zero")
    return tanh16(value) if output.curve == "TANH" else sigmoid16(value)


def dma(machine: Machine, operation: Operation) -> None:
    """DMA_START: copy bytes between regions, or into the SHRAM."""
    registers = operation.registers
    places = []
    for name in ("SRC", "DST"):
        region = registers[f"DMA0_{name}_REGION"]
        if region >> 9 & 3:
            raise UnspoolError(f"DMA0_{name}_REGION has the stride mode {region >> 9 & 3}")
        number = SHRAM_REGION if region & 0x100 else region & 0xFF
        places.append((number, registers.address(f"DMA0_{name}")))
    length = registers.address("DMA0_LEN")
    machine.spend(max(0, length))
    machine.memory.copy(places[0], places[1], length)
