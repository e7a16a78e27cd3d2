"""Candidates of a search on a Ray cluster's machines, through Ray's client."""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from unspool.compression.candidates import Candidate, Task
from unspool.compression.cluster_errors import line, lost, nobody, not_installed
from unspool.compression.kernels import KernelSetting
from unspool.compression.running import Runner, running_on
from unspool.errors import UnspoolError

_SECONDS = 10
_CONNECTIONS = 3
"""Attempts: a head of Ray's now and then fails to start its process for a client."""
_LAST_PORT = 65535
_OFTEN = 2
"""Seconds between looks whether there are machines left."""


@contextmanager
def on_ray(address: str, place: str) -> Iterator[int]:
    """Let candidates run on a Ray cluster.

    Args:
        address: as the user gave it.
        place: HOST:PORT of its client server.

    Yields:
        how many machines there are.

    Raises:
        UnspoolError: nobody answers, Ray is not installed or not the cluster's, or there is a
            connection to one.
    """
    try:
        import grpc  # noqa: F401  # without it Ray has no client
        import ray
    except ImportError:
        raise not_installed(address, "ray") from None
    if ray.is_initialized():
        raise UnspoolError(
            f"cluster {address!r}: this process is connected to Ray already; call ray.shutdown() "
            "before"
        )
    _check_listens(address, place)
    try:
        _connect(ray, address)
        machines = _Machines(ray.util.client.ray, address)
        with running_on(Runner(machines, count := machines.count())):
            yield count
    finally:
        ray.shutdown()


def _check_listens(address: str, place: str) -> None:
    """Say at once that nobody is there: Ray would try again and again."""
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise UnspoolError(
            f"cluster {address!r}: expected ray://HOST:PORT, such as ray://head:10001"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except OSError as error:
        raise nobody(address, error) from error


def _connect(ray: Any, address: str) -> None:
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.util.client.logsclient").disabled = True  # Ray sets its level anew
    # Ray reads it when it is first used: three times so long, where its own way takes 30 s.
    os.environ.setdefault("RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S", str(_SECONDS // 3))
    os.environ.setdefault("RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S", str(_SECONDS // 3))
    for attempts_left in reversed(range(_CONNECTIONS)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
                return
        except RuntimeError as error:  # of other versions, which are in lines of their own
            raise UnspoolError(f"cluster {address!r}: {' '.join(str(error).split())}") from error
        except Exception as error:
            if not (attempts_left and isinstance(error, ConnectionAbortedError)):
                raise _no_client_server(address, error) from error


def _no_client_server(address: str, error: Exception) -> UnspoolError:
    *_, last = str(error).strip().splitlines() or [type(error).__name__]
    return UnspoolError(
        f"cluster {address!r}: no client server of Ray's answers there: {last}; its port is 10001 "
        "where `ray start` is told no other"
    )


@dataclass(frozen=True)
class _Machines:
    """The machines of a Ray cluster, which try settings.

    Attributes:
        ray: its client, connected. (Where that is lost, the package's functions would start a
            cluster on this machine.)
        address: of the cluster, as the user gave it.
        sent: tasks that are there already, each with where it is.
    """

    ray: Any
    address: str
    sent: list[tuple[Task, Any]] = field(default_factory=list)

    def count(self) -> int:
        """How many there are that work: a dead one is listed too, and a head may do no work."""
        nodes = self._asked(self.ray.nodes)
        return sum(node["Alive"] and node["Resources"].get("CPU", 0) >= 1 for node in nodes)

    def __call__(
        self, task: Task, settings: Sequence[KernelSetting]
    ) -> Iterator[tuple[Candidate, bytes]]:
        """Each setting's candidate and its model, as they are finished.

        Raises:
            UnspoolError: the cluster is lost, or a candidate says why it cannot be.
        """
        from ray import cloudpickle

        there = self._there(task)
        spread = self.ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_tried())
        running = [
            self._asked(
                spread.options(name=f"unspool: {each}").remote, there, cloudpickle.dumps(each)
            )
            for each in settings
        ]
        try:
            while running:
                ready, running = self._asked(self.ray.wait, running, timeout=_OFTEN)
                for each in ready:
                    yield cloudpickle.loads(self._asked(self.ray.get, each))
                if not ready and not self.count():
                    raise lost(self.address, "no machine is left that works")
        finally:
            for each in running:
                with suppress(Exception):  # the cluster may be what was lost
                    self.ray.cancel(each, force=True)

    def _there(self, task: Task) -> Any:
        """Where a task is on the cluster; it is sent once."""
        from ray import cloudpickle

        for each, there in self.sent:
            if each is task:
                return there
        there = self._asked(self.ray.put, cloudpickle.dumps(task))
        self.sent.append((task, there))
        return there

    def _asked(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What Ray answers.

        Raises:
            UnspoolError: it does not, or a machine lacks what it needs.
            Exception: what a candidate raised.
        """
        from ray.exceptions import RayTaskError

        try:
            return call(*arguments, **options)
        except RayTaskError as error:
            if isinstance(error.cause, ImportError):
                raise UnspoolError(
                    f"cluster {self.address!r}: a machine of it lacks what Unspool needs: "
                    f"{line(error.cause)}; install Unspool on all"
                ) from error
            raise error.cause from error
        except Exception as error:  # Ray has many, some of them of no class of its own
            raise lost(self.address, error) from error


def _tried() -> Callable[[bytes, bytes], bytes]:
    """A function that Ray sends as it is: the head, which passes it on, needs no Unspool.

    What it takes and gives are bytes for the same reason.
    """

    def tried(task: bytes, setting: bytes) -> bytes:
        from ray import cloudpickle

        from unspool.compression import candidates

        outcome = candidates.run(cloudpickle.loads(task), cloudpickle.loads(setting))
        content: bytes = cloudpickle.dumps(outcome)
        return content

    return tried
