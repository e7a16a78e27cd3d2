"""Texts of a user's, such as names of layers, on their way to a terminal."""


def printable(text: str) -> str:
    """The text with its control characters shown, so that none reaches the terminal.

    >>> printable("size\\x1b[2J")
    'size\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
