"""Programs for a Cortex-M55 in QEMU, which run a bundle on recorded calls of the network."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import in_c
import numpy as np
import pytest

from unspool import Deployment, Session, npu
from unspool.tflite import ends, flatbuffer

Recorded = Mapping[str, np.ndarray]
"""Name of an input or output -> what it held in a call."""


def run(program: str, at: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a program, or skip the test where QEMU is not installed."""
    if not shutil.which("qemu-system-arm"):
        pytest.skip("qemu-system-arm is not installed")
    command = ("qemu-system-arm", "-M", "mps3-an547", "-nographic", "-semihosting", "-kernel")
    return subprocess.run([*command, program], cwd=at, capture_output=True, check=False)


def compile_(sources: Sequence[str], at: Path, *libraries: str) -> None:
    """Compile C for it, without a warning, to `it.elf`; skip where there is no compiler."""
    (at / "an547.ld").write_text(SCRIPT)
    in_c.run(
        *("arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-std=c99", "-O2"),
        *(*in_c.STRICT, "--specs=rdimon.specs", "-T", "an547.ld", *sources, "-o", "it.elf"),
        *libraries,
        at=at,
    )


def recorded(done: Deployment, sample: Sequence[np.ndarray]) -> list[tuple[Recorded, Recorded]]:
    """What goes into each call of one sequence, and what the simulated binary gives for it.

    Args:
        done: the network.
        sample: the sequence, (1, ...) for each input.
    """
    return recorded_of(done.quantized_tflite, done.compiled.tflite, sample)


def recorded_of(
    quantized: bytes, compiled: bytes, sample: Sequence[np.ndarray]
) -> list[tuple[Recorded, Recorded]]:
    """As `recorded`, of a quantized file and its binary."""
    session = Session(quantized, "tflm")
    arrays = session.check(list(sample))
    binary, states = npu.load(compiled), session.initial_states(1, arrays)
    inputs, outputs = ends.inputs_and_outputs(flatbuffer.read(quantized))
    calls = []
    for number, part in enumerate(session.calls(arrays)):
        merged = session.merged(session.quantized(part), states)
        given = npu.run(binary, merged)
        after = [given[pair.output] for pair in session.pairs]
        states = session.carried(states, after, number)
        calls.append((_named(inputs, merged), _named(outputs, given)))
    return calls


def _named(tensors: Sequence[ends.Tensor], values: Sequence[np.ndarray]) -> Recorded:
    return {tensor.name: value for tensor, value in zip(tensors, values, strict=True)}


def program(header: str, calls: Sequence[tuple[Recorded, Recorded]], rest: str) -> str:
    """C of a program with recorded calls in place of the network.

    Args:
        header: text of `kws_io.h`.
        calls: what goes into each call and what comes out of it.
        rest: its `main`, which calls `network`, and what that needs.
    """
    ports = [_order(header, kind) for kind in ("Input", "Output")]
    kinds = zip(("in", "out"), ports, zip(*calls, strict=True), strict=True)
    return START + HEAD + "".join(_rooms(*each) for each in kinds) + NETWORK + rest


def program_of_parts(
    headers: Sequence[str],
    calls: Sequence[Sequence[tuple[Recorded, Recorded]]],
    taken: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
) -> str:
    """C of a program that runs one sequence by `kws_run` of a network in parts.

    Args:
        headers: text of each part's `kws_part_1_io.h` and so on.
        calls: what goes into each call of each part and what comes out of it.
        taken: the sequence, stored.
        expected: what it is to give.
    """
    text, rows = START + PARTS_HEAD, []
    for number, (header, own) in enumerate(zip(headers, calls, strict=True), 1):
        orders = [_order(header, kind) for kind in ("Input", "Output")]
        sides = [f"{side}_{number}" for side in ("in", "out")]
        for side, order, values in zip(sides, orders, zip(*own, strict=True), strict=True):
            text += _rooms(side, order, values)
        record = f"record_{number}"
        text += f"static recording {record} = {{" + ", ".join(
            f"{side}s, {side}_sizes, {len(order)}, &recorded_{side}[0][0]"
            for side, order in zip(sides, orders, strict=True)
        )
        text += "};\n"
        rows.append(f"    {{{sides[0]}s, {sides[1]}s, network, &{record}}},\n")
    text += f"static const kws_part parts[] = {{\n{''.join(rows)}}};\n"
    return text + _sequence("parts", taken, expected)


