"""Streams of layers that read windows of time: the rows in front are states."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from cases import L
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from repeated_ranges import repeated

import unspool
from unspool import Options, Session, UnspoolError
from unspool.quantization.quantizer import quantize
from unspool.support._tensorflow import keras
from unspool.unrolling import pieces
from unspool.unrolling.conversion import convert
from unspool.unrolling.stream_checks import check_streams
from unspool.unrolling.stream_model import unroll_calls, unroll_stream

T, FEATURES = 24, 6
QUICK = Options(remedy_seconds=0)
PHASES = tuple(phase for phase in Phase if phase not in (Phase.shrink, Phase.explain))
"""Smaller examples of what fails would take minutes: each is a network."""


def keyword_spotter(x: Any) -> Any:
    """Two convolutions over (time, frequency), the second depthwise, and a GRU."""
    h = L.ZeroPadding2D(((4, 0), (1, 1)))(L.Reshape((T, FEATURES, 1))(x))
    h = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, (5, 3), strides=(2, 1))(h)))
    h = L.DepthwiseConv2D((3, 3))(L.ZeroPadding2D(((2, 0), (0, 0)))(h))
    return L.Dense(3)(L.GRU(6)(L.Reshape((T // 2, -1))(h)))


def noise_suppressor(x: Any) -> list[Any]:
    """As RNNoise has been since 0.2: two convolutions in front of GRUs, two outputs."""
    h = L.Conv1D(8, 3, padding="causal", activation="tanh")(x)
    h = L.Conv1D(10, 3, padding="causal", activation="tanh")(h)
    first = L.GRU(6, return_sequences=True)(h)
    second = L.GRU(5, return_sequences=True)(first)
    joined = L.Concatenate()([h, first, second])
    return [
        L.Dense(4, "sigmoid", name="gains")(joined),
        L.Dense(1, "sigmoid", name="voice")(second),
    ]


def residual(x: Any) -> Any:
    """Each path has the same time: what is padded is read by its convolution alone."""
    left = L.SeparableConv1D(FEATURES, 4)(L.ZeroPadding1D((3, 0))(x))
    right = L.Conv1D(FEATURES, 3, dilation_rate=4, padding="causal")(x)
    return L.LSTM(5)(L.Add()([x, left, right]))


def temporal_convolutions(x: Any) -> Any:
    """No recurrence: residual blocks of wider and wider gaps, a classification of each step."""
    h = L.Dense(8)(x)
    for gap in (1, 2, 4):
        h = L.Add()([h, L.Conv1D(8, 1)(causal(8, 3, gap=gap, activation="relu")(h))])
    return L.Dense(3, activation="softmax")(h)


def causal(width: int, size: int, stride: int = 1, gap: int = 1, **options: Any) -> Any:
    return L.Conv1D(width, size, stride, "causal", dilation_rate=gap, **options)


def chained(*layers: Any) -> Callable[[Any], Any]:
    """The layers one after the other, a GRU behind them."""
    return lambda x: L.GRU(5)(keras.Sequential(list(map(copy, layers)))(x))


def copy(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def pad(rows: int) -> Any:
    return L.ZeroPadding1D((rows, 0))


def pad2(image: Any) -> Any:
    """A row of zeros in front of a sequence of columns, and a column on one side."""
    return L.ZeroPadding2D(((1, 0), (1, 0)))(image)


def behind(*layers: Any) -> Callable[[Any], Any]:
    """The layers behind a GRU, whose sequence they read."""

    def made(x: Any) -> Any:
        h = L.GRU(5, return_sequences=True)(x)
        for layer in map(copy, layers):
            h = layer(h)
        return h

    return made


MODELS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "Conv1D, causal": (chained(causal(8, 5)), 1),
    "strides": (chained(causal(8, 5, 2)), 2),
    "far strides": (chained(causal(8, 7, 4)), 4),
    "strides beyond the kernel": (chained(causal(8, 2, 3)), 3),
    "dilation": (behind(causal(4, 3, gap=5)), 1),
    "zeros twice": (chained(pad(1), pad(2), L.Conv1D(8, 4)), 1),
    "fewer zeros, strides": (chained(pad(3), L.Conv1D(8, 5, 2)), 2),
    "DepthwiseConv1D, pool": (chained(pad(4), L.DepthwiseConv1D(5), L.MaxPooling1D(2)), 2),
    "overlapping pools": (chained(pad(2), L.AveragePooling1D(3, 1)), 1),
    "zeros beside, twice": (
        lambda x: L.GRU(5)(
            L.Reshape((T, 24))(L.Conv2D(4, (3, 3))(pad2(pad2(L.Reshape((T, FEATURES, 1))(x)))))
        ),
        1,
    ),
    "patches": (chained(L.Conv1D(8, 4, 4)), 4),
    "every second step": (lambda x: L.GRU(5)(x[:, ::2]), 2),
    "two strides": (chained(L.MaxPooling1D(3), causal(6, 3, 2)), 6),
    "upsampling": (behind(L.UpSampling1D(2)), 1),
    "sequence comes out": (behind(causal(8, 3, 3), L.Dense(2)), 3),
    "keyword spotter": (keyword_spotter, 2),
    "noise suppressor": (noise_suppressor, 1),
    "residual": (residual, 1),
    "temporal convolutions": (temporal_convolutions, 1),
}
"""Layers, and the smallest number of steps of a call."""


def built(layers: Callable[[Any], Any]) -> Any:
    keras.utils.set_random_seed(2)
    x = keras.Input((T, FEATURES), name="x")
    model = keras.Model(x, layers(x))
    rng = np.random.default_rng(2)
    for weight in model.trainable_weights:  # biases too: a zero that is not one would show
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return model


def sequences(count: int = 24, steps: int = T) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 1, (count, steps, FEATURES)).astype(np.float32)


def whole(model: Any, data: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(each) for each in keras.tree.flatten(model.predict(data, verbose=0))]


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize("whole_at_once", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow.but_one_of(3, MODELS))
def test_chunks_give_what_keras_gives_for_the_whole_sequence(
    name: str, whole_at_once: bool
) -> None:
    layers, multiple = MODELS[name]
    model, data = built(layers), sequences(6)
    assert check_streams(model).multiple == multiple
    steps = T if whole_at_once else multiple
    outputs = Session(convert(unroll_calls(model, steps))).predict(data)
    for got, wanted in zip(outputs, whole(model, data), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize(
    "name",
    slow.unless(
        ["keyword spotter", "residual"],
        ["keyword spotter", "noise suppressor", "residual", "temporal convolutions"],
    ),
)
def test_a_stream_runs_on_the_npu_with_tflms_bytes(name: str) -> None:
    layers, multiple = MODELS[name]
    model, data = built(layers), sequences(40)
    done = unspool.deploy_stream(model, data, time_steps=multiple, options=QUICK)
    assert done.compiled.cpu_operators == ()
    assert (done.simulation.samples, done.simulation.equal) == (40, 40)
    quality = done.measured.quality
    assert quality is not None and quality.worst is not None and quality.worst.mean < 2.5
    session = Session(done.quantized_tflite, "tflm")
    assert any(state.endswith("/rows") for state in session.state_names)


def test_a_state_holds_as_few_rows_as_the_next_call_reads() -> None:
    model = built(
        lambda x: L.GRU(5)(L.Conv1D(8, 3, 2, dilation_rate=1, padding="causal", name="c")(x))
    )
    deploy_model = unroll_stream(model, 4)
    shapes = {t.name: t.shape for t in deploy_model.inputs}
    assert shapes["c.rows_in"] == (1, 2, FEATURES)


def test_zeros_beside_a_sequence_are_no_part_of_a_state() -> None:
    """Of the first convolution, which is 3 wide: 4 rows of the features alone."""
    deploy_model = unroll_stream(built(keyword_spotter), 2)
    rows = [t.shape for t in deploy_model.inputs if t.name.endswith("rows_in")]
    assert rows[0] == (1, 4, FEATURES, 1)


def test_any_chunks_have_the_same_bytes() -> None:
    """With the same ranges: what is carried is what was there."""
    model, data = built(keyword_spotter), sequences()
    part, at_once = (convert(unroll_calls(model, steps)) for steps in (4, T))
    ranges = unspool.calibrate(part, data).ranges
    files = [quantize(part, ranges), quantize(at_once, repeated(part, ranges, at_once, 2))]
    (got,), (wanted,) = (Session(file, "tflm").predict(data) for file in files)
    np.testing.assert_array_equal(got, wanted)


def drawn(kind: str, width: int, size: int, stride: int, gap: int) -> list[Any]:
    """A causal layer, or several, of random sizes."""
    match kind:
        case "conv":
            return [causal(width, size, stride, gap if stride == 1 else 1)]
        case "padded":
            return [pad(size - 1), L.Conv1D(width, size, stride)]
        case "depthwise":
            return [pad(size - 1), L.DepthwiseConv1D(size)]
        case "pool":
            return [L.MaxPooling1D(stride)]
        case "mean":
            return [pad(size - 1), L.AveragePooling1D(size, 1)]
        case "gru":
            return [L.GRU(width, return_sequences=True)]
        case "norm":
            return [L.BatchNormalization(), L.ReLU()]
    return [L.Dropout(0.5)]


KINDS = ("conv", "padded", "depthwise", "pool", "mean", "gru", "norm", "dropout")


DRAWN_CAUSAL = (
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.integers(1, 6),
            st.integers(1, 5),
            st.integers(1, 3),
            st.integers(1, 3),
        ),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 9),
)
"""What is drawn for each network."""


def random_causal_networks(
    layers: list[tuple[str, int, int, int, int]], recurrent: bool, calls: int, seed: int
) -> None:
    """Chunk by chunk, of the smallest size, equals Keras on the whole sequence."""
    keras.utils.set_random_seed(seed)
    stack = [made for each in layers for made in drawn(*each)]
    x = keras.Input((None, 3), name="x")
    last = L.GRU(4, return_sequences=True) if recurrent else causal(4, 3)
    model = keras.Model(x, keras.Sequential([*stack, last])(x))
    steps = check_streams(model).multiple
    data = np.random.default_rng(seed).normal(0, 1, (3, steps * calls, 3)).astype(np.float32)
    session = Session(convert(unroll_stream(model, steps)))
    (parts,) = session.predict_calls(data)  # (samples, calls, steps, features)
    got = parts.reshape(3, -1, parts.shape[-1])
    np.testing.assert_allclose(got, model.predict(data, verbose=0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_random_causal_networks(count: int) -> None:
    settings(max_examples=count, phases=PHASES)(given(*DRAWN_CAUSAL)(random_causal_networks))()


def test_a_chunk_of_an_open_sequence_may_be_shorter_than_a_window() -> None:
    x = keras.Input((None, FEATURES), name="x")
    h = L.GRU(4, return_sequences=True)(L.Conv1D(4, 5)(pad(4)(x)))
    done = unspool.deploy_stream(keras.Model(x, h), sequences(), time_steps=1, options=QUICK)
    assert done.simulation.equal == done.simulation.samples > 0


SEQUENCES: dict[str, Any] = {"return_sequences": True}


def centred(x: Any) -> Any:
    """A residual around "same": the input waits for the convolution."""
    return L.GRU(4, **SEQUENCES)(L.Add()([x, L.Conv1D(FEATURES, 3, padding="same")(x)]))


def shortened(x: Any) -> Any:
    """A residual around "valid", as WaveNets and TCNs have it."""
    return L.GRU(4)(L.Add()([L.Cropping1D((2, 2))(x), L.Conv1D(FEATURES, 5)(x)]))


def sliced(x: Any) -> Any:
    """The same, cut by slices."""
    return L.GRU(4)(L.Conv1D(FEATURES, 5)(x) + x[:, 2:-2, :])


def paths(x: Any) -> Any:
    near, far = L.GRU(5, **SEQUENCES)(x), L.Conv1D(4, 3)(L.Conv1D(5, 5, dilation_rate=2)(x))
    return L.Concatenate()([L.Cropping1D((10, 0))(near), L.GRU(5, **SEQUENCES)(far)])


def images(x: Any) -> Any:
    h = L.Conv2D(3, (5, 3), (2, 2), padding="same")(L.Reshape((T, FEATURES, 1))(x))
    h = L.DepthwiseConv2D((3, 3), padding="same")(h)
    return L.GRU(4, **SEQUENCES)(L.Reshape((T // 2, -1))(h))


def heads(x: Any) -> list[Any]:
    return [L.GRU(4, **SEQUENCES)(L.Conv1D(5, 4)(x)), L.GRU(3, **SEQUENCES)(x)]


def conv(width: int, size: int, stride: int = 1, padding: str = "valid", gap: int = 1) -> Any:
    return L.Conv1D(width, size, stride, padding, dilation_rate=gap, activation="tanh")


OFTEN = (
    *("valid", "same, strides, dilation", "a residual", "a residual cut by a slice"),
    *("paths of unlike length", "spread, same"),
)
STREAMED = L.GRU(5, **SEQUENCES)
LATE: dict[str, tuple[Callable[[Any], Any], list[tuple[int, int, int]]]] = {
    "valid": (lambda x: L.GRU(4)(conv(6, 5)(x)), [(1, 4, 0), (2, 2, 0), (4, 1, 0)]),
    "valid, in time": (lambda x: L.GRU(4, **SEQUENCES)(conv(6, 5)(x)), [(1, 4, 0), (6, 1, 2)]),
    "valid, states between": (
        behind(conv(6, 5, 2), conv(6, 3), L.LSTM(4, **SEQUENCES), conv(3, 3)),
        [(2, 6, 0), (4, 3, 0)],
    ),
    "overlapping pools": (behind(conv(6, 3), L.MaxPooling1D(3, 2)), [(2, 2, 0), (4, 2, 4)]),
    "same": (behind(conv(6, 5, padding="same")), [(1, 2, 2), (2, 1, 2), (4, 1, 4)]),
    "same, strides, dilation": (
        behind(
            *(conv(6, 5, padding="same"), conv(6, 4, 2, "same"), conv(4, 3, 1, "same", 4)),
            STREAMED,
        ),
        [(2, 6, 12)],
    ),
    "zeros on both sides": (behind(L.ZeroPadding1D(2), conv(6, 5), STREAMED), [(1, 2, 2)]),
    "more zeros than it reads": (behind(pad(7), conv(6, 3), STREAMED), [(1, 0, 5), (4, 0, 5)]),
    "a residual": (centred, [(1, 1, 1), (4, 1, 4)]),
    "a shortened residual": (shortened, [(1, 4, 0), (2, 2, 0)]),
    "looks back far": (lambda x: L.GRU(4)(x[:, 9:] - x[:, :-9]), [(1, 9, 0), (3, 3, 0)]),
    "a residual cut by a slice": (sliced, [(1, 4, 0), (2, 2, 0)]),
    "paths of unlike length": (paths, [(1, 10, 0), (2, 5, 0), (4, 3, 2)]),
    "images": (images, [(2, 2, 4)]),
    "spread": (behind(L.Conv1DTranspose(4, 5, 2), STREAMED), [(1, 0, 2), (4, 0, 2)]),
    "spread, same": (behind(L.Conv1DTranspose(4, 5, 2, "same"), STREAMED), [(1, 1, 1), (4, 1, 4)]),
    "shortened and spread": (
        behind(conv(6, 5, 2), L.LSTM(4, **SEQUENCES), L.Conv1DTranspose(4, 6, 2, "same"), STREAMED),
        [(2, 3, 2)],
    ),
    "heads of unlike length": (heads, [(1, 3, 0), (2, 2, 1)]),
}
"""Layers whose first windows are not full, or that read what is to come; of each number of steps of
a call, the calls until windows are full, and by how many steps outputs come late."""


@pytest.mark.one_in(2)
@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize(
    ("name", "steps", "warm_up", "late"),
    [
        pytest.param(name, *case, marks=[pytest.mark.slow] * (number > 0 or name not in OFTEN))
        for name, (_, cases) in LATE.items()
        for number, case in enumerate(cases)
    ],
)
def test_a_stream_that_is_late_gives_what_keras_gives(
    name: str, steps: int, warm_up: int, late: int
) -> None:
    model, data = built(LATE[name][0]), sequences(4)
    session = Session(convert(unroll_stream(model, steps, lookahead=True)))
    assert session.of_sequence is not None
    assert (session.warm_up, session.of_sequence.late) == (warm_up, late)
    missing = []
    for got, wanted in zip(session.predict(data), whole(model, data), strict=True):
        rate = got.shape[1] / (T - warm_up * steps)
        missing.append(math.ceil((wanted.shape[1] - got.shape[1]) / rate))
        np.testing.assert_allclose(got, wanted[:, : got.shape[1]], rtol=0, atol=1e-5)
    assert max(missing) >= late  # the last steps, which the whole network alone gives
    calls = session.predict_calls(data[:1])
    by_step = [session.step(*call) for call in data[0].reshape(-1, 1, steps, FEATURES)]
    for got, wanted in zip(zip(*by_step, strict=True), calls, strict=True):
        np.testing.assert_array_equal(np.stack(got), wanted[0])
    session.reset()
    for got, wanted in zip(session.run(data[0]), calls, strict=True):
        np.testing.assert_array_equal(got.reshape(wanted[0].shape), wanted[0])


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize(
    "name", ["paths of unlike length", pytest.param("images", marks=pytest.mark.slow)]
)
def test_a_late_stream_runs_on_the_npu_and_is_measured(name: str) -> None:
    model, data = built(LATE[name][0]), sequences(40)
    steps, _, _ = LATE[name][1][0]
    wanted = whole(model, data)[0]
    done = unspool.deploy_stream(
        model, data, time_steps=steps, lookahead=True, test=(data, wanted), options=QUICK
    )
    assert done.compiled.cpu_operators == ()
    assert (done.simulation.samples, done.simulation.equal) == (40, 40)
    measured = done.measured
    assert measured.not_measured == ()
    assert measured.unroll_error is not None and measured.unroll_error.largest < 1e-5
    assert [score.runtime for score in measured.regressions] == ["keras", "litert", "tflm", "npu"]
    assert measured.regressions[0].rmse == 0
    assert 0 < measured.regressions[2].rmse < 0.1
    score = unspool.evaluate(done.quantized_tflite, data, wanted, "tflm")
    assert score == measured.regressions[2]


DRAWN_LATE = (
    st.lists(
        st.tuples(
            st.sampled_from(("conv", "crop", "pool", "gru", "residual", "norm")),
            st.integers(1, 5),
            st.integers(1, 2),
            st.integers(1, 3),
            st.sampled_from(("valid", "same", "causal")),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 3),
    st.integers(0, 9),
)
"""What is drawn for each network."""


def random_networks_that_are_late(
    layers: list[tuple[str, int, int, int, str]], calls: int, seed: int
) -> None:
    """Whatever the chunk, each output of a stream is Keras's for the whole sequence."""
    keras.utils.set_random_seed(seed)
    x = keras.Input((96, 3), name="x")
    h = x
    for kind, size, stride, gap, padding in layers:
        if kind == "conv":
            h = conv(4, size, stride, padding, gap if stride == 1 else 1)(h)
        elif kind == "crop":
            is_layer = size % 2
            cut = L.Cropping1D((size - 1, stride - 1))
            h = cut(h) if is_layer else h[:, size - 1 : 1 - stride or None]
        elif kind == "pool":
            h = L.AveragePooling1D(size, stride)(h)
        elif kind == "gru":
            h = L.GRU(4, **SEQUENCES)(h)
        elif kind == "residual":
            h = L.Concatenate()([h, conv(3, size, 1, "same")(h)])
        else:
            h = L.LayerNormalization()(h)
    model = keras.Model(x, L.GRU(4, **SEQUENCES)(h))
    data = np.random.default_rng(seed).normal(0, 1, (2, 96, 3)).astype(np.float32)
    try:
        steps = check_streams(model, pieces.stream(True, None)).multiple * calls
        assume(96 % steps == 0)
        session = Session(convert(unroll_stream(model, steps, lookahead=True)))
    except UnspoolError as error:
        assert "puts other zeros in front of a sequence" in str(error)
        return
    assume(session.warm_up * steps < 96)
    (got,), wanted = session.predict(data), model.predict(data, verbose=0)
    np.testing.assert_allclose(got, wanted[:, : got.shape[1]], rtol=0, atol=1e-5)
    assert session.of_sequence is not None
    missing = wanted.shape[1] - got.shape[1]
    assert missing * 96 // wanted.shape[1] <= session.of_sequence.late + 2 * steps


