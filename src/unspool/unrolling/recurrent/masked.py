"""Padded time steps: states and outputs keep the value that they had before.

`valid * new + padded * old`, where one of both masks is 1 and the other 0. All three tensors get
one scale (`quantization.masking`), so that what is kept is kept to the last bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from unspool.support._tensorflow import tf
from unspool.unrolling.recurrent.cell import Array, States


@dataclass(frozen=True)
class Padding:
    """What a recurrent layer does in padded steps, as Keras's `RNN` does it.

    Attributes:
        is_zero: outputs are 0 there, not what they were before (`zero_output_for_mask`).
        is_backwards: the steps are taken from the last one.
        continues: initial states are those of the call before, from which outputs go on, too.
    """

    is_zero: bool = False
    is_backwards: bool = False
    continues: bool = False


@dataclass(frozen=True)
class StepMask:
    """Of one time step: two tensors (1, 1), of which one is 1 and the other 0."""

    valid: Array
    padded: Array

    def choose(self, new: Array, old: Array | None, name: str) -> Array:
        """`new` in a valid step, in a padded one `old`, or zero where that is None."""
        new_part = tf.multiply(new, self.valid, name=f"{name}_taken")
        if old is None:
            return new_part
        old_part = tf.multiply(old, self.padded, name=f"{name}_kept")
        return tf.add(new_part, old_part, name=f"{name}_chosen")

    def states(self, new: States, old: States | None) -> States:
        """The states after the step; `old` is None for zeros."""
        before = old or (None,) * len(new)
        return tuple(
            self.choose(state, previous, f"state_{number}")
            for number, (state, previous) in enumerate(zip(new, before, strict=True))
        )


def step_masks(mask: Array) -> Iterator[StepMask]:
    """The masks of the steps, from a mask (1, time steps)."""
    steps = mask.shape[1]
    valid = tf.reshape(mask, (steps, 1), name="valid")
    padded = tf.subtract(1.0, valid, name="padded")
    for pair in zip(*(tf.split(column, steps) for column in (valid, padded)), strict=True):
        yield StepMask(*pair)
