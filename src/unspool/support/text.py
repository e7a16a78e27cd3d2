"""Texts that others wrote, such as names of layers and messages of libraries, made safe to show."""

import re
import unicodedata


def printable(text: str) -> str:
    """The text with its control characters shown, so that none reaches the terminal.

    >>> printable("size\\x1b[2J")
    'size\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def in_a_line(text: str, most: int = 900) -> str:
    r"""A message that quotes what a file says: of one line, and of a long one the two ends.

    >>> in_a_line("node 'a\nb' is not known", 22)
    "node 'a\\nb … not known"
    """
    shown = printable(text)
    half = (most - 3) // 2
    return shown if len(shown) <= most else f"{shown[: most - 3 - half]} … {shown[-half:]}"


def visible(page: str) -> str:
    """A page whose control characters and marks of direction are shown, lines and tabs kept.

    >>> visible("a\\u202eb\\n")
    'a\\\\u202eb\\n'
    """
    shown = {c for c in set(page) - {"\n", "\t"} if unicodedata.category(c).startswith("C")}
    return page.translate({ord(c): repr(c)[1:-1] for c in shown})


def last_line(error: BaseException) -> str:
    r"""The last line of an exception's message, without the list of arguments that Keras adds.

    >>> last_line(RuntimeError("in call()\n  it does not fit\n\nArguments received by call():"))
    'it does not fit'
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("Arguments received by")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def brief(error: Exception) -> str:
    """What an error of another library says, in one line of at most 200 characters."""
    return " ".join(re.sub(r"\x1b\[\d*m", "", str(error)).split())[:200] or type(error).__name__
