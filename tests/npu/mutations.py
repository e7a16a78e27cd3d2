"""Damaged programs and files, for the fuzz test and for longer campaigns by hand.

    PYTHONPATH=tests python tests/npu/mutations.py COUNT [SEED]

runs COUNT mutations in a child process and says what came of them.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import random
import resource
import signal
import struct
import sys
import time

import models
import numpy as np
from layers import LAYERS
from operators import Maker

from unspool.errors import UnspoolError
from unspool.npu import Program, load, run

MAX_WORK = 1 << 28  # keeps a mutation that asks for much work short


def seeds() -> list[bytes]:
    """Small compiled networks that together use every kind of operation."""
    graph, rng = models.Graph(), np.random.default_rng(5)
    x = graph.input((1, 6, 6, 3), 0.02, -3)
    x = models.pool(graph, "MAX_POOL_2D", models.convolution(graph, rng, x, 8), 2)
    x = models.pool(graph, "AVERAGE_POOL_2D", x, 2)
    flat = models.reshape(graph, x, (1, int(np.prod(models.shape(graph, x)))))
    models.softmax(
        graph, models.dense(graph, rng, 5, models.shape(graph, flat)[1], (0.05, 1))(flat)
    )
    image = graph.build()
    graph = models.Graph()
    x = graph.input((2, 4), 0.02, -3)
    h = models.gru(graph, rng, x, 8, None)
    models.dense(graph, rng, 3, 8, (0.05, 0))(h, graph.output((1, 3), 0.05, 0))
    recurrent = graph.build()
    graph = models.Graph()
    a, b = graph.input((1, 4), 0.0003, 0, "int16"), graph.input((1, 4), 0.0002, 0, "int16")
    c = graph.tensor((1, 4), 0.0005, 0, "int16")
    graph.op("ADD", [a, b], c, models.options("AddOptions"))
    h = graph.tensor((1, 4), 1 / 32768, 0, "int16")
    graph.op("TANH", [c], h)
    chosen = models.options("SoftmaxOptions", beta=1.0)
    graph.op("SOFTMAX", [h], graph.output((1, 4), 1 / 32768, 0, "int16"), chosen)
    wide = graph.build()
    return [
        models.vela(image),
        models.vela(_operators()),
        models.vela(wide),
        models.vela(recurrent),
        models.vela(recurrent, "ethos-u65-512", "Dedicated_Sram"),
    ]


def _operators() -> bytes:
    """Operations that read their IFM at twice its size, and those of a mean."""
    maker = Maker(models.Graph(), np.random.default_rng(6), "int8", False)
    for name in ("TRANSPOSE_CONV, same", "RESIZE_BILINEAR", "MEAN"):
        LAYERS[name](maker)
    return maker.graph.build()


def mutate(rng: random.Random, files: list[bytes], programs: list[Program]) -> bytes | Program:
    """A damaged file or a damaged program."""
    kind = rng.randrange(10)
    number = rng.randrange(len(files))
    if kind < 3:
        return _damage(rng, files[number])
    program = programs[number]
    if kind < 4:
        return dataclasses.replace(program, read_only=_damage(rng, program.read_only))
    return dataclasses.replace(program, stream=_damage_words(rng, program.stream))


def attempt(case: bytes | Program) -> str:
    """Run a damaged file or program: 'result', or the error. Other exceptions pass through."""
    try:
        program = load(case) if isinstance(case, bytes) else case
        inputs = [
            np.ones((2, *(t.shape[1:] if t.shape[:1] == (1,) else t.shape)), t.dtype)
            for t in program.inputs
        ]
        run(program, inputs, max_work=MAX_WORK)
    except UnspoolError as error:
        assert "\n" not in str(error)
        return str(error)
    return "result"


def _damage(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    if rng.randrange(4) == 0:
        return data[: rng.randrange(len(data))]
    # The structure of a file is at its ends: hit these as often as the bulk between them.
    result = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        spans = ((0, 400), (len(result) - 3000, len(result)), (0, len(result)))
        low, high = rng.choice(spans)
        at = rng.randrange(max(0, low), max(1, min(high, len(result))))
        result[at] = rng.choice((rng.randrange(256), result[at] ^ 1 << rng.randrange(8), 0, 255))
    return bytes(result)


def _damage_words(rng: random.Random, stream: bytes) -> bytes:
    words = list(struct.unpack(f"<{len(stream) // 4}I", stream))
    for _ in range(rng.randrange(1, 4)):
        if not words:
            break
        at = rng.randrange(len(words))
        kind = rng.randrange(8)
        if kind == 0:
            del words[at]
        elif kind == 1:
            words.insert(at, rng.choice(words))
        elif kind == 2:
            words[at] = rng.randrange(1 << 32)
        elif kind == 3:
            words[at] = words[at] & 0xFFFF | rng.randrange(1 << 16) << 16
        elif kind == 4:
            words[at] ^= 1 << rng.randrange(32)
        elif kind == 5:
            words[at] = words[at] + rng.choice((-16, -1, 1, 16, 1 << 16, 15 << 16)) & 0xFFFFFFFF
        elif kind == 6:
            words[at] = words[rng.randrange(len(words))]
        else:
            words = words[:at] if rng.randrange(4) == 0 else words
    return struct.pack(f"<{len(words)}I", *words)


def _campaign(count: int, seed: int) -> None:
    files = seeds()
    programs = [load(file) for file in files]
    outcomes: collections.Counter[str] = collections.Counter()
    slowest, start = 0.0, time.monotonic()
    for number in range(count):
        signal.alarm(60)  # a hang ends the process
        rng = random.Random(seed * 1_000_003 + number)
        begin = time.monotonic()
        try:
            outcome = attempt(mutate(rng, files, programs))
            outcomes["result" if outcome == "result" else "UnspoolError"] += 1
        except Exception as error:
            outcomes[type(error).__name__] += 1
            print(f"number {number}: {type(error).__name__}: {error}", flush=True)
        slowest = max(slowest, time.monotonic() - begin)
        if number % 2000 == 1999:
            elapsed = time.monotonic() - start
            print(
                f"{number + 1}: {dict(outcomes)}, slowest {slowest:.2f} s, {elapsed:.0f} s",
                flush=True,
            )
    print(f"{count} mutations: {dict(outcomes)}, slowest {slowest:.2f} s")


if __name__ == "__main__":
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        _campaign(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print("the child", f"died of signal {os.WTERMSIG(status)}" if status else "ended normally")
