"""Cases: how recurrent layers are arranged, and how a model's inputs and outputs are."""

from typing import Any

from cases.core import Build, Case, L, chain, functional
from unspool.support._tensorflow import keras

ARRANGED, INTERFACE = "Arrangement", "Inputs, outputs and names"
MERGES = ("concat", "sum", "mul", "ave")


def return_state(cell: Any) -> Build:
    return functional(lambda x: list(cell(4, return_state=True)(x)))


def sequences_and_state(x: Any) -> Any:
    sequence, h = L.GRU(5, return_sequences=True, return_state=True)(x)
    return [L.Dense(3, name="head")(sequence), L.Dense(2, name="last")(h)]


def encoder_decoder(x: Any) -> Any:
    _, h, c = L.LSTM(6, return_state=True)(x)
    return L.LSTM(6)(x, initial_state=[h, c])


def bidirectional_stack(merge: str) -> Build:
    return chain(
        L.Bidirectional(L.GRU(6, return_sequences=True), merge),
        L.Bidirectional(L.LSTM(5), merge),
        L.Dense(3),
    )


def bidirectional_apart(x: Any) -> Any:
    ahead, back = L.Bidirectional(L.GRU(6, return_sequences=True), merge_mode=None)(x)
    return [L.Dense(3, name="ahead")(ahead), L.LSTM(4, name="back")(back)]


def branches(x: Any) -> Any:
    a = L.GRU(6, return_sequences=True)(x)
    b = L.LSTM(6, return_sequences=True)(x)
    both = L.Concatenate()([L.Add()([a, b]), x])
    return L.Dense(3)(L.GRU(4)(both))


def nested(x: Any) -> Any:
    inner = keras.Sequential(
        [keras.Input(x.shape[1:]), L.Dense(4, activation="relu"), L.GRU(5, return_sequences=True)]
    )
    return L.Dense(2)(L.GRU(3)(inner(x)))


def two_by_two(steps: int) -> Any:
    keras.utils.set_random_seed(5)
    x, z = keras.Input((steps, 5), name="x"), keras.Input((3,), name="z")
    h = L.Concatenate()([L.GRU(6)(x), L.Dense(4, activation="relu")(z)])
    head, gate = L.Dense(2, name="head")(h), L.Dense(1, activation="sigmoid", name="gate")(h)
    return keras.Model([x, z], [head, gate])


def dictionaries(steps: int) -> Any:
    """The keys are in another order than the names."""
    keras.utils.set_random_seed(5)
    x, z = keras.Input((steps, 5), name="signal"), keras.Input((3,), name="about")
    h = L.Concatenate()([L.GRU(6)(x), L.Dense(4, activation="relu")(z)])
    outputs = {"where": L.Dense(2, name="where")(h), "how_much": L.Dense(1, name="how_much")(h)}
    return keras.Model({"signal": x, "about": z}, outputs)


def odd_names(steps: int) -> Any:
    keras.utils.set_random_seed(5)
    x = keras.Input((steps, 5), name="Größe in mm")
    h = L.GRU(6, return_sequences=True, name="erste Schicht: übrig")(x)
    h = L.LSTM(5, name="zweite Schicht (LSTM)")(h)
    return keras.Model(x, L.Dense(2, name="Maß & Zahl, 50 %")(h))


def siamese(steps: int) -> Any:
    keras.utils.set_random_seed(5)
    a, b = keras.Input((steps, 5), name="a"), keras.Input((steps, 5), name="b")
    shared = L.GRU(6, name="shared")
    return keras.Model([a, b], L.Dense(2)(L.Concatenate()([shared(a), shared(b)])))


def twelve_inputs(steps: int) -> Any:
    """Twelve sensors, each of its own rate of change."""
    keras.utils.set_random_seed(5)
    sensors = [keras.Input((steps, 1), name=f"sensor_{number}") for number in range(12)]
    return keras.Model(sensors, L.Dense(3)(L.GRU(6)(L.Concatenate()(sensors))))


def twelve_heads(x: Any) -> Any:
    h = L.GRU(6)(x)
    return L.Concatenate()([L.Dense(2, activation="tanh")(h) for _ in range(12)])


