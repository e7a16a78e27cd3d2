"""A cluster that a search's candidates run on: Dask's or Ray's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from unspool.compression.dask_cluster import on_dask
from unspool.compression.ray_cluster import on_ray
from unspool.errors import UnspoolError

_KINDS = {"dask": on_dask, "ray": on_ray}


@contextmanager
def on_cluster(address: str) -> Iterator[int]:
    """Let a search's candidates run on a cluster, which is there already.

    Its workers need Unspool and its dependencies; the model, the data and the results travel.

    Args:
        address: "dask://HOST:PORT" of a Dask scheduler, or "ray://HOST:PORT" of the client server
            of a Ray cluster.

    Yields:
        how many candidates can run at once: one for each worker of Dask's, or machine of Ray's.

    Raises:
        UnspoolError: the address is none, nobody answers there, the package for it is not
            installed, or the cluster is lost while it works.

    Example:
        >>> with unspool.on_cluster("x://y"):
        ...     pass
        Traceback (most recent call last):
        ...
        unspool.errors.UnspoolError: cluster 'x://y': expected dask://HOST:PORT or ray://HOST:PORT
    """
    scheme, _, place = address.partition("://")
    if scheme not in _KINDS or not place:
        raise UnspoolError(f"cluster {address!r}: expected dask://HOST:PORT or ray://HOST:PORT")
    with _KINDS[scheme](address, place) as workers:
        if not workers:
            raise UnspoolError(f"cluster {address!r}: it has no workers; start some")
        yield workers
