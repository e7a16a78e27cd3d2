"""Bytes changed, left out, put in or cut off, whatever they mean; and values that are wrong."""

import random

INTEGERS = (
    *(0, 1, -1, 2, -2, 3, 5, 7, 8, 16, 17, 64, 100, 255, 1000, 65535, 2**20, 2**24),
    *(2**31 - 1, 2**31, -(2**31), 2**32, 2**40, 2**62, 2**63 - 1, -(2**63)),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    *("", "x", " ", "a\nb", "a\r\x1b[2Jb", "\u2028", "\x00", "a/b", "..", "../x", "/etc/passwd"),
    *(
        "../../outside.bin",
        "\u202e",
        "é" * 40,
        "x" * 5000,
        "a\n" * 2000,
        "h0",
        "int64",
        "{0}",
        "%s",
    ),
)


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Some bytes of a content are others."""
    if not content or rng.random() < 0.1:
        return content[: rng.randrange(len(content) + 1)]
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        _damage(rng, result)
    return bytes(result)


def _damage(rng: random.Random, content: bytearray) -> None:
    at, kind = rng.randrange(len(content) + 1), rng.randrange(5)
    length = rng.choice((1, 1, 2, 4, 8, 100))
    if kind == 0:
        del content[at : at + length]
    elif kind == 1:
        content[at:at] = rng.randbytes(length)
    elif kind == 2:
        source = rng.randrange(len(content) + 1)
        content[at : at + length] = content[source : source + length]
    elif at < len(content):
        content[at] = rng.choice((content[at] ^ 1 << rng.randrange(8), 0, 127, 255))