def start_from_another_input(steps: int) -> Any:
    """What the sequence is about gives the first state, as in the captioning of images."""
    keras.utils.set_random_seed(5)
    x, about = keras.Input((steps, 5), name="x"), keras.Input((4,), name="about")
    start = L.Dense(6, activation="tanh")(about)
    h = L.GRU(6, return_sequences=True)(x, initial_state=start)
    return keras.Model([x, about], L.Dense(3)(h))


ARRANGEMENT = [
    Case(ARRANGED, "two layers", chain(L.GRU(8, return_sequences=True), L.GRU(6), L.Dense(3))),
    Case(
        ARRANGED,
        "two LSTMs, sequences",
        chain(L.LSTM(8, return_sequences=True), L.LSTM(6, return_sequences=True), L.Dense(3)),
        often=True,
    ),
    Case(
        ARRANGED,
        "three layers",
        chain(
            L.SimpleRNN(6, return_sequences=True),
            L.LSTM(6, return_sequences=True),
            L.GRU(6),
            L.Dense(3),
        ),
    ),
    Case(ARRANGED, "return_sequences", chain(L.GRU(8, return_sequences=True))),
    Case(ARRANGED, "return_state, GRU", return_state(L.GRU)),
    Case(ARRANGED, "return_state, LSTM", return_state(L.LSTM)),
    Case(ARRANGED, "return_sequences and return_state", functional(sequences_and_state)),
    Case(ARRANGED, "initial_state from another layer", functional(encoder_decoder)),
    Case(ARRANGED, "initial_state from another input", start_from_another_input),
    Case(ARRANGED, "go_backwards", chain(L.GRU(8, go_backwards=True))),
    Case(
        ARRANGED,
        "go_backwards with return_sequences",
        chain(L.LSTM(8, go_backwards=True, return_sequences=True)),
    ),
    *(
        Case(ARRANGED, f"Bidirectional, {merge}", chain(L.Bidirectional(L.GRU(6), merge)))
        for merge in MERGES
    ),
    *(
        Case(
            ARRANGED,
            f"two Bidirectionals, {merge}",
            bidirectional_stack(merge),
            # Products of small values are small beside the one range that they have.
            mean={"mul": 0.06, "ave": 0.03}.get(merge, 0.02),
            largest=0.15 if merge == "mul" else 0.12,
        )
        for merge in MERGES
    ),
    Case(ARRANGED, "Bidirectional, merge_mode=None", functional(bidirectional_apart)),
    Case(
        ARRANGED,
        "Bidirectional LSTM, return_sequences",
        chain(L.Bidirectional(L.LSTM(6, return_sequences=True)), L.Dense(3)),
    ),
    Case(ARRANGED, "Bidirectional SimpleRNN", chain(L.Bidirectional(L.SimpleRNN(6)))),
    Case(
        ARRANGED,
        "Bidirectional with its own backward layer",
        chain(L.Bidirectional(L.GRU(6), backward_layer=L.LSTM(4, go_backwards=True))),
    ),
    Case(ARRANGED, "RNN(cell)", chain(L.RNN(L.GRUCell(6)))),
    Case(ARRANGED, "RNN([cell, cell])", chain(L.RNN([L.LSTMCell(6), L.GRUCell(5)]))),
    Case(
        ARRANGED,
        "RNN([cell, cell]), backwards, return_sequences",
        chain(L.RNN([L.GRUCell(6), L.SimpleRNNCell(5)], return_sequences=True, go_backwards=True)),
    ),
    Case(
        ARRANGED,
        "Bidirectional(RNN([cell, cell])), return_sequences",
        chain(L.Bidirectional(L.RNN([L.GRUCell(4), L.GRUCell(3)], return_sequences=True))),
    ),
    Case(ARRANGED, "Concatenate and Add across branches", functional(branches)),
    Case(ARRANGED, "a model nested in a model", functional(nested), mean=0.033),  # of 27 levels
    Case(INTERFACE, "several inputs and outputs", two_by_two),
    Case(INTERFACE, "dictionaries of inputs and outputs", dictionaries),
    Case(INTERFACE, "names with spaces and umlauts", odd_names),
    Case(INTERFACE, "a layer that is used twice", siamese),
    Case(INTERFACE, "twelve inputs", twelve_inputs),
    Case(INTERFACE, "Concatenate of twelve", functional(twelve_heads)),
]
