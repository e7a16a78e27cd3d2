"""A trained model -> the model that is fine-tuned, with as many units as a setting asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.compression.kernels import KernelSetting
from unspool.compression.states import recurrent_calls
from unspool.compression.trained_loss import compiled_as, copied
from unspool.compression.units.channels import Channels
from unspool.compression.units.choice import Wish, staying, wishes
from unspool.compression.units.layout import layout
from unspool.compression.units.removal import UnitsResult, results, without
from unspool.compression.units.scores import scores


@dataclass(frozen=True)
class Fewer:
    """A model without some of its units, yet to be fine-tuned.

    Attributes:
        model: with weights of the trained model.
        units: of each layer that lost some, how many are left.
        kept: of each of its `recurrent_calls`, the places of what is left in what it gave.
    """

    model: Any
    units: tuple[UnitsResult, ...]
    kept: tuple[np.ndarray, ...]


def with_fewer_units(
    model: Any,
    setting: KernelSetting,
    layers: Mapping[str, KernelSetting],
    scored: Callable[[], np.ndarray],
) -> Fewer:
    """A copy of a model without its least important units.

    Args:
        model: a built Keras model.
        setting: for all layers that `layers` does not name.
        layers: layer name -> its setting.
        scored: gives the score of each unit, as `unit_scores`; not called where all units stay.

    Raises:
        UnspoolError: what is asked for cannot be taken out; the message says why.
    """
    outputs = [node.outputs[0] for node in recurrent_calls(model)]
    if not _are_asked_for(setting, layers):
        return Fewer(copied(model), (), tuple(np.arange(t.shape[-1]) for t in outputs))
    channels, wanted = _checked(model, setting, layers)
    stays = staying(channels, scored(), wanted)
    smaller = compiled_as(without(model, channels, stays), model)
    places = tuple(np.flatnonzero(stays[channels.of_tensors[id(tensor)]]) for tensor in outputs)
    return Fewer(smaller, results(channels, stays), places)


def unit_scores(model: Any, data: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """How much each unit of a model matters, (channels,) in the order of its layout.

    Args:
        model: a built Keras model.
        data: samples to find it out with, one array (samples, ...) per input.
        seed: draws samples.

    Raises:
        UnspoolError: the model has a layer that is not known.
    """
    return scores(model, layout(model), data, seed)


def check_units(model: Any, setting: KernelSetting, layers: Mapping[str, KernelSetting]) -> None:
    """Check, without any work, that the units can be taken out that settings ask for.

    Raises:
        UnspoolError: as `with_fewer_units`.
    """
    if _are_asked_for(setting, layers):
        _checked(model, setting, layers)


def _are_asked_for(setting: KernelSetting, layers: Mapping[str, KernelSetting]) -> bool:
    return any(each.units is not None for each in (setting, *layers.values()))


def _checked(
    model: Any, setting: KernelSetting, layers: Mapping[str, KernelSetting]
) -> tuple[Channels, list[Wish]]:
    """The model's layout, and what settings ask for, which can be had whatever the scores are."""
    channels = layout(model)
    wanted = wishes(channels, setting.units, {name: own.units for name, own in layers.items()})
    staying(channels, np.zeros(channels.count), wanted)
    return channels, wanted