@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_random_networks_that_are_late(count: int) -> None:
    settings(max_examples=count, phases=PHASES)(given(*DRAWN_LATE)(random_networks_that_are_late))()


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "same": (
        lambda x: L.GRU(4)(L.Conv1D(4, 3, padding="same", name="c")(x)),
        "layer 'c' (Conv1D): reads steps that are to come, by its padding \"same\"; train it with "
        'padding "causal", or with ZeroPadding of 2 steps in front and "valid"; or take outputs '
        "that come so many steps late, by `lookahead`; or deploy it without states",
    ),
    "same, behind zeros": (
        lambda x: L.GRU(4)(L.Conv1D(4, 3, 3, padding="same", name="c")(pad(1)(x))),
        "layer 'c' (Conv1D): reads steps that are to come, by its padding \"same\"; train it with "
        'padding "causal", or with ZeroPadding of 2 steps in front and "valid"; or deploy '
        "it without states",
    ),
    "pools that are padded": (
        lambda x: L.GRU(4)(L.MaxPooling1D(3, 1, "same", name="p")(x)),
        "layer 'p' (MaxPooling1D): reads steps that are to come, by its padding \"same\", and no "
        'zeros where there are none; train it with padding "valid"; or deploy it without states',
    ),
    "zeros behind": (
        lambda x: L.GRU(4)(L.Conv1D(4, 3)(L.ZeroPadding1D((1, 1), name="z")(x))),
        "layer 'z' (ZeroPadding1D): puts zeros behind the sequence, whose end a stream does not "
        "have; or take outputs that come so many steps late, by `lookahead`",
    ),
    "zeros for a GRU": (
        lambda x: L.GRU(4, name="g")(pad(2)(x)),
        "layer 'g' (GRU): reads zeros around the sequence, which a stream has no time steps "
        "for; put them right in front of a convolution or pooling that reads them",
    ),
    "zeros come out": (
        lambda x: pad(2)(L.GRU(4, return_sequences=True)(x)),
        "an output begins or ends with zeros, which a stream has no time steps for; put them right "
        "in front of a convolution or pooling that reads them",
    ),
    "from its end": (
        lambda x: L.GRU(4)(keras.ops.flip(x, axis=1)),
        "mixes time steps, so chunk by chunk it would compute something else; deploy it without "
        "states, or put it after the last recurrent layer",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_what_to_do(name: str) -> None:
    layers, line = REFUSED[name]
    with pytest.raises(UnspoolError) as refused:
        unroll_stream(built(layers))
    assert str(refused.value).endswith(line)


def test_a_chunk_is_a_multiple_of_the_strides() -> None:
    model = built(MODELS["two strides"][0])
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(model, sequences(), time_steps=4)
    assert str(refused.value) == (
        "`time_steps` 4: the model's strides need whole windows in each call; expected a multiple "
        "of 6"
    )
    fewest = unspool.deploy_stream(model, sequences(), options=QUICK)
    assert Session(fewest.quantized_tflite).time_steps == 6
    tried = [cost.steps_per_call for cost in unspool.call_costs(model, sequences())]
    assert tried == [6, 12, 24]


LATE_REFUSED: dict[str, tuple[Callable[[Any], Any], int, str]] = {
    "of the last step": (
        lambda x: L.GRU(4, name="g")(L.Conv1D(4, 5, padding="same")(x)),
        1,
        "output 'g' is of the last time step, which a stream gives 2 steps late; expected outputs "
        "of each step, by `return_sequences=True`, or smaller `time_steps`",
    ),
    "strides of another length": (
        lambda x: L.GRU(4, **SEQUENCES)(conv(4, 4, 2, "same")(conv(4, 4)(x))),
        2,
        'as those behind "valid" windows are; train it with padding "causal"',
    ),
}


@pytest.mark.parametrize("name", LATE_REFUSED)
def test_what_no_stream_gives_is_refused_before_any_work(name: str) -> None:
    layers, steps, line = LATE_REFUSED[name]
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(built(layers), sequences(), time_steps=steps, lookahead=True)
    assert str(refused.value).endswith(line)


def test_a_sequence_is_longer_than_the_windows() -> None:
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, paths(x))
    done = unspool.deploy_stream(model, sequences(24, 16), time_steps=1, options=QUICK)
    assert done.simulation.equal == 24
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(model, sequences(24, 10), time_steps=1)
    assert str(refused.value) == (
        "calibration data: sequences of 10 time steps; the first 10 fill the windows that the "
        "model reads, expected more"
    )


