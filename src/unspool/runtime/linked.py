"""Files that hand values on, run one after the other: a network in parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unspool.compilation.in_parts import Ends, Port
from unspool.runtime import prediction
from unspool.support.progress import Progress
from unspool.tflite.masks import cleared, computed
from unspool.tflite.outside import Outside
from unspool.tflite.outside import outside as beyond
from unspool.tflite.signature import Signature


@dataclass(frozen=True)
class Linked:
    """A .tflite file, and what it takes of others and gives to them.

    Attributes:
        tflite: its bytes.
        inputs: one for each of its inputs that is no state.
        outputs: one for each of its outputs that is no state.
    """

    tflite: bytes
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def fed(ends: Ends, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What a network in parts begins with: its inputs, and the masks that are computed from them.

    Args:
        ends: what it takes.
        arrays: one (samples, ...) for each input.
    """
    values = dict(zip(ends.inputs, arrays, strict=True))
    masks = computed(ends.masks).items()
    return values | {name: mask.of(values[mask.source]) for name, mask in masks}


def run(
    parts: Sequence[Linked],
    values: Mapping[str, np.ndarray],
    runtime: str,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Run all parts on samples.

    Args:
        parts: in the order in which they run.
        values: as `fed` returns them: name -> (samples, ...).
        runtime: as `Session` takes it.
        progress: called now and then with the number of samples finished since.

    Returns:
        these and all that parts give: name -> (samples, ...), with time steps from the first to the
        last.
    """
    known = dict(values)
    shared = _shared(progress, len(parts)) if progress else None
    for part in parts:
        outputs = prediction.predict(part.tflite, taken(part.inputs, known), runtime, shared)
        known |= given_by(part.outputs, outputs)
    return known


def outside(parts: Sequence[Linked], values: Mapping[str, np.ndarray]) -> tuple[Outside, ...]:
    """Inputs of a network whose range some samples exceed, where they are first read.

    Args:
        parts: the quantized or compiled files.
        values: as `fed` returns them: name -> (samples, ...).
    """
    reaches: dict[str, Outside | None] = {}
    for part in parts:
        signature = Signature(part.tflite)
        scalings = {scaling.input: scaling for scaling in signature.scalings}
        for port, tensor in zip(part.inputs, signature.inputs, strict=True):
            if port.value in values and port.value not in reaches:
                (array,) = cleared(signature.masks, [tensor.name], [values[port.value]])
                reach = beyond(tensor, array, scalings.get(tensor.name))
                reaches[port.value] = reach and replace(reach, input=port.value)
    return tuple(filter(None, reaches.values()))


def taken(ports: Sequence[Port], values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What a part takes of some values: one array (samples, ...) for each of its inputs."""
    return [_turned(values[port.value], port) for port in ports]


def given_by(ports: Sequence[Port], outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What a part gives, by name, of one array (samples, ...) for each of its outputs."""
    return {p.value: _turned(array, p) for p, array in zip(ports, outputs, strict=True)}


def _turned(array: np.ndarray, port: Port) -> np.ndarray:
    """An array (samples, time, ...) as a port takes it, or back again."""
    return array[:, ::-1] if port.backwards else array


def _shared(progress: Progress, parts: int) -> Progress:
    """The progress of one part after the other, each of which runs all samples."""
    done = 0

    def more(samples: int) -> None:
        nonlocal done
        before, done = done // parts, done + samples
        progress(done // parts - before)

    return more
