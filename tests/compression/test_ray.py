"""A search on a Ray cluster: a real head and nodes on this machine, killed on the way."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import COMMAND, NOISE
from searches import SETTINGS, free_port, searched, task

from unspool import Goal, Search, UnspoolError
from unspool.compression import ray_cluster
from unspool.compression.cluster import on_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:quantized as it is"),  # so that all are tried
]
pytest.importorskip("ray")

RAY = Path(sys.executable).with_name("ray")
ATTEMPT = "ray::unspool"
"""What Ray calls a process that tries a setting."""


@dataclass
class Node:
    """A machine of the cluster, as far as Ray knows."""

    process: subprocess.Popen[bytes]

    def processes(self) -> dict[int, str]:
        """Number -> command of what lives of it."""
        listed = subprocess.run(
            ["ps", "-e", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
        )
        lines = [line.split(None, 3) for line in listed.stdout.splitlines()]
        children: dict[str, list[str]] = {}
        for pid, parent, *_ in lines:
            children.setdefault(parent, []).append(pid)
        ahead, own = [str(self.process.pid)], set()
        while ahead:
            own.add(pid := ahead.pop())
            ahead += children.get(pid, [])
        return {
            int(pid): command
            for pid, _, state, command in lines
            if pid in own and not state.startswith("Z")
        }

    @property
    def works(self) -> bool:
        return any(command.startswith(ATTEMPT) for command in self.processes().values())

    def kill(self) -> None:
        """As where the power fails: all of it, and nothing says goodbye."""
        processes = self.processes()
        for pid in processes:  # or some would start others
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        for pid in {**processes, **self.processes()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    folder: str
    port: int = field(default_factory=free_port)
    client_port: int = field(default_factory=free_port)
    nodes: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"ray://127.0.0.1:{self.client_port}"

    def start(self, *arguments: object) -> None:
        """One more node, and wait for it."""
        options = ("--block", "--disable-usage-stats", "--object-store-memory", 80_000_000)
        process = subprocess.Popen(
            [RAY, "start", *map(str, (*arguments, *options))],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.nodes.append(Node(process))
        wait_until(lambda: self._alive() == len(self.nodes), process)

    def kill(self) -> None:
        for node in reversed(self.nodes):
            node.kill()

    def _alive(self) -> int:
        from ray._raylet import GcsClient  # type: ignore[attr-defined]

        with suppress(Exception):  # it is not up yet
            socket.create_connection(("127.0.0.1", self.client_port)).close()
            nodes = GcsClient(address=f"127.0.0.1:{self.port}").get_all_node_info(timeout=5)
            return sum(node.state == 0 for node in nodes.values())
        return 0


def wait_until(true: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    while not true():
        assert process.poll() is None, "it has ended"
        time.sleep(0.1)


@contextmanager
def running(workers: int, head_cpus: int = 0) -> Iterator[Cluster]:
    """A head, and nodes of one CPU each; all of them are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        made = Cluster(folder)
        with ExitStack() as stack:
            stack.callback(made.kill)
            made.start(
                *("--head", "--port", made.port, "--ray-client-server-port", made.client_port),
                *("--num-cpus", head_cpus, "--include-dashboard", "false", "--temp-dir", folder),
            )
            for _ in range(workers):
                made.start("--address", f"127.0.0.1:{made.port}", "--num-cpus", 1)
            yield made


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    """Two machines, which no test kills."""
    with running(workers=2) as cluster:
        yield cluster


def test_machines_of_a_cluster_try_the_settings(two: Cluster, tmp_path: Path) -> None:
    alone = searched(tmp_path / "alone")
    worked: set[int] = set()

    def look(so_far: Search) -> None:
        worked.update(number for number, node in enumerate(two.nodes) if node.works)

    with on_cluster(two.address) as count:
        assert count == 2  # the head has no CPU
        search = searched(tmp_path / "there", on_candidate=look)
    assert worked and 0 not in worked
    assert search.chosen and alone.chosen
    assert search.chosen.setting == alone.chosen.setting == SETTINGS[-1]
    assert search.chosen.flash_kib == pytest.approx(alone.chosen.flash_kib, rel=0.02)


def test_a_machine_that_dies_is_done_without(tmp_path: Path) -> None:
    with running(workers=2) as cluster, on_cluster(cluster.address):

        def lose_one(so_far: Search) -> None:
            if len(so_far.candidates) == 1:
                next((node for node in cluster.nodes if node.works), cluster.nodes[-1]).kill()

        search = searched(tmp_path / "there", on_candidate=lose_one, goal=Goal(max_loss=0))
    assert {one.setting for one in search.candidates} >= set(SETTINGS[:1])


