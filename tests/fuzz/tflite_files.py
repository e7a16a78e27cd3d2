"""Damaged .tflite files: of other bytes, other numbers and lists, and another command stream."""

import random
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from fuzz.damage import FLOATS, INTEGERS, TEXTS, damaged


def drawn(rng: random.Random, content: bytes) -> bytes:
    """The content of a damaged file.

    Args:
        rng: what is damaged.
        content: of a whole file.
    """
    kind = rng.random()
    if kind < 0.25:
        return damaged(rng, content)
    if kind < 0.5:
        return _other_words(rng, content)
    for _ in range(20):
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        with suppress(Exception), warnings.catch_warnings():  # what the format cannot hold
            warnings.simplefilter("ignore")
            for _ in range(rng.choice((1, 1, 2, 3))):
                rng.choice(_CHANGES)(rng, model)
            return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return damaged(rng, content)


def _other_words(rng: random.Random, content: bytes) -> bytes:
    """Four bytes are another number: an offset, a length, an index, a part of the NPU's stream."""
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(result) // 4) * 4
        (now,) = struct.unpack_from("<I", result, at)
        number = rng.choice((*INTEGERS, now + 1, now - 1, now * 2, now ^ 1 << rng.randrange(32)))
        struct.pack_into("<I", result, at, number % 2**32)
    return bytes(result)


def _sites(owner: Any) -> Iterator[tuple[Any, str, Any]]:
    """Each field of each object: (object, name, value)."""
    for name, value in vars(owner).items():
        yield owner, name, value
        for part in value if isinstance(value, list) else [value]:
            if type(part).__name__.endswith("T") and hasattr(part, "__dict__"):
                yield from _sites(part)


def _other_field(rng: random.Random, model: Any) -> None:
    """A kind of field is drawn first, so that tensors do not get all of it."""
    kinds: dict[tuple[str, str], list[tuple[Any, str, Any]]] = {}
    for site in _sites(model):
        kinds.setdefault((type(site[0]).__name__, site[1]), []).append(site)
    alike = kinds[rng.choice(sorted(kinds))]
    owner, name, now = rng.choice(alike)
    others = [other for _, _, other in alike]
    setattr(owner, name, _value(rng, now, others))


def _value(rng: random.Random, now: Any, others: list[Any]) -> Any:
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(others)
    if kind < 0.4:
        return None
    if isinstance(now, list) and now:
        return _list(rng, now)
    if isinstance(now, bytes):
        return rng.choice((*(text.encode() for text in TEXTS), b"\xff\xfe", now * 2, now[:-1]))
    if isinstance(now, np.ndarray):
        return np.frombuffer(damaged(rng, now.tobytes()), np.uint8)
    if isinstance(now, float):
        return rng.choice(FLOATS)
    if isinstance(now, int | np.integer):
        return rng.choice((*INTEGERS, int(now) + 1, int(now) - 1, 127, 32, 150))
    return now


def _list(rng: random.Random, now: list[Any]) -> list[Any]:
    entries, kind = list(now), rng.randrange(6)
    at = rng.randrange(len(entries))
    if kind == 0:
        del entries[at]
    elif kind == 1:
        entries.insert(at, rng.choice(entries))
    elif kind == 2:
        rng.shuffle(entries)
    elif kind == 3:
        entries = entries * rng.choice((0, 2, 50)) if len(entries) < 100 else entries[:1]
    elif isinstance(entries[at], float):
        entries[at] = rng.choice(FLOATS)
    elif isinstance(entries[at], int | np.integer):
        entries[at] = rng.choice((*INTEGERS, int(entries[at]) + 1, int(entries[at]) - 1))
    return entries


def _other_link(rng: random.Random, model: Any) -> None:
    """An operator reads, or writes, another tensor."""
    graph = rng.choice(model.subgraphs)
    op = rng.choice(graph.operators)
    for links in rng.choices((op.inputs, op.outputs, graph.inputs, graph.outputs), k=2):
        if len(links):
            links[rng.randrange(len(links))] = rng.randrange(-1, len(graph.tensors))


def _other_buffer(rng: random.Random, model: Any) -> None:
    buffer = rng.choice(model.buffers)
    if buffer.data is not None and len(buffer.data):
        buffer.data = np.frombuffer(damaged(rng, bytes(buffer.data)), np.uint8)


def _more_graphs(rng: random.Random, model: Any) -> None:
    model.subgraphs = model.subgraphs * rng.choice((0, 2, 3))


_CHANGES: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_other_field,) * 6,
    *(_other_link, _other_link, _other_buffer, _more_graphs),
)
