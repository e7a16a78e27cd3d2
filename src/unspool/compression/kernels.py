"""Which kernels of a model are compressed, and how far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.errors import UnspoolError

_KERNELS = ("kernel", "recurrent_kernel", "pointwise_kernel")  # Keras's names of them
_SMALL = 1 / 32
MOST_CLUSTERS = 255  # non-zero values of an int8 weight with a symmetric scale


@dataclass(frozen=True)
class KernelSetting:
    """How far a layer and its kernels are compressed.

    Attributes:
        sparsity: the share of a kernel's weights that become 0, in [0, 1); 0 prunes none.
        clusters: how many distinct values the others share, 2 to 255; None leaves them free.
        units: how many of a layer's units stay, from 1 on; or the share of them, below 1, which is
            rounded to a multiple of 8, above 64 of 32; None leaves all. Units are taken out of the
            layer and of all that reads them, so the network is smaller at every step.

    Raises:
        UnspoolError: a value outside of these.

    Example:
        >>> print(unspool.KernelSetting(sparsity=0.9, clusters=8))
        90 % zeros, 8 values
        >>> print(unspool.KernelSetting(sparsity=0.5, units=64))
        64 units, 50 % zeros, 16 values
    """

    sparsity: float = 0.8
    clusters: int | None = 16
    units: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise UnspoolError(
                f"sparsity {self.sparsity}: expected the share of weights that become 0, "
                "from 0 to below 1, such as 0.8"
            )
        if self.clusters is not None and not 2 <= self.clusters <= MOST_CLUSTERS:
            raise UnspoolError(
                f"clusters {self.clusters}: expected 2 to {MOST_CLUSTERS} distinct values"
            )

        if self.units is not None and not (
            0 < self.units < 1 or (self.units >= 1 and float(self.units).is_integer())
        ):
            raise UnspoolError(
                f"units {self.units}: expected how many stay, such as 64, or the share of them, "
                "such as 0.5"
            )

    @property
    def changes_kernels(self) -> bool:
        """Whether weights become 0 or share values."""
        return bool(self.sparsity) or self.clusters is not None

    def __str__(self) -> str:
        words = []
        if self.units is not None:
            share = f"{100 * self.units:g} % of the units"
            words = [share if self.units < 1 else f"{self.units:.0f} units"]
        if self.changes_kernels:
            values = "free values" if self.clusters is None else f"{self.clusters} values"
            words += [f"{100 * self.sparsity:.0f} % zeros", values]
        return ", ".join(words) or "as trained"


UNTOUCHED = KernelSetting(0.0, None)
"""Leaves a kernel as it is."""


@dataclass(frozen=True)
class Kernel:
    """A kernel of a model, and how far it is to be compressed.

    Attributes:
        path: layers and name, such as `gru/gru_cell/recurrent_kernel`.
        variable: the Keras variable.
        setting: how far it is to be compressed.
    """

    path: str
    variable: Any
    setting: KernelSetting


@dataclass(frozen=True)
class KernelResult:
    """What a kernel holds.

    Attributes:
        path: layers and name, such as `gru/gru_cell/recurrent_kernel`.
        weights: how many.
        zeros: how many of them are 0.
        values: how many distinct values the others have.
    """

    path: str
    weights: int
    zeros: int
    values: int


def kernels(
    model: Any, setting: KernelSetting, layers: Mapping[str, KernelSetting]
) -> list[Kernel]:
    """The kernels that are to be compressed: recurrent, dense and convolution kernels.

    A kernel with less than 1/32 of all these weights, such as that of a small output layer, is left
    as it is unless `layers` names it: compressing it saves little, and each of its weights matters
    more.

    Args:
        model: a built Keras model.
        setting: for all kernels that `layers` does not name.
        layers: layer name, or path of a kernel -> its setting.

    Raises:
        UnspoolError: the model has no such kernels, or `layers` names something else.
    """
    variables = _kernels(model)
    if not variables:
        raise UnspoolError(
            f"model {model.name!r} has no trainable kernel to compress: expected a recurrent, "
            "dense or convolution layer"
        )
    owners = {path: [path, *path.split("/")[:-1]] for path in variables}
    for name, own in layers.items():
        if own.units is None and not any(name in names for names in owners.values()):
            known = sorted({names[1] for names in owners.values()})
            raise UnspoolError(f"no kernel belongs to {name!r}; layers are {', '.join(known)}")
    whole = sum(int(np.prod(variable.shape)) for variable in variables.values())
    chosen = []
    for path, variable in variables.items():
        small = np.prod(variable.shape) < _SMALL * whole
        named = next((layers[name] for name in owners[path] if name in layers), None)
        kernel = Kernel(path, variable, named or (UNTOUCHED if small else setting))
        if kernel.setting.changes_kernels:
            chosen.append(kernel)
    return chosen


def results(model: Any) -> tuple[KernelResult, ...]:
    """Count what the kernels of a model hold now."""
    counts = []
    for path, variable in _kernels(model).items():
        values = np.array(variable)
        distinct = np.unique(values[values != 0])
        counts.append(KernelResult(path, values.size, int((values == 0).sum()), len(distinct)))
    return tuple(counts)


def _kernels(model: Any) -> dict[str, Any]:
    """Path -> variable, of every trainable kernel.

    Paths begin with the layer's name: Keras's own lose it when a model with a Bidirectional is
    cloned or loaded.
    """
    variables = {}
    for layer in model.layers:
        for variable in layer.trainable_variables:
            if variable.name in _KERNELS and len(variable.shape) > 1:
                path = variable.path.removeprefix(f"{layer.name}/")
                variables[f"{layer.name}/{path}"] = variable
    return variables
