"""The C that runs a network in parts, `<name>_run.h` and `<name>_run.c`."""

from collections.abc import Sequence
from dataclasses import dataclass

from unspool.compilation.in_parts import CompiledParts
from unspool.firmware.c_run import own_ports
from unspool.firmware.identifiers import distinct
from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port
from unspool.firmware.templates import fill


@dataclass(frozen=True)
class Argument:
    """An argument of the function that runs a network in parts.

    Attributes:
        kind: "input" or "output".
        value: of the network.
        name: in C.
        part: the prefix of the part that reads, or gives, it.
        port: of that part.
    """

    kind: str
    value: str
    name: str
    part: str
    port: Port


@dataclass(frozen=True)
class Run:
    """The C that runs all parts, `<name>_run.h` and `<name>_run.c`."""

    name: str
    compiled: CompiledParts
    parts: Sequence[Interface]

    @property
    def arguments(self) -> list[Argument]:
        """All that the network takes and gives, by the part that reads, or gives, it first."""
        ports: dict[tuple[str, str], tuple[str, Port]] = {}
        for number, part in enumerate(self.parts, 1):
            for kind, _, port in own_ports(part):
                ports.setdefault((kind, port.value), (f"{self.name}_part_{number}", port))
        ends = self.compiled.ends
        inputs, outputs = distinct(ends.fed), distinct(ends.outputs)
        # A mask that no part reads says which steps of an output are padded, and is no argument.
        read = [("input", v, f"{inputs[v]}_in") for v in ends.fed if ("input", v) in ports]
        written = [("output", v, f"{outputs[v]}_out") for v in ends.outputs]
        return [Argument(k, v, name, *ports[k, v]) for k, v, name in (*read, *written)]

    def header(self) -> str:
        """The text of `<name>_run.h`."""
        numbers = range(1, len(self.parts) + 1)
        sources = "".join(f'#include "{self.name}_part_{n}_io.h"\n' for n in numbers)
        return fill(
            "run.h",
            name=self.name,
            parts=len(self.parts),
            arena=self.compiled.arena.size,
            headers=sources,
            declaration=self._declaration(),
        )

    def source(self) -> str:
        """The text of `<name>_run.c`."""
        size = max((place.end for place in self.compiled.handed_on.values()), default=0)
        buffer = fill("handed_on.c", name=self.name, words=size // 4) if size else ""
        calls = "".join(self._call(number, part) for number, part in enumerate(self.parts))
        return fill(
            "run.c",
            name=self.name,
            buffer=buffer,
            declaration=self._declaration(),
            calls=calls,
        )

    def _declaration(self) -> str:
        opening = f"int {self.name}_run("
        arguments = [f"const {self.name}_part parts[{self.name.upper()}_PARTS]"]
        for each in self.arguments:
            const = "const " * (each.kind == "input")
            arguments.append(f"{const}{each.port.c_type} *{each.name}")
        return opening + f",\n{' ' * len(opening)}".join(arguments) + ")"

    def _call(self, number: int, part: Interface) -> str:
        """The call of a part, counted from 0 on."""
        opening = f"    status = {self.name}_part_{number + 1}_run("
        own = [f"parts[{number}].{each}" for each in ("inputs", "outputs", "invoke", "context")]
        own += [self._place(port) for _, _, port in own_ports(part)]
        indent = f",\n{' ' * len(opening)}"
        return (
            f"{opening}{indent.join(own)});\n"
            "    if (status != 0) {\n        return status;\n    }\n"
        )

    def _place(self, port: Port) -> str:
        """Where a value lies."""
        for each in self.arguments:
            if each.value == port.value:
                return each.name
        return f"HANDED_ON({port.c_type}, {self.compiled.handed_on[port.value].start})"
