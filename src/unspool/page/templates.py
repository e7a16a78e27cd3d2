"""The templates of both pages, and the style that they share."""

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def environment() -> Any:
    """Jinja, with what the templates need; a name that is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("unspool.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("unspool.page").joinpath("report.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)
    environment.filters["picture"] = Markup  # of the charts, which escape what they are given
    return environment