def test_calls_of_a_sequence_are_never_late() -> None:
    with pytest.raises(UnspoolError) as refused:
        unroll_calls(built(LATE["valid"][0]), 4)
    assert str(refused.value).endswith(
        "reads windows of 5 time steps, of which the first are not full; train it with padding "
        '"causal", or with ZeroPadding of 4 steps in front of it; or deploy it in parts, or '
        "without `steps_per_call`"
    )


def averaged(x: Any) -> Any:
    """The mean over time and frequency behind convolutions, beside the end of a GRU."""
    h = L.Conv2D(4, (5, 3), (2, 1), activation="relu")(L.Reshape((T, FEATURES, 1))(x))
    h = L.DepthwiseConv2D((3, 3))(L.ZeroPadding2D(((2, 0), (1, 1)))(h))
    return L.Dense(3)(L.Concatenate()([L.GlobalAveragePooling2D()(h), L.GRU(4)(x)]))


def largest(x: Any) -> Any:
    h = L.GRU(5, return_sequences=True)(x)
    return L.Dense(2)(L.Concatenate()([L.GlobalMaxPooling1D()(h), h[:, -1]]))


@pytest.mark.usefixtures("computing")
@pytest.mark.parametrize(
    ("layers", "steps"),
    [(averaged, 2), (largest, 2), pytest.param(largest, 12, marks=pytest.mark.slow)],
)
def test_a_pooling_over_all_is_one_over_the_last_steps(
    layers: Callable[[Any], Any], steps: int
) -> None:
    model, data = built(layers), sequences(6)
    session = Session(convert(unroll_stream(model, steps, pool_window=T)))
    assert session.warm_up == T // steps - 1
    np.testing.assert_allclose(session.predict(data)[0], whole(model, data)[0], rtol=0, atol=1e-5)
    later = session.predict(np.concatenate([data, data], axis=1))[0]  # a stream goes on
    assert np.abs(later - whole(model, data)[0]).max() > 1e-3