def test_the_last_machine_that_dies_ends_the_search(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    with running(workers=1) as cluster:

        def lose_it(so_far: Search) -> None:
            if len(so_far.candidates) == 1:
                cluster.nodes[-1].kill()

        message = "was lost: no machine is left that works; what is finished is kept"
        with pytest.raises(UnspoolError, match=message), on_cluster(cluster.address):
            searched(folder, on_candidate=lose_it, goal=Goal(max_loss=0))
        with (
            pytest.raises(UnspoolError, match="it has no workers; start some"),
            on_cluster(cluster.address),
        ):
            pass
    assert len(list(folder.glob("*.json"))) == 1


def test_a_head_that_dies_is_told_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "1")  # of 30 s
    folder = tmp_path / "there"
    with running(workers=0, head_cpus=1) as cluster:

        def lose_it(so_far: Search) -> None:
            if len(so_far.candidates) == 1:
                cluster.nodes[0].kill()

        message = r"was lost: .* what is finished is kept"
        with pytest.raises(UnspoolError, match=message) as lost, on_cluster(cluster.address):
            searched(folder, on_candidate=lose_it, goal=Goal(max_loss=0))
    assert "\n" not in str(lost.value)
    assert not any(each in "".join(capfd.readouterr()) for each in (*NOISE, "ray", "Ray", "grpc"))
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(finished) == 1
    with running(workers=0, head_cpus=1) as cluster, on_cluster(cluster.address):
        searched(folder, goal=Goal(max_loss=0))
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())


def test_another_version_is_said(two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    version = ray.__version__
    monkeypatch.setattr(ray, "__version__", "1.0.0")
    message = f"Version mismatch: .*Ray: {version} .* Ray: 1.0.0"
    with pytest.raises(UnspoolError, match=message) as said, on_cluster(two.address):
        pass
    assert "\n" not in str(said.value)


def test_a_connection_of_the_users_own_stays(two: Cluster) -> None:
    import ray

    ray.init(two.address)
    try:
        message = r"connected to Ray already; call ray\.shutdown\(\)"
        with pytest.raises(UnspoolError, match=message), on_cluster(two.address):
            pass
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_a_port_of_another_is_said(two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INITIAL_TIMEOUT_SEC", "MAX_TIMEOUT_SEC"):
        monkeypatch.setattr(f"ray.util.client.worker.{name}", 0.1)
    message = "no client server of Ray's answers there.* 10001"
    address = f"ray://127.0.0.1:{two.port}"
    with pytest.raises(UnspoolError, match=message), on_cluster(address):
        pass


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (UnspoolError("use less of it"), "use less of it"),
        (ModuleNotFoundError("No module named 'it'"), "lacks .*: No module named 'it'; install"),
    ],
)
def test_what_a_candidate_raises_is_no_loss_of_the_cluster(
    raised: Exception, said: str, two: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> Callable[[bytes, bytes], bytes]:
        def tried(task: bytes, setting: bytes) -> bytes:
            raise raised

        return tried

    monkeypatch.setattr(ray_cluster, "_tried", made)
    with pytest.raises(UnspoolError, match=said) as error, on_cluster(two.address):
        searched(tmp_path)
    assert "\n" not in str(error.value) and "was lost" not in str(error.value)


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C: status 130, no traceback, nothing half-written, and nobody goes on with it."""
    model, data, labels = task()
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", data)
    np.save(tmp_path / "y.npy", labels)
    given = ("compress", "m.keras", "--data", "x.npy", "--labels", "y.npy", "--out", "out")
    options = ("--max-accuracy-drop", "100", "--epochs", "2")
    with (
        running(workers=1) as cluster,
        subprocess.Popen(
            [*COMMAND, *given, *options, "--cluster", cluster.address],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout
        said: list[str] = []
        while not (said and " epochs: Accuracy" in said[-1]):
            said.append(process.stdout.readline())
            assert said[-1], said
        wait_until(lambda: cluster.nodes[1].works, process)
        os.killpg(process.pid, signal.SIGINT)
        said += process.stdout
        assert process.wait() == 130
        wait_until(lambda: not cluster.nodes[1].works, cluster.nodes[1].process)
    assert said[-1] == "unspool: interrupted\n"
    assert not any(each in "".join(said) for each in (*NOISE, "ray", "Ray", "grpc"))
    kept = sorted((tmp_path / "out" / "search").iterdir())
    finished = sum(" epochs: Accuracy" in line for line in said)
    assert len(kept) == 2 * finished and {path.suffix for path in kept} == {".json", ".keras"}
