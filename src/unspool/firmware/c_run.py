"""The C that runs a network on a whole sequence, in several calls."""

import numpy as np

from unspool.firmware.identifiers import c_float
from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port, macro
from unspool.tflite.ends import Tensor

_NEW_LINE = "\n"  # within the braces of an f-string, before Python 3.12


def function(name: str, interface: Interface) -> tuple[str, str, str]:
    """(comment, declaration, body) of `<name>_run`."""
    ports = own_ports(interface)
    begin = [entry for entry in ports if entry[2].begins_state]
    in_each = [entry for entry in ports if entry not in begin]
    opening = f"int {name}_run("
    arguments = [
        f"void *const inputs[{name.upper()}_INPUTS]",
        f"void *const outputs[{name.upper()}_OUTPUTS]",
        "int (*invoke)(void *context), void *context",
        *(f"{'const ' * (kind == 'input')}{port.c_type} *{own}" for kind, own, port in ports),
    ]
    return (
        f"A whole sequence, from initial states: {name.upper()}_CALLS calls of the network.\n"
        " * It takes and gives stored values, those of a call after those of another; of an\n"
        " * output that is not in time, those of the last call. invoke runs the network once and\n"
        " * returns 0 if that went well; what else it returns ends the sequence and is returned.",
        opening + f",\n{' ' * len(opening)}".join(arguments) + ")",
        f"    int32_t call{_counters(ports)};\n    int status;\n\n"
        f"{f'    {name}_reset_states(inputs);{_NEW_LINE}' * bool(interface.reset)}"
        f"{_before_the_calls(_copies(name, begin, 'input'))}"
        f"    for (call = 0; call < {name.upper()}_CALLS; call++) {{\n"
        f"{_copies(name, in_each, 'input')}"
        "        status = invoke(context);\n"
        "        if (status != 0) {\n            return status;\n        }\n"
        f"{_copies(name, in_each, 'output')}"
        f"{f'        {name}_copy_states(inputs, outputs);{_NEW_LINE}' * bool(interface.states)}"
        "    }\n    return 0;\n",
    )


def example(name: str, interface: Interface) -> str:
    """The C++ that calls it with TFLM, from real values to real ones."""
    ports = own_ports(interface)
    buffers = (
        f"static {port.c_type} {own}[{per_call(name, kind, port)}"
        f"{f' * {name.upper()}_CALLS' * port.is_cut}];\n"
        for kind, own, port in ports
    )
    opening = f"if ({name}_run("
    return (
        "// Before: int invoke(void *interpreter) {\n"
        "//     return ((tflite::MicroInterpreter *)interpreter)->Invoke() == kTfLiteOk ? 0 : 1;\n"
        "// }\n"
        f"{''.join(buffers)}"
        f"{''.join(converted(name, *each) for each in ports if each[0] == 'input')}"
        f"{opening}inputs, outputs, invoke, &interpreter,\n"
        f"{' ' * len(opening)}{', '.join(own for _, own, _ in ports)}) != 0) "
        "{ /* the driver refused: see its log */ }\n"
        f"{''.join(converted(name, *each) for each in ports if each[0] == 'output')}"
    )


def own_ports(interface: Interface) -> list[tuple[str, str, Port]]:
    """(kind, argument, port) of all that is no state; an input may be called as an output is."""
    inputs = [("input", f"{port.identifier}_in", port) for port in interface.data_inputs]
    outputs = [("output", f"{port.identifier}_out", port) for port in interface.data_outputs]
    return [*inputs, *outputs]


def _copies(name: str, ports: list[tuple[str, str, Port]], wanted: str) -> str:
    """What a call takes, or what it gives, between the sequence and the network's tensors."""
    text = ""
    for kind, own, port in ports:
        if kind == wanted and (port.backwards or port.stored_as):
            text += _row_by_row(name, kind, own, port)
        elif kind == wanted:
            place, count = f"{kind}s[{macro(name, kind, port)}_INDEX]", per_call(name, kind, port)
            ends = f"{place}, {own}" if kind == "input" else f"{own}, {place}"
            text += f"        memcpy({ends},\n               {count} * sizeof *{own});\n"
            text += f"        {own} += {count};\n" * port.is_cut
    return text


def _before_the_calls(statements: str) -> str:
    """Statements of a call, as they stand outside of the loop."""
    return "".join(line.removeprefix("    ") for line in statements.splitlines(keepends=True))


def _counters(ports: list[tuple[str, str, Port]]) -> str:
    """The variables that `_row_by_row` counts with."""
    each = [port for _, _, port in ports]
    rows = ", row" * any(port.backwards or port.stored_as for port in each)
    return rows + ", i" * any(port.stored_as is not None for port in each)


def _row_by_row(name: str, kind: str, own: str, port: Port) -> str:
    """The same of what is stored otherwise, or goes through the calls from its end."""
    rows = port.tensor.shape[1] if port.is_cut else 1
    width, called = port.count // rows, macro(name, kind, port)
    place = f"({port.c_type} *){kind}s[{called}_INDEX] + row * {width}"
    first = f"call * {rows} + row" if port.is_cut else "row"
    if port.backwards:
        first = f"{name.upper()}_CALLS * {rows} - 1 - ({first})"
    at = f"{own} + ({first}) * {width}"
    ends = f"{place}, {at}" if kind == "input" else f"{at},\n                   {place}"
    within = f"            memcpy({ends},\n                   {width} * sizeof *{own});\n"
    if port.stored_as:
        within = _stored_anew(called, place, at, width, port, port.stored_as)
    return f"        for (row = 0; row < {rows}; row++) {{\n{within}        }}\n"


def _stored_anew(called: str, place: str, at: str, width: int, port: Port, before: Tensor) -> str:
    limits = np.iinfo(port.tensor.dtype)
    real = f"(float)(({at})[i] - ({before.zero_point})) * {c_float(before.scale)}"
    return (
        f"            for (i = 0; i < {width}; i++) {{\n"
        f"                ({place})[i] = ({port.c_type})to_level(\n"
        f"                    {real},\n"
        f"                    {called}_SCALE, {called}_ZERO_POINT, {limits.min}, {limits.max});\n"
        f"            }}\n"
    )


def converted(name: str, kind: str, own: str, port: Port) -> str:
    """Between real values, or ids, and stored ones, for each call.

    Args:
        name: of the network, or of the part, whose functions do it.
        kind: "input" or "output".
        own: the argument that holds stored values; real ones have its name but for `_in`, `_out`.
        port: of the network, or of the part.
    """
    at = f" + call * {per_call(name, kind, port)}" * port.is_cut
    loop = f"for (int call = 0; call < {name.upper()}_CALLS; call++)\n    " * port.is_cut
    stored, real = f"{own}{at}", f"{own.rpartition('_')[0]}{at}"
    if kind == "output":
        return f"{loop}{name}_dequantize_{port.identifier}({stored}, {real});\n"
    if port.is_mask:
        rest = f"steps{at.replace('+', '-')}"
        return f"{loop}{name}_fill_{port.identifier}({rest}, {stored});  // steps: not padded\n"
    verb = "put" if port.holds_ids else "quantize"
    return f"{loop}{name}_{verb}_{port.identifier}({real}, {stored});\n"


def per_call(name: str, kind: str, port: Port) -> str:
    """How many values a call takes, or gives."""
    return f"{macro(name, kind, port)}_COUNT"
