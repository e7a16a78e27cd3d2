"""Make the files of PyTorch models that the tests read, and what PyTorch computes with them.

Run in an environment that has torch, torchao, onnx and onnxscript; the tests need none of them:

    python make_files.py FOLDER [NAME ...] && tar -cJf torch.tar.xz -C FOLDER .

Each model is written three times: `NAME.script.onnx` by PyTorch's older exporter,
`NAME.dynamo.onnx` by its newer one, `NAME.pt2` by torch.export.save; `NAME.npz` holds samples and
PyTorch's outputs.
Paths of the machine, which PyTorch writes for debugging, are taken out.
"""

# mypy: disable-error-code="misc,arg-type"
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import onnx
import torch
from torch import nn

SAMPLES = 6


class Last(nn.Module):
    """A recurrent layer, and a Dense behind its last step."""

    def __init__(self, rnn: nn.Module, width: int) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(width, 3)

    def forward(self, x: Any) -> Any:
        y, _ = self.rnn(x)
        return self.head(y[:, -1] if self.rnn.batch_first else y[-1])


class Hidden(nn.Module):
    """A recurrent layer, and a Dense behind its last layer's final state."""

    def __init__(self, rnn: nn.Module, width: int) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(width, 3)

    def forward(self, x: Any) -> Any:
        _, h = self.rnn(x)
        h = h[0] if isinstance(h, tuple) else h
        if self.rnn.bidirectional:
            return self.head(torch.cat((h[-2], h[-1]), dim=1))
        return self.head(h[-1])


class Sequence(nn.Module):
    """A recurrent layer's whole sequence, through a Dense."""

    def __init__(self, rnn: nn.Module, width: int) -> None:
        super().__init__()
        self.rnn, self.head = rnn, nn.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        return torch.sigmoid(self.head(self.rnn(x)[0]))


class Crnn(nn.Module):
    """Keyword spotting: two convolutions over a spectrogram, then a GRU over time."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(1, 8, (3, 5), padding=(1, 2), stride=(1, 2)),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.Conv2d(8, 12, 1),
            nn.ReLU(),
            nn.MaxPool2d((1, 2)),
        )
        self.rnn, self.head = nn.GRU(12 * 5, 16, batch_first=True), nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:  # (N, 1, time, mel)
        y = self.front(x)
        y = y.permute(0, 2, 1, 3).flatten(2)
        y, _ = self.rnn(y)
        return torch.softmax(self.head(y[:, -1]), dim=1)


class ConvLstm(nn.Module):
    """Human activity: 1D convolutions, two LSTMs, as many do it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(6, 12, 5, padding=2),
            nn.BatchNorm1d(12),
            nn.ReLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(12, 16, 3, dilation=2, padding=2),
            nn.LeakyReLU(0.1),
        )
        self.rnn = nn.LSTM(16, 12, num_layers=2, dropout=0.3)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:  # (N, channels, time)
        y = self.conv(x).permute(2, 0, 1)
        _, (h, _) = self.rnn(y)
        return self.head(self.drop(h[-1]))


class Attention(nn.Module):
    """A bidirectional LSTM, LayerNorm, GELU, and a weighted mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 8, bidirectional=True, batch_first=True)
        self.norm, self.score = nn.LayerNorm(16), nn.Linear(16, 1)
        self.head = nn.Sequential(nn.Linear(16, 12), nn.GELU(), nn.Linear(12, 2), nn.Tanh())

    def forward(self, x: Any) -> Any:
        y = self.norm(self.rnn(x)[0])
        weights = torch.softmax(self.score(y), dim=1)
        return self.head((weights * y).sum(dim=1))


class Autoencoder(nn.Module):
    """An encoder's last state, repeated, decoded again: two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(4, 10, batch_first=True)
        self.decoder, self.head = nn.GRU(10, 8, batch_first=True), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        _, h = self.encoder(x)
        code = h[-1]
        repeated = code.unsqueeze(1).repeat(1, x.shape[1], 1)
        return self.head(self.decoder(repeated)[0]), code


class Started(nn.Module):
    """A GRU whose first state is computed from a static input."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.rnn = nn.Linear(3, 9), nn.GRU(4, 9, batch_first=True)
        self.head = nn.Linear(9, 2)

    def forward(self, x: Any, static: Any) -> Any:
        h0 = torch.tanh(self.start(static)).unsqueeze(0)
        return self.head(self.rnn(x, h0)[0][:, -1])


class Stateful(nn.Module):
    """A stack with its states in and out, as streaming code has it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.rnn = nn.Linear(5, 8), nn.GRU(8, 7, num_layers=2, batch_first=True)
        self.head = nn.Linear(7, 5)

    def forward(self, x: Any, h0: Any) -> Any:
        y, h = self.rnn(torch.relu(self.inner(x)), h0)
        return torch.sigmoid(self.head(y)), h


