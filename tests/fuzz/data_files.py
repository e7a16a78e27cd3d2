"""Damaged files of data and settings: .npy, .npz, JSON, Vela's .ini, and its debug database."""

import random
import struct
import zipfile
from io import BytesIO

import numpy as np

from fuzz.damage import FLOATS, INTEGERS, TEXTS, damaged
from fuzz.pt2_files import OF_MEMBERS, changed_json, lying, zipped


def drawn_npy(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged .npy file: other bytes, another header, other values."""
    kind = rng.random()
    if kind < 0.3:
        return damaged(rng, content)
    if kind < 0.4:
        return content[:-4] + struct.pack("<f", rng.choice(FLOATS[:5] + FLOATS[7:]))
    if kind < 0.6:
        made = BytesIO()
        other = rng.choice(((), (0,), (3,), (4, 3, 5), (4, 3, 4), (1, 1, 1, 1), (0, 3, 5)))
        dtype = rng.choice(("f8", "f2", "i1", "u8", "?", "c8", "S3", "U2", "M8[s]", "f4,i4", "V7"))
        np.save(made, np.zeros(other, dtype))
        return made.getvalue()
    shape = [rng.choice((*INTEGERS, 3, 5)) for _ in range(rng.choice((0, 1, 3, 3, 3, 40)))]
    descr = rng.choice(("<f4", "<f4", "|O", ">f8", "<U9999999", "|V0", "x", [("a", "<f4")], ""))
    header = repr({"descr": descr, "fortran_order": rng.random() < 0.5, "shape": tuple(shape)})
    if rng.random() < 0.2:
        header = rng.choice(("{}", "(" * 5000, "[" * 200 + "]" * 200, "__import__('os')", *TEXTS))
    raw = header.encode() + b"\n"
    version = rng.choice((b"\1\0", b"\2\0", b"\3\0", b"\4\0"))
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(raw))
    return b"\x93NUMPY" + version + size + raw + content[128:]


def drawn_npz(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged .npz file: other members, and a directory that lies."""
    if rng.random() < 0.2:
        return damaged(rng, content)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(rng.choice((0, 1, 1, 2))):
        if rng.random() < 0.5 and members:
            at = rng.randrange(len(members))
            members[at] = (members[at][0], drawn_npy(rng, members[at][1]))
        else:
            rng.choice(OF_MEMBERS)(rng, members)
    packed = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    result = zipped(members, packed)
    return lying(rng, result) if rng.random() < 0.3 else _flagged(rng, result)


def _flagged(rng: random.Random, content: bytes) -> bytes:
    """Encrypted, or packed in a way that nothing knows, as its marks say."""
    result = bytearray(content)
    at = result.find(b"PK\1\2")
    if at > 0 and rng.random() < 0.3:
        place, mark = rng.choice(((8, 1), (10, 99), (10, 12), (10, 14), (8, 1 << 6)))
        struct.pack_into("<H", result, at + place, mark)
        struct.pack_into("<H", result, place - 2, mark)
    return bytes(result)


def drawn_json(rng: random.Random, content: bytes) -> bytes:
    """The content of damaged JSON."""
    kind = rng.random()
    if kind < 0.2:
        return damaged(rng, content)
    if kind < 0.25:
        depth = rng.choice((50, 900, 5000, 200_000))
        return content.replace(b"null", b"[" * depth + b"]" * depth, 1)
    for _ in range(rng.choice((1, 1, 2, 4))):
        content = changed_json(rng, content)
    if kind < 0.35:
        return content.replace(b"1", rng.choice((b"1e999", b"9" * 5000, b"-0", b"1" * 400)), 1)
    return content


def drawn_text(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged file of lines: sections, keys and values are others."""
    lines = content.decode().splitlines()
    if rng.random() < 0.2:
        return damaged(rng, content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(lines))
        key, equals, value = lines[at].partition("=")
        numbers = (*INTEGERS, *FLOATS, "1e400", "%(x)s", "%", "${x}", value * 500)
        others = (*TEXTS, rng.choice(lines), f"{key}={rng.choice(numbers)}", f"inherit={value}")
        lines[at] = rng.choice((*others, key, f"[{key}]", f"{value}{equals}{key}"))
    return "\n".join(lines).encode()
