"""The C that handles states: what they start with, and how they go from call to call."""

import numpy as np

from unspool.firmware import ports
from unspool.firmware.interface import Interface, State
from unspool.firmware.ports import Port


def warm_up(name: str, calls: int, late: int) -> str:
    """The constant that says how many calls are of no use after a reset."""
    return (
        "\n/* So many first calls after a reset give nothing of use: windows are not full yet.\n"
        f" * Outputs come {late} time steps later than what they are of. */\n"
        f"#define {name.upper()}_WARM_UP {calls}\n"
    )


def _most_held(interface: Interface) -> int:
    """Calls until every state is carried over."""
    return max((state.held for state in interface.states), default=0)


def counter(name: str, interface: Interface) -> str:
    """The variable that counts calls while states are not carried over; "" where all are."""
    if not _most_held(interface):
        return ""
    comment = "Calls since the states were reset, until all are carried over."
    return f"\n/* {comment} */\nstatic int32_t {name}_calls;\n"


def reset(name: str, interface: Interface) -> tuple[str, str, str]:
    """(comment, declaration, body) of the function that starts a sequence."""
    states = interface.reset
    constants = "".join(_array(each.target, each.initial) for each in states if each.initial)
    writes = [_initial(name, state) for state in states]
    loop = "    int32_t i;\n\n" if any("for (i" in write for write in writes) else ""
    counted = f"    {name}_calls = 0;\n" if _most_held(interface) else ""
    stays = "\n * One that begins with what is given stays." * (states != interface.states)
    return (
        f"Set every state to {'what it starts with' if constants else '0'}: before the first "
        f"sample of a sequence.\n * inputs[i] is the data of input i.{stays}",
        f"void {name}_reset_states(void *const inputs[{name.upper()}_INPUTS])",
        constants + (loop or ("\n" if constants else "")) + counted + "".join(writes),
    )


def _initial(name: str, state: State) -> str:
    """Statements that give a state what it is before the first call."""
    port = state.target
    macro = ports.macro(name, "input", port)
    target = f"inputs[{macro}_INDEX]"
    if state.initial:
        return (
            f"    memcpy({target}, first_{port.identifier},\n"
            f"           sizeof first_{port.identifier});\n"
        )
    if port.tensor.dtype == np.int8:
        return f"    memset({target}, {macro}_ZERO_POINT,\n           {macro}_COUNT);\n"
    return (
        f"    for (i = 0; i < {macro}_COUNT; i++) {{\n"
        f"        (({port.c_type} *){target})[i] = {macro}_ZERO_POINT;\n    }}\n"
    )


def _array(port: Port, values: tuple[int, ...]) -> str:
    """A C constant: what a state's input holds before the first call."""
    lines = [", ".join(map(str, values[i : i + 16])) for i in range(0, len(values), 16)]
    numbers = ",\n        ".join(lines)
    return (
        f"    static const {port.c_type} first_{port.identifier}[{len(values)}] = {{\n"
        f"        {numbers}\n    }};\n"
    )


def copy(name: str, interface: Interface) -> tuple[str, str, str]:
    """(comment, declaration, body) of the function that carries states over."""
    declared, read, written = "", "", ""
    for state in interface.states:
        target, origin = (
            ports.macro(name, "input", state.target),
            ports.macro(name, "output", state.source),
        )
        stored = state.target.c_type
        copied, buffer = f"outputs[{origin}_INDEX]", f"kept_{state.target.identifier}"
        size = f"{target}_COUNT * sizeof({stored})"
        if state in interface.buffered:
            declared += f"    {stored} {buffer}[{target}_COUNT];\n"
            read += f"    memcpy({buffer}, {copied}, {size});\n"
            copied = buffer
        moved = f"    memmove(inputs[{target}_INDEX], {copied},\n            {size});\n"
        written += _unless_held(name, state, moved) if state.held else moved
    note = (
        "    /* Inputs lie over outputs in the arena: by Vela's plan, this order overwrites no\n"
        "     * output that is still to be copied. */\n"
    )
    held = [state for state in interface.states if state.held]
    first = "".join(_array(state.target, state.initial) for state in held if state.initial)
    if any("for (i" in _initial(name, state) for state in held):
        declared += "    int32_t i;\n"
    if most := _most_held(interface):
        written += f"    if ({name}_calls < {most}) {{\n        {name}_calls++;\n    }}\n"
    declared = first + declared
    return (
        "Feed every state back: after each inference, once the outputs have been read and before\n"
        " * an input is written. The bytes mean the same on both sides.",
        f"void {name}_copy_states(void *const inputs[{name.upper()}_INPUTS],\n"
        f"{' ' * len(f'void {name}_copy_states(')}"
        f"void *const outputs[{name.upper()}_OUTPUTS])",
        declared + ("\n" if declared else "") + note + read + written,
    )


def _unless_held(name: str, state: State, moved: str) -> str:
    """Statements that carry a state over, but for the first calls."""

    def within(statements: str) -> str:
        return "".join(f"    {line}\n" for line in statements.splitlines())

    return (
        f"    if ({name}_calls < {state.held}) {{\n{within(_initial(name, state))}"
        f"    }} else {{\n{within(moved)}    }}\n"
    )
