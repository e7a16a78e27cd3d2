"""Candidates of a search on Dask's workers, through joblib."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib

from unspool.compression.cluster_errors import lost, nobody, not_installed

_SECONDS = 10


@contextmanager
def on_dask(address: str, place: str) -> Iterator[int]:
    """Let candidates run on a Dask cluster.

    Args:
        address: as the user gave it.
        place: HOST:PORT of the scheduler.

    Yields:
        how many workers there are.

    Raises:
        UnspoolError: nobody answers, dask is not installed, or the cluster is lost.
    """
    try:
        from distributed import Client
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise not_installed(address, "dask") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # pages, where a line is enough
    try:
        client: Any = Client(f"tcp://{place}", timeout=_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise nobody(address, error) from error
    try:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        with joblib.parallel_config(backend="dask", n_jobs=workers or None):
            yield workers
    except (CommClosedError, FutureCancelledError, KilledWorker, TimeoutError) as error:
        raise lost(address, error) from error
    finally:
        client.close(timeout=1)
