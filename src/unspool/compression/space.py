"""The settings that a search may try, and which of them to try next."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from unspool.compression.fewer_units import check_units
from unspool.compression.kernels import UNTOUCHED, KernelSetting
from unspool.errors import UnspoolError

SETTINGS = tuple(
    setting
    for units in (None, 0.75, 0.5, 0.375, 0.25)
    for sparsity in (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)
    for clusters in (None, 32, 16, 8)
    if (setting := KernelSetting(sparsity, clusters, units)) != UNTOUCHED
)
"""What a search tries some of, where it is not told otherwise."""

_FIRST = 5  # that are spread evenly, before there is anything to learn from
_ASKED = 100


@dataclass(frozen=True)
class Evaluation:
    """A setting, and what it gave.

    Attributes:
        setting: that was tried.
        lost: how much worse its metric is than the trained model's.
        size: of it, in what is to be small.
    """

    setting: KernelSetting
    lost: float
    size: float


def possible(model: Any, settings: Sequence[KernelSetting]) -> tuple[KernelSetting, ...]:
    """The settings, each once, without numbers of units that the model cannot be left with.

    Raises:
        UnspoolError: there is none.
    """
    if not settings:
        raise UnspoolError("settings: expected at least one")
    fits: dict[float | None, bool] = {}
    for units in {setting.units for setting in settings}:
        fits[units] = _fits(model, units)
    valid_settings = tuple(setting for setting in dict.fromkeys(settings) if fits[setting.units])
    if not valid_settings:
        check_units(model, settings[0], {})  # says why
    return valid_settings


def _fits(model: Any, units: float | None) -> bool:
    try:
        check_units(model, replace(UNTOUCHED, units=units), {})
    except UnspoolError:
        return False
    return True


def proposed(
    settings: Sequence[KernelSetting], tried: Sequence[Evaluation], count: int, seed: int
) -> list[KernelSetting]:
    """The next settings to try, as many as asked for while there are some.

    The first ones are spread evenly from mild to strong. Then a tree-structured Parzen estimator
    (Optuna's) models which dials give little loss and little size, both at once, and samples where
    the ratio of good to bad is best.

    Args:
        settings: that may be tried.
        tried: what is known.
        count: how many to propose.
        seed: of the sampler.
    """
    known = {each.setting for each in tried}
    untried = [setting for setting in settings if setting not in known]
    if len(tried) < _FIRST:
        return evenly(_ordered(untried), min(count, _FIRST - len(tried)))
    return _sampled(settings, untried, tried, min(count, len(untried)), seed)


def evenly(settings: Sequence[KernelSetting], count: int) -> list[KernelSetting]:
    """At most so many of some settings in their order, spread evenly, the ends left out."""
    count = min(count, len(settings))
    return [settings[(2 * k + 1) * len(settings) // (2 * count)] for k in range(count)]


def _ordered(settings: Sequence[KernelSetting]) -> list[KernelSetting]:
    """From mild to strong."""
    return sorted(settings, key=_remaining_bits, reverse=True)


def between(
    settings: Sequence[KernelSetting],
    held: KernelSetting,
    failed: KernelSetting,
    tried: Sequence[KernelSetting],
) -> list[KernelSetting]:
    """Settings that have not been tried and leave more than one does, and less than another.

    Args:
        settings: that may be tried.
        held: one that held the goal.
        failed: one that did not, and leaves less.
        tried: what has been tried.

    Returns:
        them from mild to strong.
    """
    low, high = _remaining_bits(failed), _remaining_bits(held)
    return _ordered([s for s in settings if s not in tried and low < _remaining_bits(s) < high])


def mildest(settings: Sequence[KernelSetting]) -> KernelSetting:
    """The setting that changes a model least."""
    return max(settings, key=_remaining_bits)


def _remaining_bits(setting: KernelSetting) -> float:
    """Roughly, the share of the bits of a recurrent kernel that stays."""
    units = setting.units if setting.units is not None and setting.units < 1 else 1.0
    bits = math.log2(setting.clusters or 256)
    return units**2 * (1 - setting.sparsity) * bits


def _sampled(
    settings: Sequence[KernelSetting],
    untried: Sequence[KernelSetting],
    tried: Sequence[Evaluation],
    count: int,
    seed: int,
) -> list[KernelSetting]:
    """What Optuna asks for that has not been tried."""
    import optuna  # a second, which only a search needs

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    dials = _dials(settings)
    space: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.IntDistribution(0, len(values) - 1)
        for name, values in dials.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, constant_liar=True, seed=seed + len(tried)
        )
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for each in tried:
        params = {name: v.index(getattr(each.setting, name)) for name, v in dials.items()}
        values = [each.lost, math.log(each.size)]
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=space, values=values)
        )
    chosen: list[KernelSetting] = []
    for _ in range(_ASKED):
        params = study.ask(space).params
        setting = KernelSetting(**{name: v[params[name]] for name, v in dials.items()})
        if setting in untried and setting not in chosen:
            chosen.append(setting)
        if len(chosen) == count:
            return chosen
    others = [setting for setting in untried if setting not in chosen]
    return chosen + evenly(_ordered(others), count - len(chosen))


def _dials(settings: Sequence[KernelSetting]) -> dict[str, list[Any]]:
    """Each dial's values, from mild to strong."""
    return {
        "units": sorted({s.units for s in settings}, key=lambda u: -math.inf if u is None else -u),
        "sparsity": sorted({s.sparsity for s in settings}),
        "clusters": sorted({s.clusters for s in settings}, key=lambda c: -(c or 256)),
    }