class Cells(nn.Module):
    """A GRUCell and an LSTMCell, one above the other, in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.GRUCell(4, 6), nn.LSTMCell(6, 5)
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        h, g = x.new_zeros(x.shape[0], 6), torch.zeros(x.shape[0], 5)
        c, given = torch.zeros_like(g), []
        for step in range(x.shape[1]):
            h = self.first(x[:, step], h)
            g, c = self.second(self.drop(h), (g, c))
            given.append(g)
        return self.head(torch.stack(given, 1))


class CellBehind(nn.Module):
    """An RNNCell that reads what a Dense makes of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.cell, self.head = nn.Linear(4, 6), nn.RNNCell(6, 7), nn.Linear(7, 2)

    def forward(self, x: Any) -> Any:
        h = None
        for step in x.unbind(1):
            h = self.cell(torch.relu(self.inner(step)), h)
        return self.head(h)


class ByHand(nn.Module):
    """Gated convolutions, then a GRU that is written by hand, a Linear in front and one behind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 16, 3, padding=1), nn.GroupNorm(1, 8)
        self.front, self.given = nn.Linear(8, 6), nn.Linear(6, 15)
        self.again, self.behind = nn.Linear(5, 15), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:  # (N, channels, time)
        x = self.norm(nn.functional.glu(self.conv(x), 1)).transpose(1, 2)
        h = torch.zeros(x.shape[0], 5)
        steps = []
        for t in range(x.shape[1]):
            given, again = self.given(torch.relu(self.front(x[:, t]))), self.again(h)
            r = torch.sigmoid(given[:, :5] + again[:, :5])
            z = torch.sigmoid(given[:, 5:10] + again[:, 5:10])
            n = torch.tanh(given[:, 10:] + r * again[:, 10:])
            h = (1 - z) * n + z * h
            steps.append(self.behind(h))
        y = torch.stack(steps, 1)
        return y, y.max(1)[0]


class Fed(nn.Module):
    """A cell that is fed what is made of its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 6), nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        h, y = torch.zeros(x.shape[0], 6), x[:, 0]
        for _ in range(x.shape[1]):
            h = self.cell(y, h)
            y = self.head(h)
        return y


class Carried(nn.Module):
    """An LSTMCell without biases, its states in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(4, 7, bias=False), nn.Linear(7, 3)

    def forward(self, x: Any, h0: Any, c0: Any) -> Any:
        h, c = h0, c0
        for step in x.unbind(1):
            h, c = self.cell(step, (h, c))
        return self.head(h), h, c


class Step(nn.Module):
    """One frame of a voice detector: convolutions, one step of an LSTM, states in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv1d(9, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(8, 8, 2),
            nn.ReLU(),
        )
        self.rnn, self.head = nn.LSTM(8, 8), nn.Conv1d(8, 1, 1)

    def forward(self, x: Any, state: Any) -> Any:  # (1, 9, 4) and (2, 1, 8)
        y = self.front(x).squeeze(-1).unsqueeze(0)
        y, (h, c) = self.rnn(y, (state[0:1], state[1:2]))
        probability = torch.sigmoid(self.head(torch.relu(h[0]).unsqueeze(-1)))
        return probability.squeeze(-1), torch.cat((h, c))


class Alone(nn.Module):
    """A stack that takes one sequence, without an axis for a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(5, 8, 2), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0])


class Joined(nn.Module):
    """A GRU as tutorials write it: input and state joined, zeros at first."""

    def __init__(self) -> None:
        super().__init__()
        self.zr, self.n, self.head = nn.Linear(14, 16), nn.Linear(14, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        h = torch.zeros(x.shape[0], 8)
        for t in range(x.shape[1]):
            z, r = torch.sigmoid(self.zr(torch.cat([x[:, t], h], 1))).chunk(2, 1)
            n = torch.tanh(self.n(torch.cat([x[:, t], r * h], 1)))
            h = (1 - z) * n + z * h
        return self.head(h)


class Forecaster(nn.Module):
    """An encoder, and a decoder that is fed its own values, one layer's step after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(4, 9, batch_first=True)
        self.decoder = nn.LSTM(1, 9, batch_first=True)
        self.head = nn.Linear(9, 1)

    def forward(self, x: Any) -> Any:
        _, state = self.encoder(x)
        value, values = x[:, -1:, :1], []
        for _ in range(6):
            y, state = self.decoder(value, state)
            value = self.head(y)
            values.append(value)
        return torch.cat(values, 1)


