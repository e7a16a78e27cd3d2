"""Rewrite a command stream: copy tables to SRAM first, then read them there.

Registers keep their value until they are written again, and Vela leaves out writes that change
nothing. So a changed base cannot be patched in its place: the operations behind it may rely on
it. Instead, all writes of the six registers that say where tables are (`_PLACES`) are taken out,
and before each convolution those are written whose value is not the one it needs.
"""

from collections.abc import Iterator, Mapping, Sequence

from unspool.compilation.residency.commands import Command, command, encode, parse
from unspool.compilation.residency.tables import FAMILIES, Span, reads, slots
from unspool.errors import UnspoolError
from unspool.npu.decoder import Operation, decode
from unspool.npu.memory import READ_ONLY

_PLACES = frozenset(
    ("WEIGHT_REGION", "WEIGHT_BASE", "WEIGHT1_BASE", "SCALE_REGION", "SCALE_BASE", "SCALE1_BASE")
)


def rewrite(stream: bytes, spans: Sequence[Span], region: int) -> bytes:
    """The stream with one DMA per span at its start; operations read the copies in `region`.

    The copies are made anew in every inference: the host may use the memory in between.

    Raises:
        UnspoolError: the stream is damaged, or what came out is not the same program.
    """
    operations = {operation.position: operation for operation in decode(stream)}
    changed = encode(_rewritten(parse(stream), operations, spans, region))
    _check(stream, changed, spans, region)
    return changed


def _rewritten(
    commands: Sequence[Command],
    operations: Mapping[int, Operation],
    spans: Sequence[Span],
    region: int,
) -> Iterator[Command]:
    yield from _copies(spans, region)
    current: dict[str, int] = {}
    position, copying = 0, bool(spans)
    for item in commands:
        operation = operations.get(position)
        position += len(item.words)
        if item.name in _PLACES:
            continue
        if operation is not None:
            places = _places(operation, spans, region)
            for name, value in places.items():
                if current.get(name) != value:
                    yield command(name, value)
            current.update(places)
            # The last copy may run beside the operations that do not need it. Another DMA waits
            # for it too: so there is never more than one, whatever the queue of the NPU holds.
            if copying and (item.name == "DMA_START" or _moved(operation, spans)):
                yield command("DMA_WAIT")
                copying = False
        yield item


def _copies(spans: Sequence[Span], region: int) -> Iterator[Command]:
    """The DMAs. Vela's own DMAs write all registers that they use: nothing carries over."""
    for number, span in enumerate(spans):
        if number:
            yield command("DMA_WAIT")
        yield command("DMA0_SRC_REGION", READ_ONLY)
        yield command("DMA0_SRC", span.source)
        yield command("DMA0_DST_REGION", region)
        yield command("DMA0_DST", span.target)
        yield command("DMA0_LEN", span.size)
        yield command("DMA_START")


def _moved(operation: Operation, spans: Sequence[Span]) -> tuple[str, ...]:
    """The tables of an operation that lie in spans with all their parts."""
    return tuple(
        family
        for family in FAMILIES
        if (parts := reads(operation, family))
        and operation.registers[f"{family}_REGION"] == READ_ONLY
        and all(any(span.holds(*part) for span in spans) for part in parts)
    )


def _places(operation: Operation, spans: Sequence[Span], region: int) -> dict[str, int]:
    """The values of those registers in `_PLACES` that an operation uses."""
    if operation.kind not in ("CONV", "DEPTHWISE"):
        return {}
    registers, moved, places = operation.registers, _moved(operation, spans), {}
    for family in FAMILIES:
        places[f"{family}_REGION"] = region if family in moved else registers[f"{family}_REGION"]
        for slot in slots(registers):
            base = registers[f"{family}{slot}_BASE"]
            if family in moved:
                # A core without output channels has a table of no bytes, which is nowhere.
                length = registers[f"{family}{slot}_LENGTH"]
                matches = [span for span in spans if length and span.holds(base, length)]
                base += matches[0].target - matches[0].source if matches else 0
            places[f"{family}{slot}_BASE"] = base
    return places


def _check(old: bytes, new: bytes, spans: Sequence[Span], region: int) -> None:
    """Make sure that nothing has changed but the places, whatever the network's input is.

    Operation by operation, every register must have its old value, and every table must come
    from its old place or from the copy of that place.
    """
    before, after = decode(old), decode(new)
    copies, after = after[: len(spans)], after[len(spans) :]
    same = len(before) == len(after)
    for copy, span in zip(copies, spans, strict=False):
        same = same and copy.kind == "DMA_START" and _copied(copy) == (READ_ONLY, region, span)
    for was, now in zip(before, after, strict=False):
        names = set(was.registers.history) - _PLACES
        if was.kind.startswith("DMA"):
            names = {name for name in names if name.startswith("DMA")}
        else:
            names = {name for name in names if not name.startswith("DMA")}
        same = same and (was.kind, was.mode) == (now.kind, now.mode)
        same = same and all(was.registers.get(n) == now.registers.get(n) for n in names)
        same = same and all(
            _origin(now, family, spans, region) == _origin(was, family, (), region)
            for family in FAMILIES
        )
        if not same:
            raise UnspoolError(f"{was.name}: the rewritten stream has become another program")
    if not same:
        raise UnspoolError("the rewritten stream has other operations")


def _copied(copy: Operation) -> tuple[int, int, Span]:
    """(source region, target region, span) of a DMA."""
    registers = copy.registers
    places = (registers.address(f"DMA0_{name}") for name in ("SRC", "DST", "LEN"))
    return registers["DMA0_SRC_REGION"], registers["DMA0_DST_REGION"], Span(*places)


def _origin(
    operation: Operation, family: str, spans: Sequence[Span], region: int
) -> tuple[tuple[int, int, int], ...]:
    """(region, offset, bytes) of each part of a table, traced back through the copies."""
    result = []
    for base, length in reads(operation, family):
        place = operation.registers[f"{family}_REGION"], base
        for span in spans:
            inside = span.target <= base and base + length <= span.target + span.size
            if place[0] == region and inside:
                place = READ_ONLY, base - span.target + span.source
                break
        result.append((*place, length))
    return tuple(result)
