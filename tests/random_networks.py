"""Random networks: what they are, how they are drawn, and a runner for many of them.

    python tests/random_networks.py --count 1000 --seed 1 --out FILE

appends a line of JSON per network to FILE as it is done; started again, it goes on from there. A
network is known by seed and index, and by its line: `--only 'Network(...)'` runs that one alone.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import TypeAlias, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

Option = TypeVar("Option")


def some(count: int) -> settings:
    """The same so many in every run; a failing one is made simpler by hand, which is faster."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


PER_PROCESS = 20  # networks before the process is started anew


class _Line:
    """Its text leaves out what is as usual."""

    def __repr__(self) -> str:
        usual = {field.name: field.default for field in fields(self)}  # type: ignore[arg-type]
        shown = [f"{k}={v!r}" for k, v in vars(self).items() if v != usual[k]]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class Recurrence(_Line):
    """A recurrent layer; `direction` may be how a Bidirectional merges, `options` are flags."""

    cell: str
    units: int
    direction: str = "forward"
    activation: str = "tanh"
    gates: str = "sigmoid"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Network(_Line):
    """A network, its weights, its data and what is asked of it; `random_models` has the words."""

    steps: int
    features: int
    recurrences: tuple[Recurrence, ...]
    heads: tuple[tuple[str, int], ...]
    front: tuple[str, ...] = ()
    merge: str = ""  # of a recurrent layer's sequence with a Dense of what it reads
    rest: str = "last"  # what becomes of the last sequence
    extra: str = ""  # a second input
    is_open: bool = False
    policy: str = "float32"
    weights: str = "trained"
    name: str = "x"
    data: str = "normal"
    dtype: str = "float32"
    chunk: int = 0  # steps per call of a stream; 0 is no stream
    activations: str = "int8"
    target: str = "ethos-u55-128"
    seed: int = 0


FRONTS = (
    *("dense", "conv", "strided", "causal", "separable", "depthwise", "maximum", "average"),
    *("batch", "layer", "normal", "rescaled", "dropout", "noise", "leaky", "padded"),
)
RESTS = ("last", "sequence", "flatten", "average", "maximum", "pooled", "slice")
HEADS = ("linear", "softmax", "sigmoid", "tanh", "relu", "distributed", "given", "states")
MERGES = ("add", "concat", "multiply", "subtract", "maximum", "average")
DIRECTIONS = ("forward", "backward", "concat", "sum", "mul", "ave")
DATA = (
    *("normal", "uniform", "huge", "tiny", "offset", "sparse", "columns", "outlier", "scales"),
    *("skewed", "binary", "alternating", "constant"),
)
ACTIVATIONS = ("relu", "linear", "relu6", "sigmoid", "elu")
GATES = ("hard_sigmoid", "tanh", "relu")
EXTRAS = ("static", "state", "sequence", "shared")
POLICIES = ("mixed_float16", "float16", "mixed_bfloat16", "float64")
WEIGHTS = ("fresh", "large", "small", "zeros", "two")
TARGETS = ("ethos-u55-32", "ethos-u55-256", "ethos-u65-256")
NAMES = (
    *("a b", "x:0", "größe", "step_001", "1st", "a;b", "x.y", "{}", "h_in", "serving_default"),
    *("PartitionedCall:0", "it's", 'a "b"', "_x", "-x", "x" * 120, "输入", "a\\b", "%s", "<b>"),
)


@dataclass(frozen=True)
class Sizes:
    """From what networks are drawn."""

    steps: Sequence[int]
    units: Sequence[int]
    layers: Sequence[int] = (1, 1, 2)
    is_stream: Sequence[bool] = (False, False, False, True)


ANY = Sizes(
    steps=(*[*range(1, 11)] * 3, *range(11, 65)),
    units=(*[*range(1, 25)] * 3, *range(25, 100, 5), *range(120, 301, 20)),
    layers=(1, 1, 1, 1, 2, 2, 2, 3),
)


Flip: TypeAlias = Callable[[], bool]  # False or True, each half of the time


def pick(flip: Flip, options: Sequence[Option]) -> Option:
    """One of the options, each about as often."""
    low, high = 0, len(options)
    while high - low > 1:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if flip() else (low, middle)
    return options[low]


def seldom(flip: Flip, usual: Option, others: Sequence[Option], times: int = 3) -> Option:
    """One of the others, once in 2 ** times."""
    return pick(flip, others) if all(flip() for _ in range(times)) else usual


