"""Units taken out: what nothing reads goes first, and the outputs stay what Keras computes."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow

import unspool
from unspool import FineTuning, KernelSetting, UnspoolError, compress
from unspool.compression.fewer_units import Fewer, unit_scores, with_fewer_units
from unspool.compression.states import States
from unspool.compression.units import scores
from unspool.compression.units.choice import wishes
from unspool.compression.units.layout import layout
from unspool.frontend.structure import predict
from unspool.support._tensorflow import keras, tf

L = keras.layers
STEPS, FEATURES = 120, 8
DEAD = [1, 4, 5, 10]  # of 16 units; 12 stay
LIVE = KernelSetting(0.0, None, units=12)
QUICK = FineTuning(epochs=2, batch_size=128)


def deaden(*readers: Any) -> None:
    """Set the rows of kernels to 0 that read the dead ones of each 16 channels."""
    for kernel in readers:
        values = np.array(kernel)
        dead = [start + unit for start in range(0, values.shape[-2], 16) for unit in DEAD]
        values[..., dead, :] = 0
        kernel.assign(values)


def gru(steps: int = STEPS) -> Any:
    x = keras.Input((steps, FEATURES))
    layer, head = L.GRU(16), L.Dense(3, activation="softmax")
    model = keras.Model(x, head(layer(x)))
    deaden(layer.cell.recurrent_kernel, head.kernel)
    return model


def convolution_and_norm() -> Any:
    conv, norm = L.Conv1D(16, 3, padding="same", activation="relu"), L.BatchNormalization()
    lstm, head = L.LSTM(16, return_sequences=True), L.Dense(3)
    model = keras.Sequential(
        [L.Input((STEPS, FEATURES)), conv, norm, lstm, L.GlobalAveragePooling1D(), head]
    )
    norm.set_weights([np.random.default_rng(0).uniform(0.5, 1, 16) for _ in range(4)])
    deaden(lstm.cell.kernel, lstm.cell.recurrent_kernel, head.kernel)
    return model


def residual_sum() -> Any:
    x = keras.Input((STEPS, FEATURES))
    dense, first, second, head = (
        L.Dense(16),
        L.GRU(16, return_sequences=True),
        L.LSTM(16),
        L.Dense(2),
    )
    wide = dense(x)
    model = keras.Model(x, head(second(L.Add()([wide, first(wide)]))))
    deaden(first.cell.kernel, first.cell.recurrent_kernel, second.cell.kernel)
    deaden(second.cell.recurrent_kernel, head.kernel)
    return model


def both_directions() -> Any:
    x = keras.Input((STEPS, FEATURES))
    first = L.Bidirectional(L.GRU(16, return_sequences=True))
    second, head = L.Bidirectional(L.LSTM(16), merge_mode="sum"), L.Dense(2)
    model = keras.Model(x, head(second(first(x))))
    for layer in (first.forward_layer, first.backward_layer):
        deaden(layer.cell.recurrent_kernel)
    for layer in (second.forward_layer, second.backward_layer):
        deaden(layer.cell.kernel, layer.cell.recurrent_kernel)  # both halves of what is read
    deaden(head.kernel)
    return model


def encoder_and_decoder() -> Any:
    x, y = keras.Input((STEPS, FEATURES)), keras.Input((20, 4))
    encoder = L.LSTM(16, return_state=True)
    decoder, head = L.LSTM(16, return_sequences=True), L.TimeDistributed(L.Dense(3))
    model = keras.Model([x, y], head(decoder(y, initial_state=encoder(x)[1:])))
    deaden(encoder.cell.recurrent_kernel, decoder.cell.recurrent_kernel, head.layer.kernel)
    return model


def stacked_cells() -> Any:
    x = keras.Input((STEPS, FEATURES))
    first, second, head = L.GRUCell(16), L.LSTMCell(16), L.Dense(3)
    model = keras.Model(x, head(L.Flatten()(L.RNN([first, second], return_sequences=True)(x))))
    deaden(first.recurrent_kernel, second.kernel, second.recurrent_kernel, head.kernel)
    return model


def pictures() -> Any:
    x = keras.Input((STEPS, 5, 3))
    conv, gru_layer, head = L.Conv2D(16, 3, padding="same"), L.GRU(16), L.Dense(4)
    model = keras.Model(x, head(gru_layer(L.Reshape((STEPS, 80))(conv(x)))))
    deaden(gru_layer.cell.kernel, gru_layer.cell.recurrent_kernel, head.kernel)
    return model


def words() -> Any:
    x = keras.Input((STEPS,))
    table, rnn, head = L.Embedding(50, 16), L.SimpleRNN(16, return_sequences=True), L.Dense(4)
    model = keras.Model(x, head(rnn(table(x))[:, -1]))
    deaden(rnn.cell.kernel, rnn.cell.recurrent_kernel, head.kernel)
    return model


def separable() -> Any:
    x = keras.Input((STEPS, FEATURES))
    first, depth = L.Dense(16, activation="relu"), L.DepthwiseConv1D(3)
    point, gru_layer, head = L.SeparableConv1D(16, 3), L.GRU(16), L.Dense(4)
    model = keras.Model(x, head(gru_layer(point(depth(first(x))))))
    deaden(point.pointwise_kernel, gru_layer.cell.kernel, gru_layer.cell.recurrent_kernel)
    deaden(head.kernel)
    return model


def a_model_in_the_model() -> Any:
    x = keras.Input((STEPS, FEATURES))
    hidden, last = L.Dense(16, activation="tanh"), L.Dense(7)
    inner = keras.Sequential([L.Input((6,)), hidden, last])
    model = keras.Model(x, inner(L.GRU(6)(x)))
    deaden(last.kernel)
    return model


def attention() -> Any:
    x = keras.Input((STEPS, FEATURES))
    gru_layer, key, head = L.GRU(16, return_sequences=True), L.Dense(1), L.Dense(2)
    y = gru_layer(x)
    seen = L.Multiply()([y, L.Softmax(axis=1)(key(y))])
    model = keras.Model(x, head(L.GlobalAveragePooling1D()(seen)))
    deaden(gru_layer.cell.recurrent_kernel, key.kernel, head.kernel)
    return model


def a_layer_called_twice() -> Any:
    x, y = keras.Input((STEPS, FEATURES)), keras.Input((STEPS, FEATURES))
    shared, head = L.GRU(16), L.Dense(2)
    model = keras.Model([x, y], head(L.Concatenate()([shared(x), shared(y)])))
    deaden(shared.cell.recurrent_kernel, head.kernel)
    return model


MODELS: dict[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        gru,
        convolution_and_norm,
        residual_sum,
        both_directions,
        encoder_and_decoder,
        stacked_cells,
        pictures,
        words,
        separable,
        a_model_in_the_model,
        attention,
        a_layer_called_twice,
    )
}


OFTEN = ("gru", "residual_sum", "encoder_and_decoder")


def data_for(model: Any, count: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = [(count, *tensor.shape[1:]) for tensor in model.inputs]
    ids = any(isinstance(layer, L.Embedding) for layer in model.layers)
    return [
        (rng.integers(0, 50, shape) if ids else rng.normal(0, 1, shape)).astype(np.float32)
        for shape in shapes
    ]


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is known which units go, or matters little."""
    monkeypatch.setattr(scores, "_DRAWS", 8)


