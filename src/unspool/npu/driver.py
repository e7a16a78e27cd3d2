"""What the driver reads before it starts the NPU: the configuration and the command stream.

Vela puts both into one tensor, the payload. It is a list of actions for the driver, each one a
word with the action in its lowest byte.
"""

from dataclasses import dataclass

import numpy as np

from unspool.errors import UnspoolError

_PRODUCTS = {0: "ethos-u55", 1: "ethos-u65", 2: "ethos-u85"}
_CORES = {
    ("ethos-u55", 32, 16): 1,
    ("ethos-u55", 64, 16): 1,
    ("ethos-u55", 128, 24): 1,
    ("ethos-u55", 256, 48): 1,
    ("ethos-u65", 256, 48): 1,
    ("ethos-u65", 512, 96): 2,
}
"""(product, MACs, KiB of SHRAM) -> cores, of all configurations that exist."""
_FOURCC = int.from_bytes(b"COP1", "little")
_CONFIG, _COMMAND_STREAM, _NOP = 1, 2, 5  # actions


@dataclass(frozen=True)
class Config:
    """The accelerator that the stream was compiled for.

    Attributes:
        product: ethos-u55 or ethos-u65.
        macs: multiply-accumulates per cycle, all cores together.
        shram_kib: shared buffer RAM of all cores together.
        cores: how many there are.
    """

    product: str
    macs: int
    shram_kib: int
    cores: int

    @property
    def name(self) -> str:
        """Vela's name of the accelerator, such as ethos-u55-128."""
        return f"{self.product}-{self.macs}"


@dataclass(frozen=True)
class Payload:
    """The payload, taken apart.

    Attributes:
        config: the accelerator that it is for.
        stream: the command stream, little-endian 32-bit words.
        position: bytes of the actions before the stream.
    """

    config: Config
    stream: bytes
    position: int


def read_payload(data: bytes) -> Payload:
    """Take a payload apart.

    Raises:
        UnspoolError: it is damaged, or for a product that is not simulated.
    """
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").tolist()
    if not words or words[0] != _FOURCC:
        raise UnspoolError(f"the payload starts with {data[:4]!r}, expected b'COP1'")
    config: Config | None = None
    at = 1
    while at < len(words):
        action = words[at] & 0xFF
        if action == _CONFIG and at + 2 < len(words):
            config = _config(words[at + 1])
            at += 3
        elif action == _NOP:
            at += 1
        elif action == _COMMAND_STREAM:
            if config is None:
                raise UnspoolError("the payload has its command stream before its config")
            start, end = 4 * (at + 1), 4 * _end_of_stream(words, at)
            return Payload(config, data[start:end], start)
        else:
            raise UnspoolError(f"unknown driver action {action} in word {at} of the payload")
    raise UnspoolError("the payload is truncated: it has no command stream")


def _end_of_stream(words: list[int], at: int) -> int:
    """The word behind a command stream whose action is the word `at`."""
    length = (words[at] >> 16) | ((words[at] >> 8 & 0xFF) << 16)
    if at + 1 + length > len(words):
        raise UnspoolError(
            f"the payload is truncated: the command stream has {length} words,"
            f" {len(words) - at - 1} are there"
        )
    return at + 1 + length


def _config(word: int) -> Config:
    product = _PRODUCTS.get(word >> 28, f"product {word >> 28}")
    if product not in ("ethos-u55", "ethos-u65"):
        raise UnspoolError(
            f"the stream is for {product}, expected ethos-u55 or ethos-u65: compile for one of "
            "these to simulate the network"
        )
    macs, shram_kib = 1 << (word & 0xF), word >> 8 & 0xFF
    cores = _CORES.get((product, macs, shram_kib))
    if cores is None:
        raise UnspoolError(
            f"unknown configuration {product} with {macs} MACs and {shram_kib} KiB of SHRAM"
        )
    return Config(product, macs, shram_kib, cores)
