"""Damaged files, loaded or given to commands; those that make a fault are kept.

PYTHONPATH=tests python -m fuzz [--kind onnx] [--count 20000] [--seconds 1800] [--again]
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fuzz.campaign import Result, drawn, run
from fuzz.kinds import KINDS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--count", type=int, default=20_000, help="files of each kind")
    parser.add_argument("--seconds", type=float, default=1800, help="for each kind, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--corpus", type=Path, default=Path("fuzz-out"), help="of faulty files")
    parser.add_argument("--inspect", type=float, default=0.01, help="share that is inspected")
    parser.add_argument("--again", action="store_true", help="only the corpus's files")
    return parser.parse_args()


def _damaged(kind: str, given: argparse.Namespace) -> Iterator[tuple[str, bytes]]:
    if given.again:
        return ((kind, path.read_bytes()) for path in sorted(given.corpus.glob(f"*.{kind}")))
    return islice(drawn([kind], given.seed, given.first), given.count)


def _campaign(kind: str, given: argparse.Namespace) -> Result:
    """Run, and print on the way."""
    result, begin, shown = Result(), time.monotonic(), set[str]()
    for result in run(_damaged(kind, given), given.corpus, given.seconds, given.inspect):
        for name in result.faults.keys() - shown:
            shown.add(name)
            print(f"{kind} {name}: {result.faults[name][:300]}", flush=True)
        if sum(result.outcomes.values()) % 500 == 0:
            print(f"{kind} {result}, {time.monotonic() - begin:.0f} s", flush=True)
    print(f"{kind} {result}, {time.monotonic() - begin:.0f} s", flush=True)
    return result


if __name__ == "__main__":
    given_ = _arguments()
    kinds = list(KINDS) if given_.kind == "all" else [given_.kind]
    sys.exit(any(_campaign(kind, given_).faults for kind in kinds))
