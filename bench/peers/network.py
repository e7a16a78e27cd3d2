"""The networks that every tool is given: a recurrent layer of 64 units and a Linear of 10."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

STEPS, FEATURES, UNITS, CLASSES = 16, 28, 64, 10


class Network(nn.Module):  # type: ignore[misc]
    """A GRU or an LSTM over a sequence, and a Linear behind its last step."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        layer = {"gru": nn.GRU, "lstm": nn.LSTM}[kind]
        self.rnn = layer(FEATURES, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, CLASSES)

    def forward(self, x: Any) -> Any:
        """Logits, (samples, 10), of (samples, 16, 28)."""
        return self.head(self.rnn(x)[0][:, -1])


def trained(folder: Path) -> Any:
    """The network that `train.py` trained into a folder named after its kind."""
    model = Network(folder.name)
    model.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    return model.eval()


def example() -> tuple[Any]:
    """What a network is exported with: one sample."""
    return (torch.zeros(1, STEPS, FEATURES),)