class Scaled(nn.Module):
    """Convolutions whose weights are standardised, a pool as of a ResNet, and back again."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(5, 12, 3, padding=1)
        self.pool, self.up = nn.MaxPool1d(3, 2, padding=1), nn.Upsample(scale_factor=2)
        self.start = nn.Parameter(torch.randn(1, 1, 10))
        self.rnn, self.head = nn.GRU(12, 10, batch_first=True), nn.Linear(10, 2)

    def forward(self, x: Any) -> Any:
        w = self.conv.weight
        w = (w - w.mean((1, 2), keepdim=True)) / torch.sqrt(w.var((1, 2), keepdim=True) + 1e-5)
        h = torch.nn.functional.conv1d(x, w, self.conv.bias, padding=1)
        h = self.up(self.pool(h)).transpose(1, 2)
        y, _ = self.rnn(h, self.start.expand(-1, x.shape[0], -1).contiguous())
        return self.head(y)


@dataclass(frozen=True)
class Made:
    """A model, the shapes of its samples (without the batch) and the names of its ends."""

    module: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    inputs: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("y",)
    batch_axis: int | None = 0
    zeros: tuple[int, ...] = ()  # inputs that are states
    exporters: tuple[str, ...] = ("script", "dynamo")


MODELS = {
    "alone": Made(Alone, ((32, 5),), batch_axis=None),
    "forecaster": Made(Forecaster, ((30, 4),)),
    "joined": Made(Joined, ((30, 6),)),
    "scaled": Made(Scaled, ((5, 40),)),
    "cells": Made(Cells, ((33, 4),)),
    "cell_behind": Made(CellBehind, ((20, 4),)),
    "by_hand": Made(ByHand, ((4, 16),), outputs=("y", "most")),
    "fed": Made(Fed, ((12, 4),)),
    "carried": Made(
        Carried, ((16, 4), (7,), (7,)), ("x", "h0", "c0"), ("y", "hn", "cn"), zeros=(1, 2)
    ),
    "gru_last": Made(lambda: Last(nn.GRU(6, 16, batch_first=True), 16), ((33, 6),)),
    "gru_time_first": Made(lambda: Last(nn.GRU(6, 10), 10), ((20, 6),), batch_axis=1),
    "gru_stack_hidden": Made(
        lambda: Hidden(nn.GRU(3, 8, num_layers=3, batch_first=True, dropout=0.2), 8), ((40, 3),)
    ),
    "gru_without_bias": Made(
        lambda: Sequence(nn.GRU(4, 8, bias=False, batch_first=True), 8), ((12, 4),)
    ),
    "lstm_last": Made(lambda: Last(nn.LSTM(5, 12, batch_first=True), 12), ((33, 5),)),
    "lstm_both_hidden": Made(
        lambda: Hidden(nn.LSTM(4, 6, bidirectional=True, num_layers=2, batch_first=True), 12),
        ((24, 4),),
    ),
    "rnn_tanh": Made(lambda: Last(nn.RNN(4, 9, batch_first=True), 9), ((30, 4),)),
    "rnn_relu": Made(
        lambda: Sequence(nn.RNN(4, 9, nonlinearity="relu", batch_first=True), 9), ((15, 4),)
    ),
    "crnn": Made(Crnn, ((1, 25, 20),)),
    "conv_lstm": Made(ConvLstm, ((6, 64),)),
    "attention": Made(Attention, ((36, 5),)),
    "autoencoder": Made(Autoencoder, ((18, 4),), outputs=("rebuilt", "code")),
    "started": Made(Started, ((16, 4), (3,)), inputs=("x", "static")),
    "stateful": Made(Stateful, ((14, 5), (2, 7)), ("x", "h0"), ("y", "hn"), zeros=(1,)),
}


def strip_onnx(path: Path) -> None:
    """Take out where on the machine each node was written; keep its module."""
    model = onnx.load(str(path))
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if entry.key.endswith("name_scopes")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    del model.graph.metadata_props[:], model.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    onnx.save(model, str(path))


def strip_program(path: Path) -> None:
    """The same for a .pt2 file."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name.endswith("models/model.json"):
                program = json.loads(content)
                program["guards_code"] = []
                for node in program["graph_module"]["graph"]["nodes"]:
                    node["metadata"].pop("stack_trace", None)
                content = json.dumps(program).encode()
            archive.writestr(name, content)


