"""The table of docs/streaming.md: what each layer carries from call to call of a stream.

    PYTHONPATH=tests python -m stream_table

writes it again. Each row is a network of the layer in front of a GRU, made a stream and quantized:
the state is that of the int8 file. How many calls give nothing and by how many steps outputs come
late is what the file says; what it gives is compared with Keras's for the whole sequence.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import unspool
from unspool import Session, UnspoolError
from unspool.support._tensorflow import keras
from unspool.unrolling import pieces
from unspool.unrolling.stream_checks import check_streams

PAGE = Path(__file__).parents[1] / "docs" / "streaming.md"
BEGIN, END = "<!-- tests/stream_table.py writes this table -->\n\n", "\n\n<!-- its end -->"
TITLES = (
    "| layer | padding | stride | steps of a call | rows of its state | bytes in int8 "
    "| calls until full | steps late |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)
STEPS, FEATURES = 24, 8
L = keras.layers


def pad(rows: int) -> Any:
    return L.ZeroPadding1D((rows, 0))


def pad2(rows: int) -> Any:
    return L.ZeroPadding2D(((rows, 0), (1, 1)))


LAYERS: tuple[tuple[Any, ...], ...] = (
    (L.Conv1D(4, 5, padding="causal"),),
    (L.Conv1D(4, 3, padding="causal", dilation_rate=4),),
    (L.Conv1D(4, 5, 2, padding="causal"),),
    (L.Conv1D(4, 15, 4, padding="causal"),),
    (pad(4), L.Conv1D(4, 5)),
    (pad(3), L.Conv1D(4, 5, 2)),
    (L.Conv1D(4, 4, 4),),
    (pad(4), L.DepthwiseConv1D(5)),
    (pad(4), L.SeparableConv1D(4, 5)),
    (pad2(4), L.Conv2D(4, (5, 3))),
    (pad2(4), L.Conv2D(4, (5, 3), (2, 2))),
    (pad2(2), L.DepthwiseConv2D(3)),
    (pad2(2), L.SeparableConv2D(4, 3)),
    (L.MaxPooling1D(2),),
    (pad(2), L.MaxPooling1D(3, 1)),
    (pad(2), L.AveragePooling1D(3, 1)),
    (pad2(1), L.AveragePooling2D(3, (2, 1))),
    (L.UpSampling1D(2),),
    (L.GRU(16, return_sequences=True),),
    (L.LSTM(16, return_sequences=True),),
    (L.Conv1D(4, 5),),
    (L.Conv1D(4, 5, 2),),
    (L.Conv1D(4, 3, dilation_rate=4),),
    (L.MaxPooling1D(3, 2),),
    (L.Cropping1D((3, 0)),),
    (L.Conv1DTranspose(4, 2, 2),),
    (L.Conv1DTranspose(4, 4, 2),),
    (L.Conv1D(4, 5, padding="same"),),
    (L.Conv1D(4, 4, 2, padding="same"),),
    (L.Conv2D(4, (5, 3), padding="same"),),
    (L.Conv1DTranspose(4, 4, 2, padding="same"),),
    (L.MaxPooling1D(3, 1, padding="same"),),
    (L.Bidirectional(L.GRU(16, return_sequences=True)),),
)
"""Layers, the last of which the row is about."""


def model_of(layers: Sequence[Any]) -> Any:
    """Such layers over (24, 8), and a GRU behind them."""
    keras.utils.set_random_seed(1)
    x = h = keras.Input((STEPS, FEATURES), name="x")
    is_image = "2D" in type(layers[-1]).__name__
    if is_image:
        h = L.Reshape((STEPS, FEATURES, 1))(h)
    for layer in layers:
        name = "it" if layer is layers[-1] else None
        h = type(layer).from_config({**layer.get_config(), "name": name})(h)
    if is_image:
        h = L.Reshape((h.shape[1], -1))(h)
    return keras.Model(x, L.GRU(4, return_sequences=True, name="behind")(h))


def row(layers: Sequence[Any]) -> str:
    """The row of the last of some layers."""
    model = model_of(layers)
    data = np.random.default_rng(1).normal(0, 1, (4, STEPS, FEATURES)).astype(np.float32)
    needs = ""
    try:
        steps = check_streams(model).multiple
    except UnspoolError:
        try:
            steps = check_streams(model, pieces.stream(True, None)).multiple
        except UnspoolError:
            return _line(*_described(layers), "-", "refused", "-", "-", "-")
        needs = ", `--lookahead`"
    file = unspool.convert(unspool.unroll_stream(model, steps, lookahead=bool(needs)))
    calibration = unspool.calibrate_stream(file, data)
    int8 = Session(unspool.quantize(file, calibration.ranges))
    states = [name for name in int8.state_names if name.startswith(("it/", "it_"))]
    shapes = [tensor.shape for tensor in _tensors(int8, states)]
    rows = " and ".join(str(shape[1]) if len(shape) > 2 else "1" for shape in shapes)
    size = sum(len(int8.states[name]) for name in states)
    given, whole = Session(file).predict(data)[0], model.predict(data, verbose=0)
    np.testing.assert_allclose(given, whole[:, : given.shape[1]], rtol=0, atol=1e-5)
    assert int8.of_sequence is not None
    name, padding, stride = _described(layers)
    when = str(int8.warm_up), str(int8.of_sequence.late)
    return _line(name, padding + needs, stride, str(steps), rows or "none", str(size), *when)


def _tensors(session: Session, states: Sequence[str]) -> list[Any]:
    known = dict(zip(session.state_names, session.initial_states(1), strict=True))
    return [known[name] for name in states]


def _described(layers: Sequence[Any]) -> tuple[str, str, str]:
    """What a layer is, how it is padded in time, and its stride in time."""
    layer = layers[-1]
    text = f"`{type(layer).__name__}`"
    sizes = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if sizes:
        text += f", {sizes[0]} steps"
    if getattr(layer, "dilation_rate", (1,))[0] > 1:
        text += f", dilation {layer.dilation_rate[0]}"
    padding = f'`"{layer.padding}"`' if hasattr(layer, "padding") else "-"
    if len(layers) > 1:
        before = layers[0].padding
        rows = before[0] if isinstance(layers[0], L.ZeroPadding1D) else before[0][0]
        padding += f" behind {rows} of zeros"
    return text, padding, str(getattr(layer, "strides", (1,))[0])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def recorded() -> list[str]:
    """The rows that the page has."""
    table = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    return table.splitlines()[len(TITLES) :]


if __name__ == "__main__":
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + BEGIN + "\n".join([*TITLES, *map(row, LAYERS)]) + END + after)