def fewer(model: Any, setting: KernelSetting, **layers: float) -> Fewer:
    """The model with fewer units, and what became of its layers; not fine-tuned."""
    model.compile(loss="mse")
    own = {name: KernelSetting(units=units) for name, units in layers.items()}
    return with_fewer_units(model, setting, own, lambda: unit_scores(model, data_for(model), 0))


def outputs(model: Any, data: Sequence[np.ndarray]) -> np.ndarray:
    """In a graph: so many steps take longer one by one than it takes to make."""
    return predict(model, data, len(data[0]))[0]


@cache
def without_the_dead(name: str) -> tuple[Any, Fewer]:
    """A model, and the same without the units that nothing reads."""
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    return model, fewer(model, LIVE)


@pytest.mark.usefixtures("few_draws")  # what nothing reads has the score 0 in each
@pytest.mark.parametrize("name", slow.unless(OFTEN, MODELS))
def test_units_that_nothing_reads_go_and_the_outputs_stay(name: str) -> None:
    model, made = without_the_dead(name)
    data = data_for(model)
    expected = outputs(model, data)
    assert made.units, "nothing was taken out"
    assert all((layer.before, layer.units) == (16, 12) for layer in made.units)
    assert made.model.count_params() < model.count_params()
    np.testing.assert_allclose(outputs(made.model, data), expected, rtol=0, atol=1e-6)


