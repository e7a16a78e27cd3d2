"""The firmware bundle of a network of several binaries, and the C that runs one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unspool.compilation.in_parts import CompiledParts
from unspool.compilation.in_parts import Port as Link
from unspool.errors import UnspoolError
from unspool.firmware import c_io, c_model, interface, readme_in_parts
from unspool.firmware.c_parts import Run
from unspool.firmware.identifiers import prefix
from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port
from unspool.tflite.ends import Tensor
from unspool.tflite.input_scaling import InputScaling
from unspool.tflite.signature import Signature


def of_parts(quantized: Sequence[bytes], compiled: CompiledParts, name: str) -> dict[str, str]:
    """The files of a firmware bundle of a network in parts.

    Each part has the files that `bundle` gives a network; `<name>_run.h` and `.c` run them all.

    Args:
        quantized: the quantized file of each part.
        compiled: what `deploy_in_parts` made of them.
        name: what files, functions and constants are named after; it is made a C identifier.

    Returns:
        file name -> text.

    Raises:
        UnspoolError: as `bundle`.
    """
    name = prefix(name)
    parts = _linked(quantized, compiled)
    texts = {}
    for number, (part, ports) in enumerate(zip(compiled.parts, parts, strict=True), 1):
        own = f"{name}_part_{number}"
        texts[f"{own}_model.h"] = c_model.header(own, part.compiled, ports.arena)
        texts[f"{own}_model.c"] = c_model.source(own, part.compiled)
        texts[f"{own}_io.h"] = c_io.header(own, ports)
        texts[f"{own}_io.c"] = c_io.source(own, ports)
    run = Run(name, compiled, parts)
    texts[f"{name}_run.h"] = run.header()
    texts[f"{name}_run.c"] = run.source()
    texts["README.md"] = readme_in_parts.text(name, compiled, run.arguments)
    return texts


def _linked(quantized: Sequence[bytes], compiled: CompiledParts) -> list[Interface]:
    """What each part takes and gives, and how that is stored which it takes of others."""
    stored: dict[str, Tensor] = {}
    scaled: dict[str, InputScaling | None] = {}
    linked = []
    for tflite, part in zip(quantized, compiled.parts, strict=True):
        own, signature = interface.read(tflite, part.compiled.tflite), Signature(tflite)
        links = {
            kind: dict(zip((tensor.name for tensor in tensors), ways, strict=True))
            for kind, tensors, ways in (
                ("input", signature.inputs, part.inputs),
                ("output", signature.outputs, part.outputs),
            )
        }
        for port in own.data_inputs:
            value = links["input"][port.tensor.name].value
            stored.setdefault(value, port.tensor)
            scaling = port.scaling and replace(port.scaling, input=value)
            if scaled.setdefault(value, scaling) != scaling:
                raise UnspoolError(
                    f"input {value!r} is scaled where one part reads it, and not for another: "
                    "there is no C for that; scale it for all that read it"
                )
        for port in own.data_outputs:
            stored[links["output"][port.tensor.name].value] = port.tensor
        linked_interface = replace(
            own,
            inputs=tuple(_linked_port(p, links["input"], stored) for p in own.inputs),
            outputs=tuple(_linked_port(p, links["output"], stored) for p in own.outputs),
            calls=own.calls or 1,
        )
        linked.append(linked_interface)
    return linked


def _linked_port(port: Port, links: Mapping[str, Link], stored: Mapping[str, Tensor]) -> Port:
    link = links.get(port.tensor.name)
    if link is None:  # a state
        return port
    before = stored[link.value]
    same = (before.scale, before.zero_point) == (port.tensor.scale, port.tensor.zero_point)
    return replace(
        port, backwards=link.backwards, stored_as=None if same else before, value=link.value
    )
