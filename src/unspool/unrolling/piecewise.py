"""Whether one layer or function computes the same piece by piece as on a whole sequence."""

import warnings
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from unspool.frontend.structure import REMOVED
from unspool.support._tensorflow import keras
from unspool.support.drawn import drawn
from unspool.unrolling import windows
from unspool.unrolling.masking import Clearing
from unspool.unrolling.pieces import Pieces


@dataclass(frozen=True)
class Step:
    """How a call of a layer or function takes a sequence.

    Attributes:
        problem: why it would compute something else piece by piece; else "".
        taken: time steps that it takes at once.
        given: time steps that it gives for these.
        zeros: rows of zeros that what it gives begins and ends with, on a whole sequence.
        reads_windows: it reads windows of time, puts zeros around them, or cuts the sequence.
        is_reshape: it is a Reshape that keeps each time step.
        pools_all: it pools over all time steps.
    """

    problem: str = ""
    taken: int = 1
    given: int = 1
    zeros: tuple[int, int] = (0, 0)
    reads_windows: bool = False
    is_reshape: bool = False
    pools_all: bool = False


ZEROS = (
    "which a stream has no time steps for; put them right in front of a convolution or pooling "
    "that reads them"
)
"""The end of a message about zeros that a layer puts around a sequence."""


def step(node: Any, timed: set[int], zeros: tuple[int, int], pieces: Pieces) -> Step:
    """How a call takes a sequence that begins and ends with so many rows of zeros."""
    layer = node.operation
    problem = _problem(layer, node, timed, pieces)
    if problem or not has_time(node.input_tensors, timed):
        return Step(problem)
    if isinstance(layer, REMOVED):
        return Step(zeros=zeros)
    window_step = _of_windows(layer, zeros, pieces)
    if window_step is not None:
        return window_step
    if any(zeros):
        return Step(f"reads zeros around the sequence, {ZEROS}")
    if windows.cropping(layer) and pieces.warms_up:
        return Step(reads_windows=True)
    spread = windows.spreading(layer)
    if spread and spread.reads_before and pieces.warms_up:
        return _of_spread(spread, pieces)
    if windows.pools_all(layer) and pieces.warms_up:
        return _of_all(pieces)
    if isinstance(layer, keras.layers.RNN | keras.layers.TimeDistributed | Clearing):
        return Step()
    if _keeps_time(layer):
        return Step(is_reshape=True)
    grain = _known_grain(node, timed)
    if grain is None:
        return Step(
            "mixes time steps, so chunk by chunk it would compute something else; deploy it "
            f"{pieces.otherwise}, or put it after the last recurrent layer"
        )
    return Step("", *grain)


def _of_windows(layer: Any, zeros: tuple[int, int], pieces: Pieces) -> Step | None:
    """The same of a layer that reads windows or pads; None of others, and where none is needed."""
    added, window = windows.padding(layer), windows.window(layer)
    if added and added[1] and not pieces.looks_ahead:
        return Step(
            f"puts zeros behind the sequence, whose end {pieces.of} does not have{pieces.ahead}"
        )
    if added and any((*added, *zeros)):
        return Step(zeros=(zeros[0] + added[0], zeros[1] + added[1]), reads_windows=True)
    if window is None or not (window.reads_before or any(zeros)):
        return None
    problem = window.problem(zeros[0], pieces)
    otherwise = f"; or deploy it {pieces.otherwise}" if problem else ""
    return Step(problem + otherwise, window.stride, reads_windows=True)


def _of_all(pieces: Pieces) -> Step:
    """The same of a pooling over all time steps."""
    if pieces.pool_window:
        return Step(reads_windows=True, pools_all=True)
    return Step(
        f"pools over the whole sequence, which {pieces.of} does not have; say over how many of the "
        f"last time steps, by `pool_window`; or deploy it {pieces.otherwise}"
    )


def _of_spread(spread: windows.Spreading, pieces: Pieces) -> Step:
    """The same of a transposed convolution whose rows overlap."""
    if spread.cut[0] and not pieces.looks_ahead:
        return Step(
            'makes steps of some that are to come, by its padding "same"; train it with padding '
            f'"valid"{pieces.ahead}; or deploy it {pieces.otherwise}'
        )
    return Step("", 1, spread.stride, reads_windows=True)


def _keeps_time(layer: Any) -> bool:
    """Whether a layer is a Reshape of what each of a fixed number of time steps holds."""
    if not isinstance(layer, keras.layers.Reshape):
        return False
    before, after = layer.input.shape, layer.output.shape
    return len(after) > 2 and before[1] is not None and before[1] == after[1]


