"""Train the networks, and write what each tool starts with: FOLDER/gru and FOLDER/lstm.

Usage, in an environment that has torch, onnx and onnxscript: python train.py FOLDER

Reads FOLDER/data.npz; writes weights.pt, model.pt2, model.onnx, and PyTorch's outputs for the test
samples in float (outputs.npy).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from network import Network, example
from torch import nn

EPOCHS, BATCH, RATE = 5, 100, 2e-3


def fit(model: nn.Module, samples: np.ndarray, labels: np.ndarray) -> None:
    """Train with Adam."""
    x, y = torch.from_numpy(samples), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[chosen]), y[chosen]).backward()
            optimizer.step()


def main() -> None:
    """Make both networks."""
    folder = Path(sys.argv[1])
    data = np.load(folder / "data.npz")
    for kind in ("gru", "lstm"):
        torch.manual_seed(0)
        own = folder / kind
        own.mkdir(exist_ok=True)
        model = Network(kind)
        fit(model, data["train"], data["labels"])
        model.eval()
        torch.save(model.state_dict(), own / "weights.pt")
        torch.export.save(torch.export.export(model, example()), own / "model.pt2")
        torch.onnx.export(model, example(), own / "model.onnx", input_names=["x"], dynamo=True)
        with torch.no_grad():
            np.save(own / "outputs.npy", model(torch.from_numpy(data["test"])).numpy())


if __name__ == "__main__":
    main()