def _recurrence(flip: Flip, units: Sequence[int], is_stream: bool) -> Recurrence:
    cell = pick(flip, ("gru", "lstm", "simple"))
    flags = ("dropout", "no_bias", "norm", "by_cell", *["reset_before"] * (cell == "gru"))
    return Recurrence(
        cell,
        pick(flip, units),
        direction=seldom(flip, "forward", DIRECTIONS[1:], 6 if is_stream else 1),
        activation=seldom(flip, "tanh", ACTIVATIONS, 2),
        gates=seldom(flip, "sigmoid", GATES, 3),
        options=tuple(flag for flag in flags if seldom(flip, False, (True,), 2)),
    )


def draw(flip: Flip, sizes: Sizes = ANY) -> Network:
    """Draw a network; where every flip is False, it is the simplest."""
    steps = pick(flip, sizes.steps)
    chunks = [n for n in range(1, steps + 1) if not steps % n]
    chunk = pick(flip, chunks) if pick(flip, sizes.is_stream) else 0
    count = pick(flip, (1, 1, 2, 3))
    heads = [(seldom(flip, "linear", HEADS, 1), pick(flip, range(1, 11))) for _ in range(count)]
    fronts = pick(flip, (0, 0, 0, 0, 0, 1, 1, 2))
    return Network(
        steps,
        pick(flip, range(1, 13)),
        tuple(_recurrence(flip, sizes.units, chunk > 0) for _ in range(pick(flip, sizes.layers))),
        tuple({kind: (kind, width) for kind, width in heads}.values()),
        front=tuple(pick(flip, FRONTS) for _ in range(fronts)),
        merge=seldom(flip, "", MERGES, 2),
        rest=seldom(flip, "last", RESTS[1:], 1),
        extra=seldom(flip, "", EXTRAS, 2),
        is_open=seldom(flip, False, (True,), 3),
        policy=seldom(flip, "float32", POLICIES, 4),
        weights=seldom(flip, "trained", WEIGHTS, 2),
        name=seldom(flip, "x", NAMES, 3),
        data=seldom(flip, "normal", DATA, 1),
        dtype=seldom(flip, "float32", ("float64", "float16", "int32"), 3),
        chunk=chunk,
        activations=seldom(flip, "int8", ("int16",), 2),
        target=seldom(flip, "ethos-u55-128", TARGETS, 2),
        seed=pick(flip, range(64)),
    )


@st.composite
def networks(draw_: st.DrawFn, sizes: Sizes = ANY) -> Network:
    """The same as a strategy.

    All choices are booleans: hypothesis mixes numbers that it finds in the sources into its
    integers, and would draw other networks whenever a source changes.
    """
    return draw(lambda: draw_(st.booleans()), sizes)


def drawn(seed: int, index: int) -> Network:
    """The network of a seed and an index, always the same."""
    random = Random(f"{seed} {index}")
    return draw(lambda: random.random() < 0.5)


@dataclass(frozen=True)
class Found:
    """What is wrong with a network, each in a line; or why it was refused."""

    faults: list[str]
    refusal: str = ""
    seconds: float = 0.0
    trace: str = ""


Demand: TypeAlias = Callable[[Network], Found]


def run(
    wanted: Sequence[tuple[int, Network]], demand: Demand
) -> Iterator[tuple[int, Network, Found]]:
    """What is found of each network, in processes that may crash."""
    left = list(wanted)
    while left:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            for _ in range(min(PER_PROCESS, len(left))):
                number, network = left.pop(0)
                try:
                    yield number, network, pool.submit(demand, network).result()
                except BrokenProcessPool as error:
                    yield number, network, Found([f"crash: {error}"])
                    break


def main(demand: Demand) -> int:
    """Run many networks, or one; the exit status is 1 where any has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("random-networks.jsonl"))
    parser.add_argument("--only", type=lambda text: eval(text, globals()), metavar="NETWORK")
    asked = parser.parse_args()
    if asked.only:
        outcome = demand(asked.only)
        print("\n".join([*outcome.faults, outcome.trace, outcome.refusal]).strip() or "no fault")
        return int(bool(outcome.faults))
    lines = asked.out.read_text().splitlines() if asked.out.exists() else []
    done = {entry["index"] for entry in map(json.loads, lines) if entry["seed"] == asked.seed}
    wanted = [(i, drawn(asked.seed, i)) for i in range(asked.count) if i not in done]
    status = 0
    with asked.out.open("a") as out:
        for index, network, outcome in run(wanted, demand):
            entry = {
                "seed": asked.seed,
                "index": index,
                **asdict(outcome),
                "network": repr(network),
            }
            print(json.dumps(entry, ensure_ascii=False), file=out, flush=True)
            status |= bool(outcome.faults)
    return status


if __name__ == "__main__":
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    import random_networks  # by its name, under which another process finds its classes
    from random_demands import demand

    sys.exit(random_networks.main(demand))
