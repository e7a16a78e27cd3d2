"""What is said of a cluster that does not answer, or no longer."""

from unspool.errors import UnspoolError


def not_installed(address: str, extra: str) -> UnspoolError:
    """The package for a kind of cluster is missing."""
    return UnspoolError(
        f"cluster {address!r}: the package for it is not installed: pip install 'unspool[{extra}]'"
    )


def nobody(address: str, error: BaseException) -> UnspoolError:
    """Nothing answers at the address."""
    return UnspoolError(f"cluster {address!r}: nobody answers there: {line(error)}")


def lost(address: str, error: BaseException | str) -> UnspoolError:
    """The cluster is gone, or its workers are."""
    return UnspoolError(
        f"cluster {address!r} was lost: {line(error)}; what is finished is kept, the same search "
        "goes on from there"
    )


def line(error: BaseException | str) -> str:
    """The first line of a message."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
