"""Vela's configuration files: sections of systems and of memory modes."""

import configparser
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from unspool.errors import UnspoolError
from unspool.support.files import check_regular


def arm_config() -> Path:
    """Arm's configuration file, as Vela ships it.

    Raises:
        UnspoolError: Vela is not installed.
    """
    vela = find_spec("ethosu")
    folders = list(vela.submodule_search_locations or []) if vela else []
    for folder in folders:
        path = Path(folder) / "config_files" / "Arm" / "vela.ini"
        if path.is_file():
            return path
    raise UnspoolError("Vela is not installed: pip install 'ethos-u-vela>=5.2,<6'")


@cache
def _read(config: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    check_regular(config)
    try:
        with config.open() as file:
            parser.read_file(file)
    except OSError as error:
        raise UnspoolError(f"Vela configuration {config}: {error.strerror or error}") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UnspoolError(f"Vela configuration {config}: not an .ini file ({reason})") from None
    return parser


def sections(config: Path, kind: str) -> list[str]:
    """Names of the sections of a kind, such as "Memory_Mode"."""
    return [
        section.partition(".")[2]
        for section in _read(config).sections()
        if section.startswith(f"{kind}.")
    ]


def setting(config: Path, section: str, key: str) -> str:
    """A setting of a section, or of the section that it inherits from; empty without either."""
    parser = _read(config)
    for _ in parser.sections():
        if not parser.has_section(section):
            break
        if parser.has_option(section, key):
            return parser.get(section, key)
        section = parser.get(section, "inherit", fallback="")
    return ""
