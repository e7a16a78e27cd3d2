"""The README.md of a bundle of a network in parts."""

from collections.abc import Sequence

from unspool.compilation.in_parts import CompiledPart, CompiledParts
from unspool.firmware import c_run, readme, regions, resolver
from unspool.firmware.c_parts import Argument
from unspool.firmware.identifiers import in_markdown, printable
from unspool.firmware.regions import Regions
from unspool.firmware.templates import fill
from unspool.tflite import flatbuffer


def text(name: str, compiled: CompiledParts, arguments: Sequence[Argument]) -> str:
    """The text of `README.md`.

    Args:
        name: of the bundle.
        compiled: the binaries.
        arguments: all that the network takes and gives.
    """
    places, numbers = regions.of(compiled.target), range(1, len(compiled.parts) + 1)
    added = dict.fromkeys(
        call
        for part in compiled.parts
        for call in resolver.calls(flatbuffer.read(part.compiled.tflite))
    )
    fast = compiled.arena.fast_scratch
    inputs = [each for each in arguments if each.kind == "input"]
    outputs = [each for each in arguments if each.kind == "output"]
    return fill(
        "readme_in_parts.md",
        name=name,
        target=in_markdown(str(compiled.target)),
        accelerator=compiled.target.accelerator,
        vela=in_markdown(compiled.vela_version),
        parts=len(compiled.parts),
        part_rows="\n".join(map(_part_row, numbers, compiled.parts)),
        memory_rows=_memory_rows(name, compiled, places),
        memory_notes=_memory_notes(name, places),
        driver=readme.driver(places),
        arena_memory=places.arena,
        fast_memory=f"alignas(16) static uint8_t fast_scratch[{fast}];  // {places.fast}\n"
        * bool(fast),
        fast_arguments="fast_scratch, sizeof fast_scratch" if fast else "nullptr, 0",
        headers="\n".join(f'#include "{name}_part_{n}_model.h"' for n in numbers),
        resolver_size=len(added),
        resolver_calls="\n".join(f"resolver.{call}();" for call in added),
        interpreters="\n".join(_interpreter(name, n) for n in numbers),
        allocated=" || ".join(f"part_{n}.AllocateTensors() != kTfLiteOk" for n in numbers),
        ways="\n".join(_ways(name, n) for n in numbers),
        rows="\n".join(_row(n) for n in numbers),
        buffers="\n".join(_buffer(each) for each in arguments),
        quantize="".join(map(_converted, inputs)),
        run=f"{name}_run(parts, {', '.join(each.name for each in arguments)})",
        dequantize="".join(map(_converted, outputs)),
        figure_rows=readme.figure_rows(compiled),
    )


def _part_row(number: int, part: CompiledPart) -> str:
    compiled, steps = part.compiled, part.steps_per_call
    takes = ", ".join(
        f"`{printable(port.value)}`{' from its end' * port.backwards}" for port in part.inputs
    )
    called = "once" if steps is None else f"{compiled.calls} times, {steps} steps each"
    operators = f"{compiled.npu_operators} on the NPU, {len(compiled.cpu_operators)} on the CPU"
    return f"| {number} | {takes} | {called} | {operators} | {compiled.cycles:,} |"


def _memory_rows(name: str, compiled: CompiledParts, places: Regions) -> str:
    model = "SRAM, copied there at start-up" if places.model == "SRAM" else places.model
    rows = [
        (f"`{name}_part_{number}_model`", len(part.compiled.tflite), model)
        for number, part in enumerate(compiled.parts, 1)
    ]
    rows.append((f"arena, `{name.upper()}_ARENA_SIZE`", compiled.arena.size, places.arena))
    if compiled.handed_on:
        size = int(1024 * compiled.handed_on_kib)
        rows.append((f"`{name}_handed_on`, in `{name}_run.c`", size, "the core's data memory"))
    if compiled.arena.fast_scratch:
        rows.append(("fast scratch", compiled.arena.fast_scratch, f"{places.fast}, for the NPU"))
    return "\n".join(f"| {what} | {size:,} | {where} |" for what, size, where in rows)


def _memory_notes(name: str, places: Regions) -> str:
    if places.model != "SRAM":
        return ""
    return (
        "\n\nIn this memory mode the NPU reads the networks from SRAM: give their arrays a section "
        f"that your\nstart-up code copies there (`{name.upper()}_PART_1_MODEL_SECTION` and so on)."
    )


def _interpreter(name: str, number: int) -> str:
    part = f"part_{number}"
    return (
        f"static tflite::MicroInterpreter {part}(\n"
        f"    tflite::GetModel({name}_{part}_model), resolver, allocator);"
    )


def _ways(name: str, number: int) -> str:
    """Where the data of a part's inputs and outputs lies, once it is allocated."""
    part, macros = f"part_{number}", f"{name}_PART_{number}".upper()
    return (
        f"static void *{part}_inputs[{macros}_INPUTS], *{part}_outputs[{macros}_OUTPUTS];\n"
        f"for (int i = 0; i < {macros}_INPUTS; i++) "
        f"{part}_inputs[i] = {part}.input(i)->data.data;\n"
        f"for (int i = 0; i < {macros}_OUTPUTS; i++) "
        f"{part}_outputs[i] = {part}.output(i)->data.data;"
    )


def _row(number: int) -> str:
    part = f"part_{number}"
    return f"    {{{part}_inputs, {part}_outputs, invoke, &{part}}},"


def _buffer(argument: Argument) -> str:
    calls = f" * {argument.part.upper()}_CALLS" * argument.port.is_cut
    count = c_run.per_call(argument.part, argument.kind, argument.port)
    return f"static {argument.port.c_type} {argument.name}[{count}{calls}];"


def _converted(argument: Argument) -> str:
    return c_run.converted(argument.part, argument.kind, argument.name, argument.port)
