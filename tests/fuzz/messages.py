"""A message of protobuf of which some field is another, whichever it is."""

import random
from collections.abc import Iterator
from typing import Any

from fuzz.damage import FLOATS, INTEGERS, TEXTS, damaged


def _all(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if _repeats(field) else [value]:
                yield from _all(one)


def _repeats(field: Any) -> bool:
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)  # of protobuf before 6.31


def changed(rng: random.Random, model: Any) -> None:
    """Change one field."""
    before = model.SerializeToString(deterministic=True)
    for _ in range(9):
        _change(rng, model)
        if model.SerializeToString(deterministic=True) != before:
            return


def _change(rng: random.Random, model: Any) -> None:
    """A kind of field is drawn first, so that weights do not get all of it."""
    messages = list(_all(model))
    kinds: dict[str, list[tuple[Any, Any]]] = {}
    for message in messages:
        fields = [field for field, _ in message.ListFields()]
        if rng.random() < 0.05:
            fields = list(message.DESCRIPTOR.fields)
        for field in fields:
            kinds.setdefault(field.full_name, []).append((message, field))
    if not kinds:
        return
    sites = kinds[rng.choice(sorted(kinds))]
    message, field = rng.choice(sites)
    if _repeats(field):
        _change_list(rng, message, field, sites)
    elif field.type == field.TYPE_MESSAGE:
        other = getattr(rng.choice(sites)[0], field.name)
        copied = type(other)()
        copied.CopyFrom(other)
        message.ClearField(field.name)
        if rng.random() < 0.7:
            getattr(message, field.name).CopyFrom(copied)
    else:
        others = [getattr(one, field.name) for one, _ in sites]
        _set(message, field, _value(rng, field, getattr(message, field.name), others))


def _change_list(rng: random.Random, message: Any, field: Any, sites: list[Any]) -> None:
    entries, kind = list(getattr(message, field.name)), rng.randrange(6)
    at = rng.randrange(len(entries) + 1)
    others = [one for place, _ in sites for one in getattr(place, field.name)]
    if kind == 0:
        del entries[at : at + 1]
    elif kind == 1 and others:
        entries.insert(at, rng.choice(others))
    elif kind == 2:
        rng.shuffle(entries)
    elif kind == 3:
        entries = entries * rng.choice((0, 2, 50)) if len(entries) < 100 else entries[:1]
    elif at < len(entries) and field.type != field.TYPE_MESSAGE:
        entries[at] = _value(rng, field, entries[at], others)
    elif others:
        entries[at : at + 1] = [rng.choice(others)]
    _set(message, field, entries)


def _value(rng: random.Random, field: Any, now: Any, others: list[Any]) -> Any:
    if others and rng.random() < 0.4:
        return rng.choice(others)
    if field.type == field.TYPE_ENUM:
        return rng.randrange(32)
    if field.type == field.TYPE_BYTES:
        return rng.choice((b"", now * 2, now[:-1], damaged(rng, now), b"x" * 4096))
    if field.type == field.TYPE_STRING:
        return rng.choice((*TEXTS, now + "x", now[:-1]))
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.choice(FLOATS)
    return rng.choice((*INTEGERS, now + 1, now - 1, -now, now * 2))


def _set(message: Any, field: Any, value: Any) -> None:
    try:
        if not _repeats(field):
            setattr(message, field.name, value)
            return
        copies = []
        for one in value:
            copies.append(one)
            if field.type == field.TYPE_MESSAGE:
                copies[-1] = type(one)()
                copies[-1].CopyFrom(one)
        message.ClearField(field.name)
        getattr(message, field.name).extend(copies)
    except (ValueError, TypeError):  # a number that the field cannot hold
        pass
