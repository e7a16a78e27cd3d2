"""The C of `<name>_model.h` and `<name>_model.c`."""

from unspool.compilation.arena import Arena
from unspool.compilation.compiled import Compiled
from unspool.firmware import resolver
from unspool.firmware.identifiers import printable
from unspool.firmware.templates import fill
from unspool.tflite import flatbuffer

_BYTES_PER_LINE = 16


def header(name: str, compiled: Compiled, arena: Arena) -> str:
    """The text of `<name>_model.h`."""
    planned = str(arena.planned)
    fast = ""
    if arena.fast_scratch:
        fast = (
            "\n/* Bytes of dedicated SRAM to give to ethosu_init() as fast memory, aligned to 16:\n"
            " * Vela's fast scratch tensor. */\n"
            f"#define {name.upper()}_FAST_SCRATCH_SIZE {arena.fast_scratch}u\n"
        )
    return fill(
        "model.h",
        name=name,
        target=printable(str(compiled.target)),
        vela=printable(compiled.vela_version),
        npu_operators=compiled.npu_operators,
        cpu_operators=len(compiled.cpu_operators),
        resolver=", ".join(resolver.calls(flatbuffer.read(compiled.tflite))),
        model_size=len(compiled.tflite),
        planned=planned,
        planned_pad=" " * len(planned),
        scratch=f"{arena.scratch} bytes",
        bookkeeping=arena.bookkeeping,
        arena=arena.size,
        fast_scratch=fast,
    )


def source(name: str, compiled: Compiled) -> str:
    """The text of `<name>_model.c`."""
    content = compiled.tflite
    lines = (
        "    " + " ".join(f"0x{byte:02x}," for byte in content[start : start + _BYTES_PER_LINE])
        for start in range(0, len(content), _BYTES_PER_LINE)
    )
    return fill("model.c", name=name, bytes="\n".join(lines))
