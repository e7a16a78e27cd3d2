"""Options in groups: what belongs together is one parameter of a command, a frozen dataclass."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters may be groups of options -> the same command for Typer.

    A group is a dataclass whose fields are options, each a type with `typer.Option` and a default.
    Typer is shown the options of all groups, in the order of the command's parameters, and the
    groups are made of what it parsed.

    >>> from dataclasses import dataclass
    >>> from pathlib import Path
    >>> from typing import Annotated
    >>> import typer
    >>> @dataclass(frozen=True)
    ... class Limits:
    ...     max_ms: Annotated[float | None, typer.Option(metavar="MS")] = None
    ...     no_cpu: Annotated[bool, typer.Option("--no-cpu")] = False
    >>> @grouped
    ... def check(report: Path, limits: Limits) -> None:
    ...     print(f"{report}: {limits}")
    >>> list(inspect.signature(check).parameters)
    ['report', 'max_ms', 'no_cpu']
    >>> check(report="report.json", max_ms=5, no_cpu=False)
    report.json: Limits(max_ms=5, no_cpu=False)
    """
    parameters = inspect.signature(command).parameters
    groups = {
        name: inspect.signature(parameter.annotation).parameters
        for name, parameter in parameters.items()
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)
    }
    flat = [
        # By keyword only: there may be options with a default before others without one.
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        for option in (groups[name].values() if name in groups else [parameter])
    ]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        instances = {
            name: parameters[name].annotation(**{option: values.pop(option) for option in options})
            for name, options in groups.items()
        }
        command(**values, **instances)

    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    call.__annotations__ = {option.name: option.annotation for option in flat}
    return call


def words(group: Any) -> list[str]:
    """The options of a group that are not as they are by default, as they are given to a command.

    >>> from dataclasses import dataclass
    >>> from typing import Annotated
    >>> import typer
    >>> @dataclass(frozen=True)
    ... class Limits:
    ...     max_ms: Annotated[float | None, typer.Option(metavar="MS")] = None
    ...     cpu: Annotated[bool, typer.Option("--no-cpu")] = False
    >>> words(Limits(max_ms=5.0, cpu=True))
    ['--max-ms', '5', '--no-cpu']
    """
    arguments: list[str] = []
    for name, parameter in inspect.signature(type(group)).parameters.items():
        value = getattr(group, name)
        if value == parameter.default:
            continue
        (option,) = parameter.annotation.__metadata__
        # Within `Annotated` Typer keeps the first name where a default would be.
        named = [name for name in (option.default, *(option.param_decls or ())) if name != ...]
        flag = named[0] if named else f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list | tuple) else [value]:
            arguments += [flag] if one is True else [flag, _word(one)]
    return arguments


def _word(value: Any) -> str:
    """A value as a user gives it: `5` for 5.0."""
    setting = getattr(value, "value", value)
    return str(int(setting) if isinstance(setting, float) and setting.is_integer() else setting)