@pytest.mark.one_in(3)
@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("name", slow.unless(OFTEN, MODELS))
def test_states_of_the_units_that_stay_are_those_of_the_trained_model(name: str) -> None:
    """At every step, also of layers that give their last state alone."""
    model, made = without_the_dead(name)
    states, data = States(model, made.model, made.kept, 1.0), data_for(model, 4)
    right, got = (predict(each, data, 4) for each in (states.of_trained, states.of_student))
    assert len(made.kept) == len(right) - 1 > 0
    assert float(states.distance(right, got)) < 1e-9
    moved = [values + 0.1 for values in got]
    assert float(states.distance(right, moved)) > 1e-3


def channels_first() -> Any:
    """As many steps as channels, so that only the layer says which axis is which."""
    x = keras.Input((16, 16))
    turned = L.Conv1D(16, 1, data_format="channels_first", name="turned")(L.Dense(16)(x))
    return keras.Model(x, L.Dense(2)(L.GRU(8)(turned)))


def gated_by_halves() -> Any:
    x = keras.Input((STEPS, FEATURES))
    halves = L.Dense(16, activation="glu")(x)
    return keras.Model(x, L.Dense(2)(L.GRU(8)(halves)))


def softmax_inside() -> Any:
    x = keras.Input((STEPS, FEATURES))
    return keras.Model(x, L.Dense(2)(L.GRU(8)(L.Dense(16, activation="softmax")(x))))


def cut_into_parts() -> Any:
    x = keras.Input((STEPS, FEATURES))
    y = L.GRU(16, return_sequences=True)(x)
    return keras.Model(x, L.Dense(2)(L.GRU(8)(y[:, :, :4]) + L.GRU(8)(y[..., 4:])))


def groups() -> Any:
    x = keras.Input((STEPS, 16))
    y = L.Conv1D(16, 3, groups=4)(L.Dense(16)(x))
    return keras.Model(x, L.Dense(2)(L.GRU(8)(y)))


def attended() -> Any:
    x = keras.Input((STEPS, FEATURES))
    y = L.GRU(16, return_sequences=True)(x)
    y = L.MultiHeadAttention(2, 8)(y, y)
    return keras.Model(x, L.Dense(2)(L.GlobalAveragePooling1D()(y)))


@pytest.mark.parametrize(
    "make",
    [channels_first, gated_by_halves, softmax_inside, cut_into_parts, groups, attended],
)
def test_units_that_something_takes_by_their_place_stay(make: Callable[[], Any]) -> None:
    """All of 16 units are read so; others, of 8 units, have none to spare."""
    with pytest.raises(UnspoolError, match="no layer with so many units that can be taken out"):
        fewer(make(), KernelSetting(units=0.25))


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("name", slow.unless(["residual_sum"], OFTEN))
def test_the_smaller_model_is_an_ordinary_keras_file(name: str, tmp_path: Path) -> None:
    model, made = without_the_dead(name)
    data = data_for(model, 4)
    made.model.save(tmp_path / "model.keras")
    again = unspool.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(again, data), outputs(made.model, data))


def left(model: Any, units: float | None, **layers: float | None) -> dict[str, int]:
    """How many units a layer is to have."""
    return {wish.name: wish.count for wish in wishes(layout(model), units, layers)}


@pytest.mark.parametrize("units", [0.5, 0.26, 8])
def test_a_share_is_rounded_to_a_multiple_of_eight(units: float) -> None:
    assert set(left(residual_sum(), units).values()) == {8}


@pytest.mark.parametrize(("share", "count"), [(0.3, 64), (0.36, 96), (0.75, 192), (0.2, 48)])
def test_a_large_share_is_rounded_to_where_no_step_is(share: float, count: int) -> None:
    x = keras.Input((4, FEATURES))
    assert left(keras.Model(x, L.Dense(2)(L.GRU(256, name="gru")(x))), share) == {"gru": count}


@pytest.mark.parametrize("name", ["gru_cell_of_mine", "stack/cells/gru_cell_of_mine"])
def test_a_cell_has_a_number_of_its_own(name: str) -> None:
    x = keras.Input((STEPS, FEATURES))
    cells = L.StackedRNNCells(
        [L.GRUCell(16, name="gru_cell_of_mine"), L.LSTMCell(16)], name="cells"
    )
    model = keras.Model(x, L.Dense(2)(L.RNN(cells, name="stack")(x)))
    assert left(model, None, **{name: 5}) == {"stack/cells/gru_cell_of_mine": 5}


