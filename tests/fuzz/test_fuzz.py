"""Damaged files in a process that is watched; an hour of them by hand: `make fuzz`."""

from itertools import islice
from pathlib import Path
from textwrap import dedent

import pytest

from fuzz import campaign
from fuzz.kinds import KINDS

BY_HAND = {"search", "candidate"}
"""Kinds of which one file takes ten seconds and more."""


@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        (["onnx", "pt2"], 10),
        (sorted(KINDS.keys() - {"onnx", "pt2", "drift", "float", "ini"} - BY_HAND), 18),
        *(
            pytest.param([kind], 4000, marks=pytest.mark.slow)
            for kind in sorted(KINDS.keys() - BY_HAND)
        ),
    ],
    ids=lambda value: "and ".join(value) if isinstance(value, list) else str(value),
)
def test_damaged_files_are_taken_or_refused_in_one_line(kinds: list[str], count: int) -> None:
    *_, result = campaign.run(islice(campaign.drawn(kinds, seed=count), count))
    assert result.faults == {}
    assert result.outcomes["taken"] > count // 20 and result.outcomes["refused"] > count // 20


def test_a_process_that_dies_hangs_or_tells_too_much_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the worker's place, one that answers the first file, hangs, and dies."""
    worker = tmp_path / "fuzz_worker.py"
    worker.write_text(
        dedent("""
            import json, sys, time
            print("{}", flush=True)
            for line in sys.stdin:
                content = open(json.loads(line)["path"]).read()
                if content == "two":
                    time.sleep(100)
                if content == "three":
                    sys.exit(1)
                print('{"outcome": "refused", "text": "", "memory": 1, "seconds": 1}', flush=True)
        """)
    )
    monkeypatch.setattr(campaign, "WORKER", (str(worker),))
    monkeypatch.setattr(campaign, "SECONDS", 5.0)
    *_, result = campaign.run(
        (("onnx", content) for content in (b"one", b"two", b"three")), tmp_path / "corpus"
    )
    assert result.outcomes == {"refused": 1, "fault": 2}
    first_lines = sorted(text.splitlines()[0] for text in result.faults.values())
    assert first_lines == ["the process died", "took more than 5 s"]
    for name in result.faults:
        assert (tmp_path / "corpus" / name).read_bytes() in (b"two", b"three")
