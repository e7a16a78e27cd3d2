"""Damaged .pt2 files: of other bytes, other members, other weights, and other JSON."""

import json
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from fuzz import seeds
from fuzz.damage import INTEGERS, TEXTS, damaged

Members = list[tuple[str, bytes]]


def drawn(rng: random.Random) -> bytes:
    """The content of a damaged file."""
    content = seeds.drawn(rng, "pt2")
    kind = rng.random()
    if kind < 0.15:
        return damaged(rng, content)
    with ZipFile(BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    changes = _OF_JSON if kind < 0.7 else OF_MEMBERS
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(changes)(rng, members)
    result = zipped(members, ZIP_DEFLATED if rng.random() < 0.1 else ZIP_STORED)
    return lying(rng, result) if rng.random() < 0.05 else result


def zipped(members: Members, compression: int) -> bytes:
    """An archive of members."""
    made = BytesIO()
    with warnings.catch_warnings(), ZipFile(made, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def lying(rng: random.Random, content: bytes) -> bytes:
    """A directory that says other sizes than those of a member; one unpacks to gigabytes."""
    result = bytearray(content)
    at = result.find(b"PK\1\2", rng.randrange(len(result)))
    if at < 0:
        return content
    if rng.random() < 0.1:
        return _bomb(rng, content)
    place = at + rng.choice((10, 16, 20, 24, 42))  # method, sum, sizes, offset
    struct.pack_into("<I", result, place, rng.choice((0, 1, 8, 2**20, 2**31, 2**32 - 1)))
    return bytes(result)


@cache
def _zeros() -> bytes:
    """What unpacks to 5 GiB: the same block again and again."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = press.compress(bytes(2**24)) + press.flush(zlib.Z_FULL_FLUSH)
    return block * 320 + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def _bomb(rng: random.Random, content: bytes) -> bytes:
    """A file of which one member unpacks to gigabytes, whatever its directory says."""
    with ZipFile(BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    if not members:
        return content
    at = rng.randrange(len(members))
    name = members[at][0].encode()
    members[at] = (members[at][0], _zeros())
    result = bytearray(zipped(members, ZIP_STORED))
    size = rng.choice((100, 2**20, 2**31, 2**32 - 2))
    for mark, method in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        offset = result.find(mark)
        while offset >= 0:
            start = offset + (30 if method == 8 else 46)
            if result[start : start + len(name)] == name:
                struct.pack_into("<H", result, offset + method, ZIP_DEFLATED)
                struct.pack_into("<I", result, offset + method + 14, size)
            offset = result.find(mark, offset + 4)
    return bytes(result)


def _without(rng: random.Random, members: Members) -> None:
    if members:
        del members[rng.randrange(len(members))]


def _twice(rng: random.Random, members: Members) -> None:
    if members:
        members.append((rng.choice(members)[0], rng.choice(members)[1]))


def _renamed(rng: random.Random, members: Members) -> None:
    if members:
        at = rng.randrange(len(members))
        name, content = members[at]
        named = (f"../{name}", f"/{name}", name.upper(), rng.choice(members)[0], f"x/{name}")
        members[at] = (rng.choice((*named, *(text for text in TEXTS if text.strip("\0")))), content)


def _other_bytes(rng: random.Random, members: Members) -> None:
    if members:
        at = rng.randrange(len(members))
        members[at] = (members[at][0], damaged(rng, members[at][1]))


def _short_weights(rng: random.Random, members: Members) -> None:
    places = [
        n for n, (name, _) in enumerate(members) if "/weights/" in name and "json" not in name
    ]
    if places:
        at = rng.choice(places)
        name, content = members[at]
        members[at] = (name, rng.choice((b"", content[:-1], content[:-4], content * 2)))


def _deep(rng: random.Random, members: Members) -> None:
    """Lists in lists, in a JSON file's place or in it."""
    places = [n for n, (name, _) in enumerate(members) if name.endswith(".json")]
    if places:
        at, depth = rng.choice(places), rng.choice((50, 900, 5000, 200_000))
        name, content = members[at]
        deep = b"[" * depth + b"]" * depth
        within = content.replace(b"null", deep, 1) if rng.random() < 0.7 else deep
        members[at] = (name, within)


def _other_json(rng: random.Random, members: Members) -> None:
    places = [n for n, (name, _) in enumerate(members) if name.endswith(".json")]
    if not places:
        return
    at = rng.choice(places)
    members[at] = (members[at][0], changed_json(rng, members[at][1]))


def changed_json(rng: random.Random, content: bytes) -> bytes:
    """JSON of which some entry is another; what is no JSON stays."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content
    before = json.dumps(tree)
    for _ in range(9):
        if isinstance(tree, dict | list) and json.dumps(tree) == before:
            _change_one(rng, tree)
    return json.dumps(tree).encode()


def _change_one(rng: random.Random, tree: Any) -> None:
    """A kind of entry is drawn first, so that nodes do not get all of it."""
    sites: dict[str, list[tuple[Any, Any]]] = {}
    for parent, key, kind in _sites(tree, ""):
        sites.setdefault(kind, []).append((parent, key))
    if sites:
        alike = sites[rng.choice(sorted(sites))]
        _change(rng, *rng.choice(alike), alike)


def _sites(tree: Any, within: str) -> Iterator[tuple[Any, Any, str]]:
    """Each entry: what holds it, by what, and its kind."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in entries:
        kind = key if isinstance(key, str) else f"{within}[]"
        yield tree, key, kind
        if isinstance(value, dict | list):
            yield from _sites(value, kind)


def _change(rng: random.Random, parent: Any, key: Any, alike: list[tuple[Any, Any]]) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        rng.shuffle(parent)
    elif kind == 2 and isinstance(parent, list):
        parent.insert(key, parent[rng.randrange(len(parent))])
    elif kind < 4:
        other, place = rng.choice(alike)
        parent[key] = json.loads(json.dumps(other[place]))
    elif isinstance(parent[key], int) and rng.random() < 0.7:
        parent[key] = rng.choice((*INTEGERS, parent[key] + 1, parent[key] - 1))
    else:
        wrong: tuple[Any, ...] = (
            None,
            True,
            1.5,
            1e400,
            float("nan"),
            2**70,
            [],
            {},
            [[]],
            [0],
            {"as_int": 2**40},
        )
        parent[key] = rng.choice((*wrong, *TEXTS, *INTEGERS))


_OF_JSON: tuple[Callable[[random.Random, Members], None], ...] = (_other_json,) * 9 + (_deep,)
OF_MEMBERS = (_without, _twice, _renamed, _other_bytes, _short_weights, _other_json)
