"""Write requirements/tested.txt from what is installed: `make lock`."""

import platform
import sys

from dependencies import LOCKED, LOCKED_ON, PINS, TOOLS, brought, core, of_extra

HEADER = """\
# What `make test` passed with on Python 3.11, x86-64 Linux: what the core and the extras test, docs
# and examples bring along. Written by `make lock` from .venv; `make clean test lock` takes the
# newest versions that pyproject.toml allows. CI installs these once, beside the ranges, by
#     make clean test CONSTRAINTS=requirements/tested.txt
"""


def lines() -> list[str]:
    """A pin of each, in order of the names."""
    wanted = [*core(), *(each for extra in LOCKED for each in of_extra(extra))]
    packages = brought(wanted)
    return [f"{name}=={packages[name].version}\n" for name in sorted(packages) if name not in TOOLS]


if __name__ == "__main__":
    here = (sys.platform, platform.machine(), ".".join(platform.python_version_tuple()[:2]))
    asked = tuple(LOCKED_ON[key] for key in ("sys_platform", "platform_machine", "python_version"))
    if here != asked:
        sys.exit(f"the pins are of {' '.join(asked)}, but this is {' '.join(here)}")
    PINS.write_text(HEADER + "".join(lines()))
