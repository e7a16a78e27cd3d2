"""The C that runs a network on a whole sequence, in several calls."""

from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port, macro


def function(name: str, interface: Interface) -> tuple[str, str, str]:
    """(comment, declaration, body) of `<name>_run`."""
    ports = _ports(interface)
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
        "    int32_t call;\n    int status;\n\n"
        f"    {name}_reset_states(inputs);\n"
        f"    for (call = 0; call < {name.upper()}_CALLS; call++) {{\n"
        f"{_copies(name, ports, 'input')}"
        "        status = invoke(context);\n"
        "        if (status != 0) {\n            return status;\n        }\n"
        f"{_copies(name, ports, 'output')}"
        f"        {name}_copy_states(inputs, outputs);\n"
        "    }\n    return 0;\n",
    )


def example(name: str, interface: Interface) -> str:
    """The C++ that calls it with TFLM, from real values to real ones."""
    ports = _ports(interface)
    buffers = (
        f"static {port.c_type} {own}[{_count(name, kind, port)}"
        f"{f' * {name.upper()}_CALLS' * port.is_cut}];\n"
        for kind, own, port in ports
    )
    opening = f"if ({name}_run("
    return (
        "// Before: int invoke(void *interpreter) {\n"
        "//     return ((tflite::MicroInterpreter *)interpreter)->Invoke() == kTfLiteOk ? 0 : 1;\n"
        "// }\n"
        f"{''.join(buffers)}"
        f"{''.join(_converted(name, *each) for each in ports if each[0] == 'input')}"
        f"{opening}inputs, outputs, invoke, &interpreter,\n"
        f"{' ' * len(opening)}{', '.join(own for _, own, _ in ports)}) != 0) "
        "{ /* the driver refused: see its log */ }\n"
        f"{''.join(_converted(name, *each) for each in ports if each[0] == 'output')}"
    )


def _ports(interface: Interface) -> list[tuple[str, str, Port]]:
    """(kind, argument, port) of all that is no state; an input may be called as an output is."""
    inputs = [("input", f"{port.identifier}_in", port) for port in interface.data_inputs]
    outputs = [("output", f"{port.identifier}_out", port) for port in interface.data_outputs]
    return [*inputs, *outputs]


def _copies(name: str, ports: list[tuple[str, str, Port]], wanted: str) -> str:
    """What a call takes, or what it gives, between the sequence and the network's tensors."""
    text = ""
    for kind, own, port in ports:
        if kind == wanted:
            place, count = f"{kind}s[{macro(name, kind, port)}_INDEX]", _count(name, kind, port)
            ends = f"{place}, {own}" if kind == "input" else f"{own}, {place}"
            text += f"        memcpy({ends},\n               {count} * sizeof *{own});\n"
            text += f"        {own} += {count};\n" * port.is_cut
    return text


def _converted(name: str, kind: str, own: str, port: Port) -> str:
    """Between real values and stored ones, for each call."""
    at = f" + call * {_count(name, kind, port)}" * port.is_cut
    loop = f"for (int call = 0; call < {name.upper()}_CALLS; call++)\n    " * port.is_cut
    stored, real = f"{own}{at}", f"{port.identifier}{at}"
    if kind == "output":
        return f"{loop}{name}_dequantize_{port.identifier}({stored}, {real});\n"
    if port.is_mask:  # steps: how many are not padded
        return f"{loop}{name}_fill_{port.identifier}(steps{at.replace('+', '-')}, {stored});\n"
    verb = "put" if port.holds_ids else "quantize"
    return f"{loop}{name}_{verb}_{port.identifier}({real}, {stored});\n"


def _count(name: str, kind: str, port: Port) -> str:
    return f"{macro(name, kind, port)}_COUNT"
