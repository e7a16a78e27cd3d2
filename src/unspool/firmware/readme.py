"""The bundle's README.md: what to write around the C, and where everything lies."""

from unspool.compilation.compiled import Compiled
from unspool.firmware import c_run, regions, resolver
from unspool.firmware.identifiers import in_markdown, printable
from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port
from unspool.firmware.regions import Regions
from unspool.firmware.templates import fill
from unspool.tflite import flatbuffer


def text(name: str, compiled: Compiled, interface: Interface) -> str:
    """The text of `README.md`."""
    arena, places = interface.arena, regions.of(compiled.target)
    added = resolver.calls(flatbuffer.read(compiled.tflite))
    return fill(
        "readme.md",
        name=name,
        target=in_markdown(str(compiled.target)),
        accelerator=compiled.target.accelerator,
        vela=in_markdown(compiled.vela_version),
        npu_operators=compiled.npu_operators,
        cpu_operators=len(compiled.cpu_operators),
        cpu_list=_cpu_list(compiled),
        cut=_cut(interface),
        io_purpose=_purpose(interface),
        memory_rows=_memory_rows(name, compiled, interface, places),
        planned=arena.planned,
        bookkeeping=arena.bookkeeping,
        arena_note=(
            " The kernels of the operators on the CPU may ask for more."
            if compiled.cpu_operators
            else ""
        ),
        memory_notes=_memory_notes(name, interface, places),
        driver=driver(places),
        arena_memory=places.arena,
        **_fast_scratch(name, interface, places),
        resolver_size=len(added),
        resolver_calls="\n".join(f"resolver.{call}();" for call in added),
        model_pointer=f"{name}_model_in_sram" if copied_to_sram(places) else f"{name}_model",
        **_use(name, interface),
        port_rows=_port_rows(interface),
        states=_states(name, interface),
        figure_rows=figure_rows(compiled),
    )


def _cut(interface: Interface) -> str:
    if not interface.cut:
        return ""
    return f"\nIt is a part of the model's file: {in_markdown(interface.cut)}."


def _use(name: str, interface: Interface) -> dict[str, str]:
    """What is run, and the calls that run it."""
    if interface.calls:
        return {
            "reset_call": "",
            "sample": "sequence",
            "loop": c_run.example(name, interface),
            "calls": f"\n\nA sequence takes {interface.calls} calls of the network, which "
            f"`{name}_run` makes: it sets the\nstates to what they start with, and carries them "
            "from call to call.",
        }
    return {
        "reset_call": f"{name}_reset_states(inputs);\n" if interface.states else "",
        "sample": "chunk of the stream" if interface.states else "sample",
        "loop": _loop(name, interface),
        "calls": "",
    }


def _fast_scratch(name: str, interface: Interface, places: Regions) -> dict[str, str]:
    """The declaration of the fast scratch memory, and what the driver is given of it."""
    if not interface.arena.fast_scratch:
        return {"fast_memory": "", "fast_arguments": "nullptr, 0"}
    size = f"{name.upper()}_FAST_SCRATCH_SIZE"
    declared = f"alignas(16) static uint8_t fast_scratch[{size}];"
    return {
        "fast_memory": f"{declared}  // {places.fast}, for the NPU\n",
        "fast_arguments": f"fast_scratch, {size}",
    }


def _cpu_list(compiled: Compiled) -> str:
    if not compiled.cpu_operators:
        return ""
    lines = (
        f"- {in_markdown(op.kind)} `{printable(op.name)}`: "
        f"{in_markdown(op.reason) or 'Vela gives no reason'}"
        for op in compiled.cpu_operators
    )
    return "\n\nOn the CPU:\n\n" + "\n".join(lines)


def _purpose(interface: Interface) -> str:
    return "inputs, outputs and states" if interface.states else "inputs and outputs"


def copied_to_sram(places: Regions) -> bool:
    """Whether the network, which starts in flash, must be in SRAM when it runs."""
    return places.model == "SRAM"


def _memory_rows(name: str, compiled: Compiled, interface: Interface, places: Regions) -> str:
    arena = interface.arena
    where = "SRAM, copied there at start-up" if copied_to_sram(places) else places.model
    rows = [
        (f"`{name}_model`: weights and command stream", len(compiled.tflite), where),
        (f"arena, `{name.upper()}_ARENA_SIZE`", arena.size, places.arena),
    ]
    if arena.fast_scratch:
        what = f"fast scratch, `{name.upper()}_FAST_SCRATCH_SIZE`"
        rows.append((what, arena.fast_scratch, f"{places.fast}, used by the NPU alone"))
    return "\n".join(f"| {what} | {size:,} | {where} |" for what, size, where in rows)


def _memory_notes(name: str, interface: Interface, places: Regions) -> str:
    notes = ""
    if copied_to_sram(places):
        notes += (
            "\n\nIn this memory mode the NPU reads the network from SRAM. Give the array a section "
            f"that your\nstart-up code copies to SRAM (`{name.upper()}_MODEL_SECTION`), or copy it "
            f"yourself to an array\n`{name}_model_in_sram` aligned to 16 bytes before the "
            "interpreter is made. In the first case\npass `"
            f"{name}_model` itself to `GetModel` below."
        )
    if interface.arena.fast_scratch:
        notes += (
            "\n\nThe driver must get the fast scratch (`ethosu_init` below): without it, the NPU "
            "would use the\nstart of the arena for both scratch tensors at once. TFLM reserves the "
            "fast scratch in the\narena all the same; that part stays unused."
        )
    return notes


