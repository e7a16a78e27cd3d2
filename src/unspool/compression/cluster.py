"""A cluster that a search's candidates run on: Dask's or Ray's own, through joblib."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib

from unspool.errors import UnspoolError

_SECONDS = 10


@contextmanager
def on_cluster(address: str) -> Iterator[int]:
    """Let joblib's candidates run on a cluster, which is there already.

    Its workers need Unspool and its dependencies; the model, the data and the results travel.

    Args:
        address: "dask://HOST:PORT" of a Dask scheduler, or "ray://HOST:PORT" of a Ray cluster.

    Yields:
        how many candidates can run at once: one for each worker.

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
        with joblib.parallel_config(backend=scheme, n_jobs=workers):
            yield workers


@contextmanager
def _dask(address: str, place: str) -> Iterator[int]:
    try:
        from distributed import Client
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise _not_installed(address, "dask[distributed]") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # pages, where a line is enough
    try:
        client: Any = Client(f"tcp://{place}", timeout=_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise _nobody(address, error) from error
    try:
        yield len(client.scheduler_info(n_workers=-1)["workers"])
    except (CommClosedError, FutureCancelledError, KilledWorker, TimeoutError) as error:
        raise _lost(address, error) from error
    finally:
        client.close(timeout=1)


@contextmanager
def _ray(address: str, place: str) -> Iterator[int]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise _not_installed(address, "ray") from None
    try:
        ray.init(address=f"ray://{place}", log_to_driver=False)
    except (ConnectionError, OSError, ValueError) as error:
        raise _nobody(address, error) from error
    try:
        register_ray()
        yield len(ray.nodes())
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise _lost(address, error) from error
    finally:
        ray.shutdown()


_KINDS = {"dask": _dask, "ray": _ray}


def _not_installed(address: str, package: str) -> UnspoolError:
    extra = package.partition("[")[0]
    return UnspoolError(
        f"cluster {address!r}: {package} is not installed: pip install 'unspool[{extra}]'"
    )


def _nobody(address: str, error: BaseException) -> UnspoolError:
    return UnspoolError(f"cluster {address!r}: nobody answers there: {_line(error)}")


def _lost(address: str, error: BaseException) -> UnspoolError:
    return UnspoolError(
        f"cluster {address!r} was lost: {_line(error)}; what is finished is kept, the same search "
        "goes on from there"
    )


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
