"""Load a .pt2 file as a Keras model."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx import first_states
from unspool.frontend.onnx.assembling import assembled
from unspool.frontend.onnx.cells import CELLS, cells
from unspool.frontend.onnx.graph import MOST_IN_ALL, Ends, Graph, Node, Rounded, check_entries
from unspool.frontend.onnx.joins import apart
from unspool.frontend.onnx.names import renamed
from unspool.frontend.onnx.quantized import without_pairs
from unspool.frontend.onnx.rolling import rolled
from unspool.frontend.torch import (
    archive,
    aten,
    aten_composed,
    aten_curves,
    moves,
    program,
    rounding,
)
from unspool.frontend.torch.archive import Program
from unspool.frontend.torch.program import Call, Fed, Ref
from unspool.frontend.torch.translation import Translation

TRANSLATIONS = {
    **aten.TRANSLATIONS,
    **aten_curves.TRANSLATIONS,
    **aten_composed.TRANSLATIONS,
    **moves.TRANSLATIONS,
    **rounding.TRANSLATIONS,
}

_OPSET = 21
"""The version of ONNX's operators that programs are written in: since this one a GroupNormalization
has weights for each channel, as PyTorch's."""


def load_program(path: Path, time_steps: int | None = None) -> Any:
    """A Keras functional model of a program that torch.export.save wrote, its layers real ones.

    Args:
        path: the file.
        time_steps: length of the sequence; None takes the file's, or leaves it open as the file.

    Raises:
        UnspoolError: the file cannot be read, or a call has no form; the message names it.
    """
    program_ = archive.read(path)
    return assembled(_graph(program_, time_steps), partial(_graph, program_))


def _graph(program_: Program, time_steps: int | None) -> Graph:
    fed, listed = program.fed(program_), program.calls(program_)
    shapes = program.shapes(program_)
    ends = [_end(one, listed, shapes, time_steps) for one in fed]
    nodes, to, rounded = _written(program_, listed, {})
    numbered = first_states.numbered(nodes, ends)
    if numbered:
        nodes, to, rounded = _written(program_, listed, numbered)
    outputs, changed = program.outputs(program_), _changed(fed, ends)
    graph = first_states.as_graph(
        *(nodes, to.constants, ends, outputs, numbered, _OPSET, changed),
        program.listed(program_, to.between),
    )
    return replace(graph, rounded=rounded)


def _written(
    program_: Program, listed: list[Call], numbered: Mapping[str, np.ndarray]
) -> tuple[tuple[Node, ...], Translation, dict[str, Rounded]]:
    """The nodes that calls become, steps of cells rolled up; what they were written in; values that
    the program rounds.
    """
    shapes = program.shapes(program_)
    read = frozenset(program.reads(program_))
    weights = {**program.weights(program_), **numbered}
    to = _translated(listed, Translation(weights, shapes, read=read))
    outputs = program.outputs(program_)
    every, rounded = without_pairs(to.nodes, to.constants, outputs)
    steps = [node for node in every if node.op in CELLS]
    nodes = [node for node in every if node.op not in CELLS]
    whole = apart(nodes, to.constants, lambda: shapes)
    by_hand = cells(whole, to.constants, outputs)
    nodes, steps = (whole if by_hand else nodes), [*steps, *by_hand]
    layers = rolled(nodes, steps, to.constants, shapes, outputs)
    return renamed(layers), to, rounded


def _translated(listed: list[Call], to: Translation) -> Translation:
    total = 0
    for call in listed:
        where = call.module or call.outputs[0]
        translate = TRANSLATIONS.get(call.target, rounding.REFUSED.get(call.target))
        if translate is None:
            raise UnspoolError(
                f"module {where!r}: the operator {call.target} of .pt2 files has no form here; "
                "export the model as .onnx, where others may stand for it (and a .pt2 without "
                "run_decompositions()), or leave it out of what is exported"
            )
        to.module, first, known = call.module, len(to.nodes), len(to.constants)
        try:
            translate(call, to)
            total += sum(value.size for value in islice(to.constants.values(), known, None))
            check_entries("and those before make constants", [total], MOST_IN_ALL)
        except UnspoolError as error:
            raise UnspoolError(f"module {where!r}: its {call.target} {error}") from None
        values = (name for node in to.nodes[first:] for name in node.outputs)
        to.between[call.outputs[0]] = tuple(values)
    return to


def _end(
    one: Fed,
    listed: list[Call],
    shapes: Mapping[str, tuple[int, ...]],
    time_steps: int | None,
) -> Ends:
    """An input with a batch of one, and the length that is asked for."""
    batch, time = _roles(one, listed, shapes)
    shape = list(one.shape)
    if shape and batch is not None:
        shape[batch] = 1
    opened = time is not None and time in one.open and time_steps is None
    if time is not None and time_steps is not None:
        shape[time] = time_steps
    return Ends(one.name, tuple(shape), batch, one.dtype, time if opened else None)


def _roles(
    one: Fed, listed: list[Call], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int | None, int | None]:
    """The axes of batch and time: as a recurrent layer reads the input, else by their sizes.

    One sequence, (time, features), has no batch: the layer itself makes one of it.
    """
    same = {one.name}  # with the axes of the input
    alone: dict[str, int] = {}  # what it is as a batch, and the axis of that
    for call in listed:
        reads = call.get("input", call.get("self"))
        named = reads.name if isinstance(reads, Ref) else ""
        if named in same and _keeps_axes(call, named, shapes):
            same.update(call.outputs)
        if named in same and call.target.split(".")[0] == "unsqueeze" and len(one.shape) == 2:
            alone[call.outputs[0]] = int(call["dim"])
        if named in same and call.target.split(".")[0] in ("gru", "lstm", *_PLAIN):
            return (0, 1) if call.get("batch_first", False) else (1, 0)
        if alone.get(named) == (0 if call.get("batch_first", False) else 1):
            return None, 0
        states = call.get("hx")
        if call.target.endswith("_cell"):  # of (batch, features) and (batch, units)
            continue
        if Ref(one.name) in (states if isinstance(states, list) else [states]):
            return 1, None
    if len(one.shape) < 3:
        return 0, None
    batch = next((axis for axis, size in enumerate(one.shape) if size == 1), 0)
    return batch, next((axis for axis in one.open if axis != batch), None)


_PLAIN = ("rnn_tanh", "rnn_relu")


def _keeps_axes(call: Call, reads: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a call works on the last axis, or on each entry: others stay what they are."""
    before, after = shapes.get(reads, ()), shapes.get(call.outputs[0], ())
    is_moved = call.target in moves.TRANSLATIONS or call.target.startswith("conv")
    return not is_moved and len(before) == len(after) and before[:-1] == after[:-1]


def _changed(fed: tuple[Fed, ...], ends: list[Ends]) -> dict[int, int]:
    """Sizes of the example that are others now."""
    pairs = [
        pair
        for one, end in zip(fed, ends, strict=True)
        for pair in zip(one.shape, end.shape, strict=True)
    ]
    return {old: new for old, new in pairs if old != new}
