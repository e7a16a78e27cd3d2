"""Networks in parts beside the same networks unrolled: flash, SRAM, cycles.

    python bench/parts.py

Untrained, with random samples: what they cost does not depend on the weights' values. Flash is
measured; SRAM is TFLM's arena and what is handed on; cycles are Vela's estimate for ethos-u55-128,
Shared_Sram; milliseconds with 20 microseconds a call; the same with resident weights in a row more.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import unspool
from unspool import Options
from unspool.support._tensorflow import keras

L = keras.layers
SAMPLES, FEATURES = 20, 16
FAST = Options(remedy_seconds=0)
RESIDENT = Options(remedy_seconds=0, resident_weights=math.inf)


def both(units: int, cell: Any = L.LSTM, **kinds: Any) -> Any:
    return L.Bidirectional(cell(units, **kinds))


def tagger(x: Any) -> Any:
    """As speech recognisers are: two bidirectional layers, an answer for each step."""
    y = both(32, return_sequences=True)(x)
    return L.Dense(10, activation="softmax")(both(32, return_sequences=True)(y))


def classifier(x: Any) -> Any:
    y = both(32, L.GRU, return_sequences=True)(x)
    return L.Dense(6, activation="softmax")(both(32, L.GRU)(y))


def crnn(x: Any) -> Any:
    """Convolutions that look both ways in time, then a bidirectional layer."""
    y = L.Conv1D(32, 5, padding="same", activation="relu")(x)
    y = L.MaxPooling1D(2)(L.Conv1D(32, 5, padding="same", activation="relu")(y))
    return L.Dense(6, activation="softmax")(both(32, L.GRU)(y))


def pooled(x: Any) -> Any:
    """A GRU whose steps are weighed by attention."""
    y = L.GRU(48, return_sequences=True)(x)
    shares = L.Softmax(axis=1)(L.Dense(1)(L.Dense(24, activation="tanh")(y)))
    return L.Dense(6, activation="softmax")(L.Flatten()(L.Dot(axes=1)([shares, y])))


def autoencoder(x: Any) -> Any:
    code = L.LSTM(24)(x)
    return L.Dense(FEATURES)(L.LSTM(24, return_sequences=True)(L.RepeatVector(x.shape[1])(code)))


def forecaster(x: Any) -> Any:
    """A decoder that begins with its encoder's states."""
    _, *states = L.LSTM(32, return_state=True)(x)
    return L.Dense(4)(L.LSTM(32, return_sequences=True)(L.Dense(8)(x), initial_state=states))


MODELS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    "two bidirectional GRU(32), 100 steps": (classifier, 100, 10),
    "two bidirectional LSTM(32), each step, 200 steps": (tagger, 200, 10),
    "convolutions, bidirectional GRU(32), 300 steps": (crnn, 300, 10),
    "GRU(48) pooled by attention, 200 steps": (pooled, 200, 10),
    "LSTM(24) autoencoder, 120 steps": (autoencoder, 120, 10),
    "LSTM(32) encoder and decoder, 150 steps": (forecaster, 150, 10),
}


def rows() -> Iterator[str]:
    yield "| network | | binaries | calls | flash, KiB | SRAM, KiB | cycles | ms | equal to TFLM |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, (build, steps, per_call) in MODELS.items():
        keras.utils.set_random_seed(1)
        x = keras.Input((steps, FEATURES))
        model = keras.Model(x, build(x))
        data = np.random.default_rng(0).normal(size=(SAMPLES, steps, FEATURES)).astype(np.float32)
        whole = unspool.deploy(model, data, options=FAST)
        parts = unspool.deploy_in_parts(model, data, steps_per_call=per_call, options=FAST)
        yield _row(f"{name} | unrolled", whole, 1)
        yield _row(f" | {per_call} steps per call", parts, len(parts.compiled.parts))
        kept = unspool.deploy_in_parts(model, data, steps_per_call=per_call, options=RESIDENT)
        yield _row(" | and resident weights", kept, len(kept.compiled.parts))


def _row(what: str, done: Any, binaries: int) -> str:
    compiled, same = done.compiled, done.measured.simulation
    cycles = done.resident.cycles if done.resident else compiled.cycles
    return (
        f"| {what} | {binaries} | {compiled.calls} | {compiled.flash_kib:,.1f} | "
        f"{compiled.sram_kib:,.1f} | {cycles:,} | {compiled.milliseconds_of(cycles):.2f} | "
        f"{same.equal} of {same.samples} |"
    )


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