def _problem(layer: Any, node: Any, timed: set[int], pieces: Pieces) -> str:
    """Why a call computes something else piece by piece, by what the layer is; else ""."""
    if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
        return (
            f"reads the sequence from its end, which {pieces.of} does not have yet; deploy it "
            f"{pieces.otherwise}, or train it forwards only"
        )
    begins = has_time(node.outputs, timed) or isinstance(layer, keras.layers.RNN)
    if begins and not has_time(node.input_tensors, timed):
        return (
            "begins a sequence of its own in every call, which has no states to go on from; deploy "
            f"it {pieces.otherwise}"
        )
    return ""


_STEPS = 24  # a layer may look back over many steps
_MOST_AT_ONCE = 8
_DRAWS = 2


Grain: TypeAlias = tuple[int, int] | None

_GRAINS: WeakKeyDictionary[Any, dict[tuple[Any, ...], Grain]] = WeakKeyDictionary()
"""What was found of a call of a layer, by its inputs in time and its weights: it is asked often."""


def _known_grain(node: Any, timed: set[int]) -> Grain:
    weights = tuple(hash(np.asarray(w).tobytes()) for w in getattr(node.operation, "weights", ()))
    known = _GRAINS.setdefault(node, {})
    key = (*(id(tensor) in timed for tensor in node.input_tensors), *weights)
    if key not in known:
        known[key] = _grain(node, timed)
    return known[key]


def _grain(node: Any, timed: set[int]) -> Grain:
    """(steps that a call takes at once, steps that it gives for them), found by trying.

    None where it mixes time steps. An output without time is the same after the last step: a slice
    of it, but no mean over time.
    """
    for input_steps in range(1, _MOST_AT_ONCE + 1):
        output_steps = _output_steps(node, timed, input_steps)
        if output_steps is not None:
            return input_steps, output_steps
    return None


def _output_steps(node: Any, timed: set[int], input_steps: int) -> int | None:
    """How many steps a call gives for so many; None where more at once give something else."""
    counts = [_tried(node, timed, input_steps, seed) for seed in range(_DRAWS)]
    return None if None in counts else counts[0]


def _tried(node: Any, timed: set[int], input_steps: int, seed: int) -> int | None:
    rng = np.random.default_rng(seed)
    steps = max(3, _STEPS // input_steps) * input_steps
    values = {id(tensor): _drawn(tensor, rng, timed, steps) for tensor in node.input_tensors}
    parts = [
        {key: a[:, n : n + input_steps] if key in timed else a for key, a in values.items()}
        for n in range(0, steps, input_steps)
    ]
    try:
        with warnings.catch_warnings():  # of sequences that are none of the user's
            warnings.simplefilter("ignore")
            whole, *pieces = [_computed(node, arrays) for arrays in (values, *parts)]
    except Exception:  # it takes sequences of one length alone, or no values such as these
        return None
    if not all(
        _same(output, [p[n] for p in pieces], input_steps) for n, output in enumerate(whole)
    ):
        return None
    lengths = [p.shape[1] for p in pieces[0] if p.ndim > 2]
    return min(lengths, default=input_steps) or None


def _drawn(tensor: Any, rng: np.random.Generator, timed: set[int], steps: int) -> np.ndarray:
    """Values of a tensor's shape, (1, ...)."""
    shape = [size or steps for size in (1, *tensor.shape[1:])]
    if has_time([tensor], timed):
        shape[1] = steps
    return drawn(rng, shape, tensor.dtype)


def _computed(node: Any, values: dict[int, np.ndarray]) -> list[np.ndarray]:
    args, kwargs = node.arguments.fill_in(values)
    kwargs.pop("mask", None)
    return [np.asarray(each) for each in keras.tree.flatten(node.operation(*args, **kwargs))]


def _same(whole: np.ndarray, parts: list[np.ndarray], input_steps: int) -> bool:
    """Whether an output of a whole sequence is that of its parts, or of the last step.

    Of one step alone: a function such as `any` soon gives the same for several.
    """

    def close(other: np.ndarray) -> bool:
        return other.shape == whole.shape and np.allclose(whole, other, atol=1e-5)

    joined = whole.ndim > 2 and close(np.concatenate(parts, axis=1))
    return joined or (input_steps == 1 and close(parts[-1]))


def has_time(tensors: list[Any], timed: set[int]) -> bool:
    """Whether one of some tensors is a sequence; `timed` has those that are, by id."""
    return not timed.isdisjoint(map(id, tensors))
