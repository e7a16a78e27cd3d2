"""Every operator that TensorFlow Lite Micro has and Vela places: all of their bytes.

One model holds an instance of each, so that two compilations for a target cover them all.
"""

from __future__ import annotations

from collections.abc import Callable

import models
import numpy as np
import operators
import pytest
from layers import LAYERS
from models import Graph
from operators import ELEMENTWISE, Maker
from rearrangements import REARRANGEMENTS

from unspool.npu import load, run

KINDS: dict[str, Callable[[Maker], None]] = {**ELEMENTWISE, **REARRANGEMENTS, **LAYERS}
# TFLM has no int16 form of these (softmax and RSQRT: see test_interpolation).
ONLY_INT8 = {
    "HARD_SWISH",
    "ELU",
    "RSQRT",
    "PRELU",
    "SOFTMAX",
    "MIRROR_PAD",
    "RESIZE_BILINEAR",
    "RESIZE_BILINEAR, corners",
    "RESIZE_BILINEAR, half pixel",
    "REDUCE_MAX",
    "ARG_MAX",
    "BATCH_MATMUL",
}


def _model(dtype: str, big: bool, seed: int) -> tuple[Graph, list[str]]:
    """The graph, and per output the operator that it is of."""
    graph, rng = Graph(), np.random.default_rng([len(dtype), big, seed])
    names: list[str] = []
    for name, make in KINDS.items():
        if dtype == "int8" or name not in ONLY_INT8:
            make(Maker(graph, rng, dtype, big))
            names += [name] * (len(graph.outputs) - len(names))
    return graph, names


@pytest.mark.one_in(2)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(
    ("target", "big", "seed"),
    [
        ("ethos-u55-128", False, 0),
        ("ethos-u65-512", False, 5),
        *(pytest.param("ethos-u55-128", False, n, marks=pytest.mark.slow) for n in (2, 5)),
        *(pytest.param("ethos-u65-512", False, n, marks=pytest.mark.slow) for n in (0, 2)),
        ("ethos-u55-32", False, 6),
        ("ethos-u55-128", True, 0),
        ("ethos-u65-512", True, 1),
    ],
)
def test_bytes_equal_tflm(dtype: str, target: str, big: bool, seed: int) -> None:
    graph, names = _model(dtype, big, seed)
    model, samples = graph.build(), operators.inputs(graph, np.random.default_rng(seed), 4)
    expected = models.tflm(model, samples)
    results = run(load(models.vela(model, target)), samples)
    differing = {
        f"{name} {wanted.shape}": int((result != wanted).sum())
        for name, result, wanted in zip(names, results, expected, strict=True)
        if (result != wanted).any()
    }
    assert differing == {}
    dull = [n for n, w in zip(names, expected, strict=True) if w.size > 8 > 3 * len(np.unique(w))]
    assert len(dull) < 4, f"the outputs of {dull} are nearly constant"
