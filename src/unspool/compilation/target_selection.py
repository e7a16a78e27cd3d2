"""Every target of a Vela configuration, or those of them that have some names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unspool.compilation.targets import (
    ACCELERATORS,
    Target,
    check_accelerator,
    fits,
    memory_modes,
    system_configs,
)
from unspool.compilation.vela_config import arm_config
from unspool.errors import UnspoolError
from unspool.support.files import AnyPath


def all_targets(
    accelerators: Sequence[str] = (),
    system_configs: Sequence[str] = (),
    memory_modes: Sequence[str] = (),
    config: AnyPath | None = None,
) -> tuple[Target, ...]:
    """Every target that has these names; combinations that do not exist are left out.

    Args:
        accelerators: some of `ACCELERATORS`; all where empty.
        system_configs: system configurations of the file; all where empty.
        memory_modes: memory modes of the file; all where empty.
        config: a Vela configuration file; Arm's own where None.

    Raises:
        UnspoolError: a name is unknown, or no target has it together with the other names.

    Example:
        >>> targets = unspool.all_targets(["ethos-u55-128"], ["Ethos_U55_High_End_Embedded"])
        >>> sorted(target.memory_mode for target in targets)
        ['Shared_Sram', 'Sram_Only']
    """
    for accelerator in accelerators:
        check_accelerator(accelerator)
    path = Path(config) if config else arm_config()
    everything = _every_target(path)
    wanted = [
        _Choice("target", "accelerator", accelerators),
        _Choice("system configuration", "system_config", system_configs),
        _Choice("memory mode", "memory_mode", memory_modes),
    ]
    matches = [chosen for chosen in everything if all(choice.has(chosen) for choice in wanted)]
    for choice in wanted:
        choice.check_known(everything, path)
    for choice in wanted:
        choice.check_used(matches)
    return tuple(matches)


def _every_target(path: Path) -> list[Target]:
    return [
        Target(accelerator, system, mode, path)
        for accelerator in ACCELERATORS
        for system in system_configs(accelerator, path)
        for mode in memory_modes(accelerator, path)
        if fits(path, system, mode)
    ]


@dataclass(frozen=True)
class _Choice:
    """Names that targets are chosen by: some of one attribute's; every name where empty."""

    what: str
    attribute: str
    names: Sequence[str]

    def has(self, target: Target) -> bool:
        return not self.names or getattr(target, self.attribute) in self.names

    def check_known(self, everything: Sequence[Target], path: Path) -> None:
        known = dict.fromkeys(getattr(target, self.attribute) for target in everything)
        for name in self.names:
            if name not in known:
                listed = ", ".join(known) or "(none there)"
                raise UnspoolError(
                    f"{self.what} {name!r}: expected, in {path.name}, one of {listed}"
                )

    def check_used(self, chosen: Sequence[Target]) -> None:
        for name in self.names:
            if not any(getattr(target, self.attribute) == name for target in chosen):
                raise UnspoolError(
                    f"{self.what} {name!r}: does not go with any of the others that were given; "
                    "leave it out, or give others"
                )
