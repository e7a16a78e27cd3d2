"""A user's own cell: run as it is in every step; its tensors are tied as those of other cells.

The cell is any Keras layer with `state_size` and `call(inputs, states)`, as `keras.layers.RNN`
takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras, tf
from unspool.unrolling.recurrent.cell import Array, Cell, States


@dataclass(frozen=True)
class KerasCell:
    """A built Keras cell; its weights stay its own."""

    cell: Any
    output_shape: tuple[int, ...]
    state_shapes: tuple[tuple[int, ...], ...]

    def project(self, rows: Array) -> list[Array]:
        return [rows]

    def step(self, projected: Sequence[Array], states: States | None) -> tuple[Array, States]:
        (row,) = projected
        if states is None:
            states = tuple(tf.zeros((row.shape[0], *shape)) for shape in self.state_shapes)
        # A list even where there is one state, as keras.layers.RNN gives it.
        output, after = self.cell(row, list(states), training=False)
        return output, tuple(keras.tree.flatten(after))


def from_keras(cell: Any) -> Cell:
    """The deploy-time cell of any built Keras cell.

    Raises:
        UnspoolError: a state is not a vector.
    """
    sizes = keras.tree.flatten(cell.state_size)
    if not all(isinstance(size, int) for size in sizes):
        raise UnspoolError(
            f"cell {cell.name!r} ({type(cell).__name__}) has states of the shape "
            f"{cell.state_size}; expected vectors, each given by its width"
        )
    output = getattr(cell, "output_size", None) or sizes[0]
    return KerasCell(cell, (int(output),), tuple((size,) for size in sizes))
