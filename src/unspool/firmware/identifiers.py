"""What C is made of: identifiers of layers and tensors, text inside comments, constants."""

import re
from collections.abc import Iterable

from unspool.errors import UnspoolError


def identifier(name: str) -> str:
    """A name in lower case with every run of other characters as one underscore.

    No underscore leads or is doubled: C and C++ reserve those names. It always stands between
    other words (`kws_quantize_int`), so a C keyword is as good as any name.
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def prefix(name: str) -> str:
    """The identifier that every name of a bundle starts with.

    Raises:
        UnspoolError: no letter of the name is left, so C has nothing to start with.
    """
    chosen = identifier(name)
    if not re.search("[a-z]", chosen):
        raise UnspoolError(
            f"bundle name {name!r}: becomes the C identifier {chosen!r}, "
            "expected at least one letter from a to z"
        )
    return chosen if chosen[0].isalpha() else f"model_{chosen}"


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Name -> identifier, in the names' order; those that would collide get `_2`, `_3`, ..."""
    identifiers: dict[str, str] = {}
    for name in names:
        base = chosen = identifier(name) or "tensor"
        number = 1
        while chosen in identifiers.values():
            number += 1
            chosen = f"{base}_{number}"
        identifiers[name] = chosen
    return identifiers


def printable(text: str) -> str:
    """Text for a C comment, or code in Markdown: nothing in it can end either, or warn."""
    plain = "".join(c if " " <= c <= "~" and c not in "\\`|" else "?" for c in text)
    # The ends of a comment, and trigraphs.
    return re.sub(r"(?<=\*)(?=/)|(?<=/)(?=\*)|(?<=\?)(?=\?)", " ", plain)


def in_markdown(text: str) -> str:
    """Text for Markdown, in which nothing is HTML or a link."""
    return re.sub(r"[<&\[]", lambda match: f"&#{ord(match[0])};", printable(text))


def c_float(value: float) -> str:
    """A C float constant; 9 significant digits name every float32 exactly."""
    digits = f"{value:.9g}"
    return f"{digits}f" if "." in digits or "e" in digits else f"{digits}.0f"
