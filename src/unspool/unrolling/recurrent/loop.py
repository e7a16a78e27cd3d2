"""The time loop that all cells share, unrolled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from typing import Any

from unspool.support._tensorflow import keras, tf
from unspool.tflite import gaps
from unspool.tflite.names import step_scope
from unspool.unrolling.recurrent.cell import Array, Cell, States
from unspool.unrolling.recurrent.masked import Padding, step_masks
from unspool.unrolling.recurrent.weights import OfTrained

_GAPS: ContextVar[dict[str, int] | None] = ContextVar("_GAPS", default=None)


@contextmanager
def with_gaps() -> Iterator[dict[str, int]]:
    """Run layers without the steps that are copies of the ones before them (`tflite.gaps`).

    Where the outputs of all steps are put together, the last one before the gap stands for those
    in it.

    Yields:
        a dictionary that is filled: layers that were run with a gap -> how many steps they have.
    """
    layers: dict[str, int] = {}
    token = _GAPS.set(layers)
    try:
        yield layers
    finally:
        _GAPS.reset(token)


def _left_out(layer: str, steps: int) -> range:
    """The numbers of a layer's steps that are not run."""
    layers, gap = _GAPS.get(), gaps.gap(steps)
    if layers is None or not gap:
        return range(0)
    layers[layer] = max(steps, layers.get(layer, 0))
    return gap


class Unrolled(OfTrained):
    """A recurrent layer for a fixed number of steps, without a loop.

    Called on sequences (sequences, time steps, features), of which there is one unless a
    TimeDistributed has more, and, optionally, the states before them, each (sequences, width).
    Returns the outputs of all steps, (sequences, time steps, units), in the order of processing, or
    reversed with `reverse_outputs`; the last output, (sequences, units); and the states after the
    last step. Unused outputs cost nothing: the converter drops them.

    Each step runs in a name scope of its own (`names.step_scope`), numbered in the order of
    processing.
    """

    def __init__(
        self,
        read: Callable[[], Cell],
        *,
        go_backwards: bool = False,
        reverse_outputs: bool = False,
        padding: Padding | None = None,
        **kwargs: Any,
    ) -> None:
        """Make the layer; `read` returns the deploy-time cell of a trained cell."""
        super().__init__(lambda: _arrays(read()), **kwargs)
        self._padding = padding or Padding()
        self.cell = cell = read()
        self.go_backwards = go_backwards
        self.reverse_outputs = reverse_outputs
        self._keras_cell = getattr(cell, "cell", None)  # so that Keras knows of its weights

    def call(
        self,
        sequence: Array,
        initial_state: list[Array] | None = None,
        valid: Array | None = None,
    ) -> list[Array]:
        """Run every step of `sequence`; returns [outputs, last output, *states].

        `valid`, (1, time steps), is 1 for each step that is not padded; None where all are valid.
        """
        count, steps, *features = sequence.shape
        # One tensor per weight, shared by all steps: a constant written once.
        tensors = {name: self.tensor(name) for name in self.names}
        cell = replace(self.cell, **tensors)  # type: ignore[type-var]
        if count > 1:
            sequence = tf.transpose(sequence, (1, 0, *range(2, len(sequence.shape))))
        rows = tf.reshape(sequence, (steps * count, *features), name="rows")
        projected = [tf.split(p, steps) if steps > 1 else [p] for p in cell.project(rows)]

        masks = None if valid is None else list(step_masks(valid))
        goes_on = self._padding.continues or not initial_state
        states: States | None = tuple(initial_state) if initial_state else None
        outputs: list[Array] = []
        left_out = _left_out(self.name, steps)
        for number in range(steps):
            if number in left_out:
                outputs.append(outputs[-1])
                continue
            time = steps - 1 - number if self.go_backwards else number
            # The slash at the end: the scope is taken as it is, from the root.
            with tf.name_scope(step_scope(self.name, number)):
                output, after = cell.step([p[time] for p in projected], states)
                if masks:
                    mask = masks[steps - 1 - number if self._padding.is_backwards else number]
                    masked_states = mask.states(after, states)
                    # What a padded step gives is then the state that it keeps.
                    is_kept = output is after[0] and goes_on and not self._padding.is_zero
                    padded = self._padded_output(outputs)
                    output = masked_states[0] if is_kept else mask.choose(output, padded, "output")
                    after = masked_states
                states = after
            outputs.append(output)
        ordered = outputs[::-1] if self.reverse_outputs else outputs
        # Not a concatenation, of which TFLM takes at most ten inputs.
        sequence = tf.stack(ordered, axis=1, name="sequence")
        return [sequence, outputs[-1], *(states or ())]

    def _padded_output(self, outputs: list[Array]) -> Array | None:
        """The output of a padded step: the one before it; None for zeros."""
        return outputs[-1] if outputs and not self._padding.is_zero else None

    def compute_output_shape(self, sequence_shape: tuple[int, ...], *_: Any, **__: Any) -> Any:
        """Shapes of what `call` returns, without tracing every step."""
        count, steps = sequence_shape[:2]
        return [
            (count, steps, *self.cell.output_shape),
            (count, *self.cell.output_shape),
            *((count, *shape) for shape in self.cell.state_shapes),
        ]


def _arrays(cell: Cell) -> dict[str, Array]:
    values = {field.name: getattr(cell, field.name) for field in fields(cell)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if tf.is_tensor(value)}


class PerStep(keras.layers.Layer):  # type: ignore[misc]
    """A layer or model applied to each time step, `TimeDistributed` without its reshaping.

    Called on (1, time steps, ...), or a list of such; returns (1, time steps, ...).
    """

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner
        self.built = True

    def call(self, sequence: Any) -> Array:
        """Run the layer on every step of `sequence`, or of several at once."""
        outputs: list[Array] = []
        several = isinstance(sequence, list)
        unstacked = [tf.unstack(each, axis=1) for each in (sequence if several else [sequence])]
        left_out = _left_out(self.name, len(unstacked[0]))
        for number, rows in enumerate(zip(*unstacked, strict=True)):
            if number in left_out:
                outputs.append(outputs[-1])
                continue
            with tf.name_scope(step_scope(self.name, number)):
                outputs.append(self.inner(list(rows) if several else rows[0], training=False))
        return tf.stack(outputs, axis=1, name="sequence")

    def compute_output_shape(self, shape: Any) -> tuple[int, ...]:
        """Shape of what `call` returns."""
        several = isinstance(shape, list)
        rows = [(1, *each[2:]) for each in (shape if several else [shape])]
        steps = (shape[0] if several else shape)[1]
        return (1, steps, *self.inner.compute_output_shape(rows if several else rows[0])[1:])
