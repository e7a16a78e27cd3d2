"""A search on a cluster: Dask's own scheduler and workers, on the loopback, killed on the way."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from searches import SETTINGS, free_port, kill, searched

from unspool import Goal, Search, UnspoolError
from unspool.compression.cluster import on_cluster

pytestmark = pytest.mark.filterwarnings("ignore:quantized as it is")  # so that all are tried

DASK = Path(sys.executable).with_name("dask")


@dataclass(frozen=True)
class Cluster:
    address: str
    scheduler: subprocess.Popen[bytes]
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def running(folder: Path, workers: int) -> Iterator[Cluster]:
    """A scheduler and workers of one thread each; all of them are gone afterwards."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    with ExitStack() as processes:

        def begun(*arguments: object) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [DASK, *map(str, arguments), "--no-dashboard"],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            processes.callback(process.wait)
            processes.callback(kill, process)
            return process

        scheduler = begun("scheduler", "--host", "127.0.0.1", "--port", port)
        started = [begun("worker", f"tcp://{address}", "--nthreads", 1) for _ in range(workers)]
        wait_for(address, workers)
        yield Cluster(f"dask://{address}", scheduler, tuple(started))


def wait_for(address: str, workers: int) -> None:
    from distributed import Client

    while True:
        try:
            with Client(f"tcp://{address}", timeout=60) as client:
                if workers:
                    client.wait_for_workers(workers, timeout=60)
                return
        except OSError:  # the scheduler is not up yet
            time.sleep(0.1)


@pytest.mark.slow
def test_workers_of_a_cluster_try_the_settings(tmp_path: Path) -> None:
    alone = searched(tmp_path / "alone")
    with running(tmp_path, workers=2) as cluster, on_cluster(cluster.address) as count:
        assert count == 2
        search = searched(tmp_path / "there")
    assert search.chosen is not None and alone.chosen is not None
    assert search.chosen.setting == alone.chosen.setting == SETTINGS[-1]
    assert search.chosen.flash_kib == pytest.approx(alone.chosen.flash_kib, rel=0.02)


@pytest.mark.slow
def test_a_worker_that_dies_is_done_without(tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as cluster, on_cluster(cluster.address):

        def lose_one(so_far: Search) -> None:
            if len(so_far.candidates) == 1:
                kill(cluster.workers[0])

        search = searched(tmp_path / "there", on_candidate=lose_one, goal=Goal(max_loss=0))
    assert search.candidates


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_and_the_search_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    with running(tmp_path, workers=1) as cluster:

        def lose_it(so_far: Search) -> None:
            if len(so_far.candidates) == 1:
                kill(cluster.scheduler)

        message = r"was lost: .* what is finished is kept"
        with pytest.raises(UnspoolError, match=message) as lost, on_cluster(cluster.address):
            searched(folder, on_candidate=lose_it)
    assert "\n" not in str(lost.value)
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(finished) == 1
    searched(folder)  # on this machine now
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("spark://here:1", "expected dask://HOST:PORT or ray://HOST:PORT"),
        ("dask://", "expected dask://HOST:PORT"),
        ("127.0.0.1:8786", "expected dask://HOST:PORT"),
        ("ray://head", "expected ray://HOST:PORT, such as ray://head:10001"),
        ("ray://head:99999", "expected ray://HOST:PORT"),
    ],
)
def test_a_cluster_that_there_cannot_be_is_said(address: str, message: str) -> None:
    with pytest.raises(UnspoolError, match=message), on_cluster(address):
        pass


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_nobody_answers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspool.compression.dask_cluster._SECONDS", 0.5)
    address = f"{kind}://127.0.0.1:1"
    message = f"{address!r}: nobody answers there"
    with pytest.raises(UnspoolError, match=message), on_cluster(address):
        pass


@pytest.mark.parametrize(("kind", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_package_that_is_missing_is_said(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    message = rf"not installed: pip install 'unspool\[{kind}\]'"
    with pytest.raises(UnspoolError, match=message), on_cluster(f"{kind}://127.0.0.1:1"):
        pass


def test_a_cluster_without_workers_is_said(tmp_path: Path) -> None:
    message = "it has no workers"
    with (
        running(tmp_path, workers=0) as cluster,
        pytest.raises(UnspoolError, match=message),
        on_cluster(cluster.address),
    ):
        pass
