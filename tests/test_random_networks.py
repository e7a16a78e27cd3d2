"""Some random networks in every run; `random_networks.py` runs as many as one likes."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import random_networks
from hypothesis import given
from random_networks import (
    DATA,
    DIRECTIONS,
    HEADS,
    Network,
    Recurrence,
    Sizes,
    drawn,
    networks,
    some,
)

SMALL = Sizes(steps=range(1, 13), units=range(1, 20), layers=(1, 1, 1, 2))
LONG = Sizes(steps=range(30, 65), units=range(1, 11), layers=(1,), is_stream=(False,))
STREAMS = Sizes(steps=range(2, 13), units=range(1, 20), layers=(1, 1, 2), is_stream=(True,))


def faults(network: Network) -> list[str]:
    from random_demands import demand  # not where a process begins that crashes on purpose

    return demand(network).faults


SIZES = {"small": (SMALL, 3, 10), "long": (LONG, 1, 3), "streams": (STREAMS, 2, 7)}
"""What is drawn, how many of it in every run, and in the slow one."""


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        *(pytest.param(sizes, few, id=name) for name, (sizes, few, _) in SIZES.items()),
        *(
            pytest.param(sizes, many, id=f"more {name}", marks=pytest.mark.slow)
            for name, (sizes, _, many) in SIZES.items()
        ),
    ],
)
def test_networks(sizes: Sizes, count: int) -> None:
    @some(count)
    @given(networks(sizes))
    def deploys(network: Network) -> None:
        assert faults(network) == []

    deploys()


def test_a_line_is_a_network() -> None:
    for network in (drawn(1, index) for index in range(100)):
        assert eval(repr(network), vars(random_networks)) == network
        assert "\n" not in repr(network)


def test_everything_is_drawn() -> None:
    """What is never drawn is never tested."""
    draws = [drawn(3, index) for index in range(400)]
    layers = [layer for network in draws for layer in network.recurrences]
    assert draws == [drawn(3, index) for index in range(400)]
    assert {network.data for network in draws} == set(DATA)
    assert {network.steps for network in draws} >= {1, 64}
    assert {layer.units for layer in layers} >= {1, 300}
    assert {layer.direction for layer in layers} == set(DIRECTIONS)
    assert {kind for network in draws for kind, _ in network.heads} == set(HEADS)
    assert {network.activations for network in draws} == {"int8", "int16"}


def crash(network: Network) -> Any:
    """A demand that ends its process."""
    if network.seed == 1:
        os.kill(os.getpid(), 11)
    return random_networks.Found(["wrong"] if network.seed == 2 else [])


def again(network: Network) -> random_networks.Found:
    pytest.fail(f"{network} was done before")


def test_a_run_goes_on_after_a_crash_and_where_it_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "found.jsonl"
    layer = Recurrence("gru", 1)
    monkeypatch.setattr(
        random_networks, "drawn", lambda _, index: Network(1, 1, (layer,), (), seed=index)
    )
    monkeypatch.setattr(sys, "argv", ["random_networks.py", "--count", "3", "--out", str(out)])
    assert random_networks.main(crash) == 1
    entries = [json.loads(line) for line in out.read_text().splitlines()]
    assert [entry["index"] for entry in entries] == [0, 1, 2]
    assert [entry["faults"][:1] for entry in entries][::2] == [[], ["wrong"]]
    assert "crash" in entries[1]["faults"][0]
    assert random_networks.main(again) == 0  # nothing is left to be done
    assert out.read_text().count("\n") == 3