def make(name: str, made: Made, folder: Path) -> None:
    """Write the files of one model."""
    torch.manual_seed(sum(map(ord, name)))
    module = made.module()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.7)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 1.5)
    module.eval()
    rng = np.random.default_rng(1)
    samples = [
        np.zeros((SAMPLES, *shape), np.float32)
        if n in made.zeros
        else rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
        for n, shape in enumerate(made.shapes)
    ]

    def batched(array: np.ndarray, n: int) -> torch.Tensor:
        axis = 1 if n in made.zeros and array.ndim > 1 else made.batch_axis
        whole = array if axis is None else np.expand_dims(array, axis)
        return torch.from_numpy(whole.copy())

    outputs = []
    for k in range(SAMPLES):
        with torch.no_grad():
            got = module(*(batched(array[k], n) for n, array in enumerate(samples)))
        outputs.append([t.numpy() for t in (got if isinstance(got, tuple) else (got,))])
    stored = dict(zip(made.inputs, samples, strict=True))
    for n, output in enumerate(made.outputs):
        stored[f"out:{output}"] = np.stack([one[n] for one in outputs])
    np.savez_compressed(folder / f"{name}.npz", **stored)

    example = tuple(batched(array[0], n) for n, array in enumerate(samples))
    ends = {"input_names": list(made.inputs), "output_names": list(made.outputs)}
    time = {axis: "time" for axis in (1, 0) if axis != made.batch_axis}
    for exporter in made.exporters:
        path = folder / f"{name}.{exporter}.onnx"
        options = {}
        if exporter == "script" and name == "gru_last":
            options["dynamic_axes"] = {"x": {made.batch_axis: "batch", **time}}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    module,
                    example,
                    str(path),
                    dynamo=exporter == "dynamo",
                    **ends,
                    **options,
                    **({"external_data": False} if exporter == "dynamo" else {}),
                )
        except Exception as error:
            print(f"{path.name}: {type(error).__name__}: {str(error)[:300]}")
            path.unlink(missing_ok=True)
        else:
            strip_onnx(path)
    program = folder / f"{name}.pt2"
    torch.export.save(torch.export.export(module, example), str(program))
    strip_program(program)
    again = torch.export.load(str(program)).module()(*example)
    first = again[0] if isinstance(again, tuple) else again
    np.testing.assert_allclose(first.detach().numpy(), outputs[0][0], atol=1e-6)


def make_step(folder: Path) -> None:
    """Write the files of a model that is called once a frame, and what it gives for sequences."""
    torch.manual_seed(5)
    module = Step().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2.0)
    frames = np.random.default_rng(2).normal(size=(SAMPLES, 40, 9, 4)).astype(np.float32)
    outputs = []
    for sequence in frames:
        state, given = torch.zeros(2, 1, 8), []
        for frame in sequence:
            with torch.no_grad():
                y, state = module(torch.from_numpy(frame[None]), state)
            given.append(y.numpy()[0])
        outputs.append(np.stack(given))
    stored = {"x": frames, "out:y": np.stack(outputs)}
    np.savez_compressed(folder / "step.npz", **stored)
    example = (torch.from_numpy(frames[0, :1]), torch.zeros(2, 1, 8))
    ends = {"input_names": ["x", "state"], "output_names": ["y", "stateN"]}
    for exporter in ("script", "dynamo"):
        path = folder / f"step.{exporter}.onnx"
        more = {"external_data": False} if exporter == "dynamo" else {}
        torch.onnx.export(module, example, str(path), dynamo=exporter == "dynamo", **ends, **more)
        strip_onnx(path)
    torch.export.save(torch.export.export(module, example), str(folder / "step.pt2"))
    strip_program(folder / "step.pt2")


class Rounded(nn.Module):
    """A GRU between layers that torchao's quantizer rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.rnn, self.head = nn.Linear(6, 12), nn.GRU(12, 16), nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:  # (time, N, features)
        _, h = self.rnn(torch.relu(self.before(x)))
        return self.head(torch.relu(h[-1]))


def make_rounded(folder: Path) -> None:
    """Write programs that torchao quantized, with scales by tensor and by channel."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )

    torch.manual_seed(8)
    module = Rounded().eval()
    samples = torch.randn(40, 30, 1, 6)
    for per in ("tensor", "channel"):
        settings = get_symmetric_quantization_config(is_per_channel=per == "channel")
        quantizer = XNNPACKQuantizer().set_module_type(nn.Linear, settings)
        exported = torch.export.export(module, (samples[0],)).module()
        prepared = prepare_pt2e(exported, quantizer)
        for sample in samples:
            prepared(sample)
        program = torch.export.export(convert_pt2e(prepared), (samples[0],))
        name = f"rounded_by_{per}"
        torch.export.save(program, str(folder / f"{name}.pt2"))
        strip_program(folder / f"{name}.pt2")
        outputs = [program.module()(sample).detach().numpy()[0] for sample in samples[:SAMPLES]]
        x = samples[:SAMPLES, :, 0].numpy()
        np.savez_compressed(folder / f"{name}.npz", x=x, **{"out:y": np.stack(outputs)})


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:]  # some alone, to be added to the others
    for title, model in MODELS.items():
        if title in wanted or not wanted:
            make(title, model, target)
    if not wanted:
        make_step(target)
        make_rounded(target)