def driver(places: Regions) -> str:
    """How the driver is built, in Markdown."""
    if not places.changed:
        return (
            "the driver's defaults (`NPU_QCONFIG`, `NPU_REGIONCFG_0` to `_2`, as of 2026) fit this "
            "memory mode."
        )
    flags = " ".join(f"-D{macro}={value}" for macro, value in places.settings.items())
    return f"`{flags}`\n(its defaults, as of 2026, differ in {', '.join(places.changed)})."


def _loop(name: str, interface: Interface) -> str:
    macro = name.upper()
    lines = [
        f"{name}_{_verb(port)}_{port.identifier}("
        f"{'steps' if port.is_mask else port.identifier}, "
        f"({port.tensor.dtype}_t *)inputs[{macro}_INPUT_{port.identifier.upper()}_INDEX]);"
        f"{'  // steps: how many are not padded' * port.is_mask}"
        for port in interface.data_inputs
    ]
    lines.append("if (interpreter.Invoke() != kTfLiteOk) { /* the driver refused: see its log */ }")
    lines += [
        f"{name}_dequantize_{port.identifier}("
        f"(const {port.tensor.dtype}_t *)outputs[{macro}_OUTPUT_{port.identifier.upper()}_INDEX], "
        f"{port.identifier});"
        for port in interface.data_outputs
    ]
    if interface.states:
        lines.append(f"{name}_copy_states(inputs, outputs);")
    return "".join(f"{line}\n" for line in lines)


def _verb(port: Port) -> str:
    """What the function is called that writes an input."""
    if port.holds_ids:
        return "put"
    return "fill" if port.is_mask else "quantize"


def _port_rows(interface: Interface) -> str:
    def row(kind: str, port: Port) -> str:
        tensor = port.tensor
        shape = ", ".join(map(str, tensor.shape))
        meaning = f"{tensor.scale:.9g} | {tensor.zero_point}"
        if port.holds_ids:
            meaning = f"ids{f' below {port.rows}' if port.rows else ''} |"
        return (
            f"| {kind}({port.index}) | `{printable(tensor.name)}` | {tensor.dtype} | ({shape}) "
            f"| {meaning} |"
        )

    rows = [row("input", port) for port in interface.inputs]
    return "\n".join(rows + [row("output", port) for port in interface.outputs])


def _states(name: str, interface: Interface) -> str:
    if not interface.states:
        return (
            "This network has no state inputs and outputs (`<layer>/h_in` and `<layer>/h_out`): "
            "every\ninference stands alone, and there is nothing to reset or to carry."
        )
    pairs = "\n".join(
        f"- `{printable(s.source.tensor.name)}` to `{printable(s.target.tensor.name)}`, "
        f"{s.target.size} bytes"
        for s in interface.states
    )
    buffer_size = sum(state.target.size for state in interface.buffered)
    waits = f" {buffer_size} bytes of them wait on the stack meanwhile." if buffer_size else ""
    first = "what they start with" if any(s.initial for s in interface.states) else "0"
    fills = ""
    if interface.warm_up:
        fills = (
            f"\n\nThe outputs of the first {interface.warm_up} inferences after that, "
            f"`{name.upper()}_WARM_UP`, are of no use: windows of the\nsequence are not full yet, "
            f"and `{name}_copy_states` holds the states behind them."
        )
    reset = (
        f" `{name}_reset_states` sets them to {first}: before the\nfirst inference, and where a "
        "new sequence starts."
        if interface.reset
        else ""
    )
    beginnings = "".join(
        f"\n`{printable(state.target.tensor.name)}` begins with what `{name}_run` is given."
        for state in interface.states
        if state.target.begins_state
    )
    return (
        "States, which are the same bytes as output and as input:\n\n"
        f"{pairs}\n\n`{name}_copy_states` feeds them back after each inference, in an order that "
        f"fits Vela's memory\nplan.{waits}{reset}{beginnings}{fills}"
    )


def figure_rows(compiled: Compiled) -> str:
    """What an inference takes, as rows of a table in Markdown."""
    rows = [
        *[("calls of an inference", f"{compiled.calls:,}")] * (compiled.calls > 1),
        ("NPU cycles of an inference", f"{compiled.cycles:,}"),
        ("time of an inference", f"{compiled.milliseconds:.3f} ms"),
        ("SRAM", f"{compiled.sram_kib:.1f} KiB"),
        ("DRAM", f"{compiled.dram_kib:.1f} KiB"),
        ("flash", f"{compiled.flash_kib:.1f} KiB"),
        ("compressed weights and scales", f"{compiled.weights_kib:.1f} KiB"),
        ("multiply-accumulates of an inference", f"{compiled.macs:,}"),
    ]
    return "\n".join(f"| {figure} | {value} |" for figure, value in rows)