def of_a_sequence(taken: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
    """C that runs one sequence by `kws_run`.

    Args:
        taken: the sequence, stored; the arguments of `kws_run`.
        expected: what it is to give.
    """
    return _sequence("ins, outs, network, NULL", taken, expected)


def _sequence(network: str, taken: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
    text = "".join(array(f"taken_{i}", values) for i, values in enumerate(taken))
    for i, values in enumerate(expected):
        text += array(f"wanted_{i}", values) + f"static int8_t given_{i}[{values.size}];\n"
    arguments = [f"taken_{i}" for i in range(len(taken))]
    arguments += [f"given_{i}" for i in range(len(expected))]
    checks = "".join(
        f"    if (memcmp(given_{i}, wanted_{i}, sizeof wanted_{i})) return 100 + {i};\n"
        for i in range(len(expected))
    )
    return text + RUN.format(arguments=", ".join([network, *arguments]), checks=checks)


def of_a_stream(header: str, calls: int) -> str:
    """C that feeds as many calls: own inputs as recorded, states from the bundle's C."""
    names = [name for name, _ in _order(header, "Input")]
    own = [i for i, name in enumerate(names) if not name.endswith("_in")]
    return array("own", np.array(own), "size_t") + FEED.format(count=calls)


def _order(header: str, kind: str) -> list[tuple[str, str]]:
    """(name, macro) of inputs or outputs, in TFLM's order."""
    pattern = rf"/\* {kind} (\S+): .*\n#define (KWS_\w+)_INDEX (\d+)"
    return [entry[:2] for entry in sorted(re.findall(pattern, header), key=lambda e: int(e[2]))]


def _rooms(kind: str, order: list[tuple[str, str]], calls: Sequence[Recorded]) -> str:
    """The tensors of the inputs or outputs, and what they held in each call, one after another."""
    names = [f"{kind}_{number}" for number in range(len(order))]
    text = "".join(
        f"static int8_t {name}[{macro}_COUNT];\n"
        for name, (_, macro) in zip(names, order, strict=True)
    )
    sizes = ", ".join(f"sizeof {name}" for name in names)
    text += f"static void *{kind}s[] = {{{', '.join(names)}}};\n"
    text += f"static const size_t {kind}_sizes[] = {{{sizes}}};\n"
    rows = [np.concatenate([call[name].ravel() for name, _ in order]) for call in calls]
    values = ",\n".join(f"{{{', '.join(map(str, row))}}}" for row in rows)
    return text + f"static const int8_t recorded_{kind}[][{rows[0].size}] = {{{values}}};\n"


def array(name: str, values: np.ndarray, kind: str = "int8_t") -> str:
    """C of an array of values."""
    return f"static const {kind} {name}[] = {{{', '.join(map(str, values.ravel().tolist()))}}};\n"


START = """
#include <stdint.h>

extern void _start(void);

static void reset(void) {
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the floating-point unit on */
    _start();
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
    0x20080000u, (uintptr_t)reset};
"""
"""What the core begins with, of every program."""

HEAD = """
#include "kws_io.h"
#include <stdio.h>
#include <string.h>

"""

NETWORK = """
static int calls;

static int network(void *context) {
    const int8_t *in = recorded_in[calls], *out = recorded_out[calls];
    size_t i;

    (void)context;
    for (i = 0; i < KWS_INPUTS; i++) {
        if (memcmp(ins[i], in, in_sizes[i])) return 10 + calls;
        in += in_sizes[i];
        memset(ins[i], 85, in_sizes[i]); /* an inference destroys its inputs */
    }
    for (i = 0; i < KWS_OUTPUTS; i++) {
        memcpy(outs[i], out, out_sizes[i]);
        out += out_sizes[i];
    }
    calls++;
    return 0;
}
"""
"""The recorded call; what is not given what went into it returns 10 and the call's number."""

PARTS_HEAD = """
#include "kws_run.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    void **ins; const size_t *in_sizes; size_t inputs; const int8_t *in;
    void **outs; const size_t *out_sizes; size_t outputs; const int8_t *out;
} recording;

static int calls;

static int network(void *context) {
    recording *now = (recording *)context;
    size_t i;

    for (i = 0; i < now->inputs; i++) {
        if (memcmp(now->ins[i], now->in, now->in_sizes[i])) return 10 + calls;
        now->in += now->in_sizes[i];
        memset(now->ins[i], 85, now->in_sizes[i]); /* an inference destroys its inputs */
    }
    for (i = 0; i < now->outputs; i++) {
        memcpy(now->outs[i], now->out, now->out_sizes[i]);
        now->out += now->out_sizes[i];
    }
    calls++;
    return 0;
}

"""
"""Of a program that runs a network in parts: the recorded call of each."""

FEED = """
int main(void) {{
    kws_reset_states(ins);
    while (calls < {count}) {{
        const int8_t *in = recorded_in[calls];
        size_t i, k;
        int status;

        for (i = 0; i < KWS_INPUTS; i++) {{
            for (k = 0; k < sizeof own / sizeof *own; k++) {{
                if (own[k] == i) memcpy(ins[i], in, in_sizes[i]);
            }}
            in += in_sizes[i];
        }}
        if ((status = network(NULL)) != 0) return status;
        kws_copy_states(ins, outs);
    }}
    printf("%d calls, all bytes equal\\n", calls);
    return 0;
}}
"""

RUN = """
int main(void) {{
    int status = kws_run({arguments});

    if (status) return status;
{checks}    printf("%d calls, all bytes equal\\n", calls);
    return 0;
}}
"""

SCRIPT = """
MEMORY {
    code (rx) : ORIGIN = 0x00000000, LENGTH = 512K
    data (rw) : ORIGIN = 0x20000000, LENGTH = 512K
}
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.init) *(.fini) *(.rodata*) *(.eh_frame*) } > code
    .exidx : { *(.ARM.exidx*) } > code
    .data : { *(.data*) *(.init_array*) *(.fini_array*) } > data
    .bss : { __bss_start__ = .; *(.bss*) *(COMMON) __bss_end__ = .; end = .; __end__ = .; } > data
    __stack = 0x20080000;
}
"""
"""QEMU's AN547: code from 0, where the core looks for its stack and its first instruction."""
