"""A torch.nn.Module given to `load`: what goes wrong. That it goes right needs torch, and is tried
where it is installed (docs/decisions.md)."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

import unspool
from unspool.errors import UnspoolError

Module = type("Module", (), {"__module__": "torch.nn.modules.module", "training": False})
"""A class of that name, which is all that is asked of a value before torch is imported."""


class Net(Module):  # type: ignore[valid-type,misc]
    """A user's module."""


def test_a_module_without_examples_is_refused() -> None:
    with pytest.raises(
        UnspoolError, match=r"^Net: a torch\.nn\.Module without example inputs; giv"
    ):
        unspool.load(Net())


def test_a_module_in_training_mode_is_refused() -> None:
    net = Net()
    net.training = True
    with pytest.raises(UnspoolError, match=r"^Net: the module is in training mode; call module\.e"):
        unspool.load(net, (0,))


def test_what_torch_cannot_export_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    triton = []

    def export(*given: Any) -> None:
        triton.append(sys.modules.get("triton", "may be loaded"))
        raise ValueError("Could not guard on data\n\nUser code:\n  many lines")

    import tensorflow  # noqa: F401

    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setitem(
        sys.modules, "torch", SimpleNamespace(export=SimpleNamespace(export=export))
    )
    with pytest.raises(UnspoolError) as refused:
        unspool.load(Net(), (0,))
    assert str(refused.value).startswith(
        "Net: torch.export.export cannot export it: ValueError: Could not guard on data"
    )
    assert "\n" not in str(refused.value)
    assert triton == [None] and "triton" not in sys.modules  # behind TensorFlow it ends Python


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(
        UnspoolError, match=r"^a dict is given to load; expected the path of a file"
    ):
        unspool.load({})