def test_means_of_images_run_on_the_npu_step_by_step() -> None:
    model, data = built(averaged), sequences(40)
    done = unspool.deploy_stream(model, data, time_steps=2, pool_window=T, options=QUICK)
    assert done.compiled.cpu_operators == ()
    assert (done.simulation.samples, done.simulation.equal) == (40, 40)
    assert done.measured.unroll_error is not None and done.measured.unroll_error.largest < 1e-5


POOLED: dict[str, tuple[dict[str, int], str]] = {
    "no window": (
        {"time_steps": 2},
        "pools over the whole sequence, which a stream does not have; say over how many of the "
        "last time steps, by `pool_window`; or deploy it without states",
    ),
    "no multiple": (
        {"time_steps": 4, "pool_window": 22},
        "`pool_window` 22: expected a multiple of the 4 time steps of a call",
    ),
    "another length": (
        {"time_steps": 2, "pool_window": 12},
        "calibration data: sequences of 24 time steps; `pool_window` 12 pools over the last ones, "
        "as Keras does over all: expected sequences of as many",
    ),
    "nothing": (
        {"time_steps": 2, "pool_window": 0},
        "`pool_window` 0: expected time steps, at least 1",
    ),
}


@pytest.mark.parametrize("name", POOLED)
def test_a_window_of_a_pooling_is_refused_with_what_to_do(name: str) -> None:
    options, line = POOLED[name]
    model = built(lambda x: L.Dense(2)(L.GlobalAveragePooling1D()(L.GRU(4, **SEQUENCES)(x))))
    with pytest.raises(UnspoolError) as refused:
        unspool.deploy_stream(model, sequences(), **options)  # type: ignore[arg-type]
    assert str(refused.value).endswith(line)


def test_a_window_where_nothing_pools_over_the_whole_sequence_is_refused() -> None:
    model = built(lambda x: L.Dense(2)(L.GRU(4)(L.AveragePooling1D(2)(x))))
    with pytest.raises(UnspoolError, match="`pool_window` 24: no layer of the model pools over"):
        unspool.deploy_stream(model, sequences(), time_steps=2, pool_window=T)


@pytest.mark.parametrize("unroll", [unroll_stream, unroll_calls])
def test_what_has_nothing_to_carry_is_no_stream(unroll: Callable[..., Any]) -> None:
    model = built(lambda x: L.Dense(2)(L.Dense(3, activation="relu")(x)))
    with pytest.raises(UnspoolError, match="nothing to carry from call to call"):
        unroll(model, 4)
