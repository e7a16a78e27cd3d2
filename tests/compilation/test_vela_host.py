"""A compilation ends with the process that it was asked by, whatever it is at."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import unspool

# In Vela's place: C that waits for ever, with the lock on Python held as Vela's compiler holds it.
FOREVER = """
import ctypes, os
def main(arguments):
    os.write(int(arguments[0]), b"begun")
    ctypes.PyDLL(None).pause()
"""


def test_a_compilation_without_end_ends_with_a_kill(tmp_path: Path) -> None:
    package = tmp_path / "ethosu" / "vela"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "vela.py").write_text(FOREVER)
    reader, writer = os.pipe()
    path = os.pathsep.join([str(tmp_path), str(Path(unspool.__file__).parents[1])])
    host = subprocess.Popen(
        [sys.executable, "-m", "unspool.compilation.vela_host"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[writer],
    )
    assert host.stdin is not None
    os.close(writer)
    host.stdin.write(json.dumps([[str(writer)], str(tmp_path)]).encode() + b"\n")
    host.stdin.flush()
    assert os.read(reader, 5) == b"begun"
    host.kill()
    host.communicate()
    ended, _, _ = select.select([reader], [], [], 300)  # while the fork lives, it has the pipe
    assert ended and os.read(reader, 5) == b""