def named() -> Any:
    x = keras.Input((STEPS, FEATURES), name="x")
    first = L.GRU(16, return_sequences=True, name="first")(x)
    second = L.GRU(16, return_sequences=True, name="second")(first)
    third = L.GRU(16, return_sequences=True, name="third")(L.Add(name="sum")([first, second]))
    moved = L.Permute((2, 1), name="turned")(third)
    return keras.Model(x, L.Dense(3, name="head")(L.GlobalAveragePooling1D()(moved)))


REFUSED = {
    "of no layer": (
        {"gru_9": 8},
        "no units belong to 'gru_9'; layers that have some to take out are first, second",
    ),
    "more than there are": ({"first": 32}, "32 units of 'first': it has 16"),
    "an output": ({"head": 2}, "units of 'head' cannot be taken out: they are an output"),
    "taken by place": ({"third": 8}, "cannot be taken out: 'turned', a Permute, takes them"),
    "tied": ({"first": 8, "second": 12}, "12 units of 'second': 8 are left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_go_is_refused_with_its_reason(case: str) -> None:
    wanted, message = REFUSED[case]
    model = named()
    with pytest.raises(UnspoolError, match=message):
        fewer(model, KernelSetting(), **wanted)


def test_a_model_whose_units_all_have_to_stay_is_refused() -> None:
    x = keras.Input((STEPS, FEATURES))
    model = keras.Model(x, L.GRU(16, name="all")(x))
    with pytest.raises(UnspoolError, match=r"no layer .*\(all: they are an output of the model"):
        fewer(model, KernelSetting(units=0.5))


@pytest.mark.parametrize("units", [0, -1, 1.5, float("nan"), float("inf")])
def test_numbers_of_units_that_there_cannot_be(units: float) -> None:
    with pytest.raises(UnspoolError, match="expected how many stay, such as 64, or the share"):
        KernelSetting(units=units)


@pytest.mark.usefixtures("few_draws", "computing")
def test_units_zeros_and_values_in_one_go() -> None:
    model = gru(steps=6)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    data = data_for(model, 128)[0]
    labels = (data[:, :, 0].mean(1) > 0).astype(np.int64)
    done = compress(
        model,
        data,
        labels,
        setting=KernelSetting(0.5, 8, units=8),
        fine_tuning=QUICK,
    )
    assert [(layer.layer, layer.units) for layer in done.units] == [(model.layers[1].name, 8)]
    kernel = np.array(done.model.layers[1].cell.recurrent_kernel)
    assert kernel.shape == (8, 24)
    assert (kernel == 0).mean() == 0.5
    assert len(np.unique(kernel[kernel != 0])) <= 8
    assert done.model.loss == model.loss


def test_the_least_important_units_go() -> None:
    """Large weights of its own do not make a unit important."""
    x = keras.Input((STEPS, FEATURES))
    layer, head = L.SimpleRNN(16, return_sequences=True), L.Dense(2)
    model = keras.Model(x, head(L.GlobalAveragePooling1D()(layer(x))))
    weight = np.array(head.kernel)
    weight[DEAD] *= 1e-3  # hardly read by the output, but with large weights of their own
    head.kernel.assign(weight)
    recurrent = np.array(layer.cell.recurrent_kernel)
    recurrent[DEAD] *= 1e-3
    layer.cell.recurrent_kernel.assign(recurrent)
    columns = np.array(layer.cell.kernel)
    columns[:, DEAD] *= 10
    layer.cell.kernel.assign(columns)
    smaller = fewer(model, LIVE).model
    expected = np.delete(np.array(layer.cell.kernel), DEAD, axis=1)
    np.testing.assert_array_equal(np.array(smaller.layers[1].cell.kernel), expected)


@pytest.mark.usefixtures("few_draws", "computing")
def test_units_go_by_a_dataset_of_samples_alone() -> None:
    model = gru(steps=6)
    data = tf.data.Dataset.from_tensor_slices(data_for(model, 96)[0]).batch(48)
    done = compress(model, data, setting=KernelSetting(0.5, 8, units=8), fine_tuning=QUICK)
    assert [(layer.before, layer.units) for layer in done.units] == [(16, 8)]
