"""A network in parts, read back from the folder that it was written to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unspool import firmware
from unspool.compilation import vela
from unspool.compilation.in_parts import CompiledPart, Ends, Port, together
from unspool.compilation.targets import Target
from unspool.errors import UnspoolError
from unspool.parts.sizes import handed_on
from unspool.runtime import evaluation, linked
from unspool.runtime.labels import by_output
from unspool.runtime.linked import Linked
from unspool.runtime.scores import Score
from unspool.support import files, samples
from unspool.support.progress import Progress
from unspool.support.samples import OpenInput
from unspool.tflite.heads import VALUES, Head
from unspool.tflite.masks import Mask, computed, valid
from unspool.tflite.signature import Signature


@dataclass(frozen=True)
class InFolder:
    """The files of a network in parts, of one kind.

    Attributes:
        parts: in the order in which they run.
        steps_per_call: of each part; None for one that is called once.
        ends: what the network takes and gives.
    """

    parts: tuple[Linked, ...]
    steps_per_call: tuple[int | None, ...]
    ends: Ends

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
        values = linked.run(self.parts, linked.fed(self.ends, arrays), runtime, progress)
        return [values[name] for name in self.ends.outputs]

    def scored(
        self,
        outputs: Sequence[np.ndarray],
        arrays: Sequence[np.ndarray],
        labels: Any,
        runtime: str,
    ) -> list[Score | None]:
        """Compare outputs with labels; None for outputs without. Padded steps do not count.

        Raises:
            UnspoolError: the labels do not fit.
        """
        named = dict(zip(self.ends.outputs, outputs, strict=True))
        samples_of = dict(zip(self.ends.inputs, arrays, strict=True))
        unpadded = [valid(masks, samples_of) for masks in self.ends.padding]
        wanted = by_output(labels, self.ends.outputs)
        return evaluation.score_each(named, self._heads(), wanted, runtime, unpadded)

    def _described(self) -> dict[str, OpenInput]:
        """The network's inputs, as samples hold them."""
        open_inputs: dict[str, OpenInput] = {}
        for part in self.parts:
            described = Signature(part.tflite).of_samples()
            for port, each in zip(part.inputs, described, strict=True):
                if not port.backwards or port.value not in open_inputs:
                    open_inputs[port.value] = OpenInput(
                        port.value, each.shape, each.dtype, rows=each.rows
                    )
        return {name: open_inputs[name] for name in self.ends.inputs}

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
        network = InFolder(parts, steps, _ends(report))
        _check(network)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnspoolError(
            f"{folder / 'report.json'}: does not say how the parts of the network belong together "
            f"({error}); deploy again"
        ) from None
    return network


def _ends(report: Mapping[str, Any]) -> Ends:
    inputs, outputs = (
        tuple(str(port["name"]) for port in report["model"][side]) for side in ("inputs", "outputs")
    )
    masks = {_mask(each): each["outputs"] for each in report.get("masks", ())}
    padding = tuple(tuple(mask for mask in masks if name in masks[mask]) for name in outputs)
    return Ends(inputs, outputs, tuple(masks), padding)


def _mask(described: Mapping[str, Any]) -> Mask:
    name, source, value = (described[key] for key in ("input", "source", "value"))
    if not (isinstance(name, str) and isinstance(source, str) and isinstance(value, float | int)):
        raise ValueError(f"a mask is {dict(described)!r}")
    return Mask(name, source, float(value))


def _steps(described: Any) -> int | None:
    if described is None or (type(described) is int and described > 0):
        return described
    raise ValueError(f"steps_per_call is {described!r}")


def _port(described: Mapping[str, Any]) -> Port:
    value, *flags = (described[key] for key in ("value", "is_sequence", "backwards"))
    port = Port(value, *flags)
    if not isinstance(value, str) or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError(f"a port is {dict(described)!r}")
    if port.backwards and not port.is_sequence:
        raise ValueError(f"{value!r} goes backwards, and is no sequence")
    return port


def _check(network: InFolder) -> None:
    """Check that all that is there was given once, and is read by a part or an output.

    A part has as many inputs and outputs as its file has.
    """
    _check_masks(network.ends)
    there, read = list(network.ends.fed), {*network.ends.outputs, *computed(network.ends.masks)}
    for number, part in enumerate(network.parts, 1):
        signature = Signature(part.tflite)
        counts = len(signature.inputs), len(signature.outputs)
        if counts != (len(part.inputs), len(part.outputs)):
            raise ValueError(f"part {number} has {counts[0]} inputs and {counts[1]} outputs")
        missing = [port.value for port in part.inputs if port.value not in there]
        if missing:
            raise ValueError(f"part {number} takes {missing[0]!r}, which nothing gives")
        there += [port.value for port in part.outputs]
        read |= {port.value for port in part.inputs}
    for name, count in Counter(there).items():
        if count > 1:
            raise ValueError(f"{name!r} is given {count} times")
        if name not in read:
            raise ValueError(f"nothing reads {name!r}")
    missing = [name for name in network.ends.outputs if name not in there[len(network.ends.fed) :]]
    if missing:
        raise ValueError(f"nothing gives output {missing[0]!r}")


def _check_masks(ends: Ends) -> None:
    """Check that each mask is an input of the network, or computed from one."""
    sources = [mask.source or mask.input for mask in ends.masks]
    missing = [name for name in sources if name not in ends.inputs]
    if missing:
        raise ValueError(f"a mask is of {missing[0]!r}, which is no input")


def bundle(network: InFolder, binaries: InFolder, target: Target, name: str) -> dict[str, str]:
    """The firmware bundle of a network in parts, which is compiled again for its figures.

    Args:
        network: its quantized files.
        binaries: its compiled files.
        target: what they were compiled for.
        name: what files, functions and constants are named after; it is made a C identifier.

    Raises:
        UnspoolError: as `vela.compile` and `bundle`.
    """
    quantized = [part.tflite for part in network.parts]
    compiled = [
        CompiledPart(
            replace(vela.compile(part.tflite, target), tflite=binary.tflite),
            part.inputs,
            part.outputs,
            steps,
        )
        for part, binary, steps in zip(
            network.parts, binaries.parts, network.steps_per_call, strict=True
        )
    ]
    ends = network.ends
    whole = together(compiled, ends, handed_on(compiled, quantized, ends))
    return firmware.of_parts(quantized, whole, name)
