"""A network in parts, read back from the folder that it was written to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unspool import firmware
from unspool.compilation import vela
from unspool.compilation.in_parts import CompiledPart, Port, together
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.firmware import Ends
from unspool.parts.sizes import handed_on
from unspool.runtime import evaluation, linked
from unspool.runtime.labels import by_output
from unspool.runtime.linked import Linked
from unspool.runtime.scores import Score
from unspool.support import files, samples
from unspool.support.progress import Progress
from unspool.support.samples import OpenInput
from unspool.tflite.heads import VALUES, Head
from unspool.tflite.signature import Signature


@dataclass(frozen=True)
class InFolder:
    """The files of a network in parts, of one kind.

    Attributes:
        parts: in the order in which they run.
        steps_per_call: of each part; None for one that is called once.
        inputs: names of the network's inputs.
        outputs: names of its outputs.
    """

    parts: tuple[Linked, ...]
    steps_per_call: tuple[int | None, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def check(self, data: Any) -> list[np.ndarray]:
        """Check samples: one array (samples, ...) for each of the inputs.

        Raises:
            UnspoolError: they do not fit.
        """
        return samples.check(data, list(self._described().values()), "samples")

    def run(
        self, arrays: Sequence[np.ndarray], runtime: str, progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Outputs, one (samples, ...) each; as `linked.run`."""
        values = linked.run(
            self.parts, dict(zip(self.inputs, arrays, strict=True)), runtime, progress
        )
        return [values[name] for name in self.outputs]

    def scored(
        self, outputs: Sequence[np.ndarray], labels: Any, runtime: str
    ) -> list[Score | None]:
        """Compare outputs with labels; None for outputs without.

        Raises:
            UnspoolError: the labels do not fit.
        """
        named = dict(zip(self.outputs, outputs, strict=True))
        return evaluation.score_each(named, self._heads(), by_output(labels, self.outputs), runtime)

    def _described(self) -> dict[str, OpenInput]:
        """The network's inputs, as samples hold them."""
        found: dict[str, OpenInput] = {}
        for part in self.parts:
            described = Signature(part.tflite).of_samples()
            for port, each in zip(part.inputs, described, strict=True):
                if not port.backwards or port.value not in found:
                    found[port.value] = OpenInput(
                        port.value, each.shape, each.dtype, rows=each.rows
                    )
        return {name: found[name] for name in self.inputs}

    def _heads(self) -> dict[str, Head]:
        """How each output is read."""
        heads: dict[str, Head] = {}
        for part in self.parts:
            own = Signature(part.tflite).heads or (VALUES,) * len(part.outputs)
            heads |= {port.value: head for port, head in zip(part.outputs, own, strict=True)}
        return heads


def read(folder: Path, report: Mapping[str, Any], kind: str) -> InFolder:
    """The files of a network in parts.

    Args:
        folder: that `deploy_in_parts`' files were written to.
        report: its report.json, as `document.load` gives it.
        kind: "float", "int8", "int16" or "vela".

    Raises:
        UnspoolError: a file is missing, or the report does not say how they belong together.
    """
    try:
        described = report["parts"]
        parts = tuple(
            Linked(
                files.read(folder / f"model_{number}_{kind}.tflite"),
                tuple(_port(port) for port in part["inputs"]),
                tuple(_port(port) for port in part["outputs"]),
            )
            for number, part in enumerate(described, 1)
        )
        steps = tuple(_steps(part["steps_per_call"]) for part in described)
        inputs, outputs = (
            tuple(str(port["name"]) for port in report["model"][side])
            for side in ("inputs", "outputs")
        )
        found = InFolder(parts, steps, inputs, outputs)
        _check(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnspoolError(
            f"{folder / 'report.json'}: does not say how the parts of the network belong together "
            f"({error}); deploy again"
        ) from None
    return found


def _steps(described: Any) -> int | None:
    if described is None or type(described) is int:
        return described
    raise ValueError(f"steps_per_call is {described!r}")


def _port(described: Mapping[str, Any]) -> Port:
    value, *flags = (described[key] for key in ("value", "is_sequence", "backwards"))
    if not isinstance(value, str) or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError(f"a port is {dict(described)!r}")
    return Port(value, *flags)


def _check(found: InFolder) -> None:
    """Check that each part takes what is there, and as many values as its file has."""
    there = set(found.inputs)
    for number, part in enumerate(found.parts, 1):
        signature = Signature(part.tflite)
        counts = len(signature.inputs), len(signature.outputs)
        if counts != (len(part.inputs), len(part.outputs)):
            raise ValueError(f"part {number} has {counts[0]} inputs and {counts[1]} outputs")
        missing = [port.value for port in part.inputs if port.value not in there]
        if missing:
            raise ValueError(f"part {number} takes {missing[0]!r}, which nothing gives")
        there |= {port.value for port in part.outputs}
    missing = [name for name in found.outputs if name not in there]
    if missing:
        raise ValueError(f"nothing gives output {missing[0]!r}")


def bundle(network: InFolder, target: Target, name: str) -> dict[str, str]:
    """The firmware bundle of a network in parts, compiled again.

    Args:
        network: its quantized files.
        target: what to compile for.
        name: what files, functions and constants are named after; it is made a C identifier.

    Raises:
        UnspoolError: as `vela.compile` and `bundle`.
    """
    quantized = [part.tflite for part in network.parts]
    compiled = [
        CompiledPart(vela.compile(part.tflite, target), part.inputs, part.outputs, steps)
        for part, steps in zip(network.parts, network.steps_per_call, strict=True)
    ]
    whole = together(compiled, handed_on(compiled, quantized, network.outputs))
    return firmware.of_parts(quantized, whole, Ends(network.inputs, network.outputs), name)
