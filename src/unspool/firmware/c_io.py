"""The C of `<name>_io.h` and `<name>_io.c`."""

import numpy as np

from unspool.firmware import c_run, c_states, ports
from unspool.firmware.identifiers import c_float, printable
from unspool.firmware.interface import Interface
from unspool.firmware.ports import Port
from unspool.firmware.templates import fill
from unspool.tflite.input_scaling import InputScaling


def header(name: str, interface: Interface) -> str:
    """The text of `<name>_io.h`."""
    constants = [_constants(name, "input", port) for port in interface.inputs]
    constants += [_constants(name, "output", port) for port in interface.outputs]
    if interface.calls:
        calls = f"#define {name.upper()}_CALLS {interface.calls}\n"
        constants.append(f"\n/* Calls of the network that a sequence takes. */\n{calls}")
    if interface.warm_up is not None:
        constants.append(c_states.warm_up(name, interface.warm_up, interface.late))
    return fill(
        "io.h",
        name=name,
        and_states=", states" if interface.states else "",
        inputs=1 + max((port.index for port in interface.inputs), default=-1),
        outputs=1 + max((port.index for port in interface.outputs), default=-1),
        constants="".join(constants),
        prototypes="".join(
            f"\n/* {comment} */\n{declaration};\n"
            for comment, declaration, _ in _functions(name, interface)
        ),
    )


def source(name: str, interface: Interface) -> str:
    """The text of `<name>_io.c`."""
    functions = [
        f"{declaration} {{\n{body}}}\n" for _, declaration, body in _functions(name, interface)
    ]
    if any(not port.holds_ids for port in interface.data_inputs):
        functions.insert(0, fill("level.c").lstrip("\n"))
    return fill(
        "io.c",
        name=name,
        string_h="\n#include <string.h>\n" if interface.states or interface.calls else "",
        counter=c_states.counter(name, interface),
        functions="\n".join(functions).rstrip("\n"),
    )


def _functions(name: str, interface: Interface) -> list[tuple[str, str, str]]:
    """(comment, declaration, body) of every function, in the order of their use."""
    functions = [
        _put(name, port) if port.holds_ids else _quantize(name, port)
        for port in interface.data_inputs
    ]
    functions += [_fill(name, port) for port in interface.data_inputs if port.is_mask]
    functions += [_dequantize(name, port) for port in interface.data_outputs]
    if interface.reset:
        functions.append(c_states.reset(name, interface))
    if interface.states:
        functions.append(c_states.copy(name, interface))
    if interface.calls:
        functions.append(c_run.function(name, interface))
    return functions


def _quantize(name: str, port: Port) -> tuple[str, str, str]:
    macro, limits = ports.macro(name, "input", port), np.iinfo(port.tensor.dtype)
    stored = port.c_type
    scaling = port.scaling
    real = "(values[i] - shift) * factor" if scaling else "values[i]"
    if scaling and len(scaling.shift) > 1:
        features = len(scaling.shift)
        real = f"(values[i] - shift[i % {features}]) * factor[i % {features}]"
    return (
        f"{macro}_COUNT real values{' in their units' * bool(scaling)} to stored ones: "
        "round half to even, clip;\n * NaN is stored as the zero point."
        + "\n * The layers that scaled this input are part of it." * bool(scaling)
        + (f"\n * Give 0 in padded time steps, not {port.padding:g}." if port.padding else ""),
        f"void {name}_quantize_{port.identifier}(const float *values, {stored} *stored)",
        f"{_scaling(scaling) if scaling else ''}"
        f"    int32_t i;\n\n"
        f"    for (i = 0; i < {macro}_COUNT; i++) {{\n"
        f"        stored[i] = ({stored})to_level({real}, {macro}_SCALE,\n"
        f"                                     {macro}_ZERO_POINT, {limits.min}, {limits.max});\n"
        f"    }}\n",
    )


def _put(name: str, port: Port) -> tuple[str, str, str]:
    """Write ids, which are stored as they are."""
    macro, stored = ports.macro(name, "input", port), port.c_type
    known = f", from 0 to {port.rows - 1}" if port.rows else ""
    return (
        f"{macro}_COUNT ids{known}, stored as they are.\n"
        " * TFLM does not check that they are rows of the table.",
        f"void {name}_put_{port.identifier}(const {stored} *ids, {stored} *stored)",
        f"    int32_t i;\n\n"
        f"    for (i = 0; i < {macro}_COUNT; i++) {{\n"
        f"        stored[i] = ids[i];\n"
        f"    }}\n",
    )


def _fill(name: str, port: Port) -> tuple[str, str, str]:
    """Write a mask from the number of valid steps."""
    stored = port.c_type
    return (
        "1 for each of the first `steps` time steps, 0 for the padded ones after them.",
        f"void {name}_fill_{port.identifier}(int32_t steps, {stored} *stored)",
        f"    int32_t i;\n\n"
        f"    for (i = 0; i < {ports.macro(name, 'input', port)}_COUNT; i++) {{\n"
        f"        stored[i] = ({stored})(i < steps);\n"
        f"    }}\n",
    )


def _scaling(scaling: InputScaling) -> str:
    """C constants for shift and factor: one number each, or one for each feature."""
    if len(scaling.shift) == 1:
        return "".join(
            f"    const float {which} = {c_float(value)};\n"
            for which, value in (("shift", scaling.shift[0]), ("factor", scaling.factor[0]))
        )
    return "".join(
        f"    static const float {which}[{len(values)}] = {{\n"
        + "".join(f"        {c_float(value)},\n" for value in values)
        + "    };\n"
        for which, values in (("shift", scaling.shift), ("factor", scaling.factor))
    )


def _dequantize(name: str, port: Port) -> tuple[str, str, str]:
    macro, stored = ports.macro(name, "output", port), port.c_type
    return (
        f"{macro}_COUNT stored values to real ones.",
        f"void {name}_dequantize_{port.identifier}(const {stored} *stored, float *values)",
        f"    int32_t i;\n\n"
        f"    for (i = 0; i < {macro}_COUNT; i++) {{\n"
        f"        values[i] = (float)(stored[i] - {macro}_ZERO_POINT)\n"
        f"                    * {macro}_SCALE;\n"
        f"    }}\n",
    )


def _constants(name: str, kind: str, port: Port) -> str:
    macro, tensor = ports.macro(name, kind, port), port.tensor
    shape = ", ".join(map(str, tensor.shape))
    return (
        f"\n/* {kind.capitalize()} {printable(tensor.name)}: {tensor.dtype}, shape ({shape}). */\n"
        f"#define {macro}_INDEX {port.index}\n"
        f"#define {macro}_SHAPE {{{shape}}}\n"
        f"#define {macro}_COUNT {port.count}\n"
        + (
            ""
            if port.holds_ids
            else f"#define {macro}_SCALE {c_float(tensor.scale)}\n"
            f"#define {macro}_ZERO_POINT ({tensor.zero_point})\n"
        )
    )
