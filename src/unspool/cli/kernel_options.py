"""The options of `unspool compress` that say how small kernels and layers become."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from unspool.errors import UnspoolError

if TYPE_CHECKING:
    from unspool.compression.kernels import KernelSetting


@dataclass(frozen=True)
class KernelOptions:
    """How far kernels are compressed."""

    sparsity: Annotated[
        float | None, typer.Option(help="Share of the weights that become 0; by default 0.8.")
    ] = None
    clusters: Annotated[
        int | None,
        typer.Option(help="Distinct values of the others; by default 16, 0 leaves them free."),
    ] = None
    units: Annotated[
        list[str] | None,
        typer.Option(
            help="Units that stay, the others are taken out: a share of all layers' such as 0.5, a "
            "number, or a layer's own, such as gru=128; may be given again.",
            metavar="[NAME=]UNITS",
        ),
    ] = None
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="A layer's own setting, such as gru=0.9:16; may be given again.",
            metavar="NAME=SPARSITY:CLUSTERS",
        ),
    ] = None
    quantization_aware: Annotated[
        bool,
        typer.Option(
            "--quantization-aware",
            help="Then train with the errors of int8; without the options above, only that.",
        ),
    ] = False

    @property
    def are_given(self) -> bool:
        """Whether an option says how far."""
        numbers = (self.sparsity, self.clusters)
        return bool(self.layer or self.units) or any(number is not None for number in numbers)

    def setting(self) -> "KernelSetting":
        """The setting of kernels that have none of their own.

        Raises:
            UnspoolError: a value is none that a kernel can have.
        """
        from unspool.compression.kernels import UNTOUCHED, KernelSetting

        only_for_int8 = self.quantization_aware and not self.are_given
        setting = UNTOUCHED if only_for_int8 else KernelSetting()
        if self.sparsity is not None:
            setting = replace(setting, sparsity=self.sparsity)
        if self.clusters is not None:
            setting = replace(setting, clusters=self.clusters or None)
        for name, units in self._units():
            setting = setting if name else replace(setting, units=units)
        return setting

    def layers(self) -> "dict[str, KernelSetting]":
        """Layer name -> its own setting.

        Raises:
            UnspoolError: a text cannot be read as that.
        """
        general = self.setting()
        own = {
            name: replace(layer, units=general.units)
            for name, layer in map(_layer, self.layer or [])
        }
        for name, units in self._units():
            if name:
                own[name] = replace(own.get(name, general), units=units)
        return own

    def _units(self) -> list[tuple[str, float]]:
        """A layer's name, "" for all, and how many of its units stay."""
        return [_units(text) for text in self.units or []]


def _layer(text: str) -> "tuple[str, KernelSetting]":
    """A layer's name and setting, of NAME=SPARSITY:CLUSTERS."""
    from unspool.compression.kernels import KernelSetting

    name, _, values = text.rpartition("=")
    sparsity, _, clusters = values.partition(":")
    try:
        return name, KernelSetting(float(sparsity), int(clusters or 0) or None)
    except ValueError:
        raise UnspoolError(
            f"--layer {text}: expected NAME=SPARSITY:CLUSTERS, such as gru=0.9:16"
        ) from None


def _units(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise UnspoolError(
            f"--units {text}: expected a share or a number of units, or a layer's, such as 0.5, 64 "
            "or gru=128"
        ) from None
