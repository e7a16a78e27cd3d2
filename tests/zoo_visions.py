"""The architectures of `zoo_vision.py`."""

from collections.abc import Callable
from typing import Any

from zoo_core import CLASSES, Architecture, logits, sequential
from zoo_vision import (
    GROUP,
    LETTERS,
    attention,
    crops,
    drawings,
    embedded,
    fields,
    handwriting,
    mcldnn,
    moving_lines,
    next_letter,
    numbers,
    quick_draw,
    radio,
    reviews,
    sentences,
    sums,
)

from unspool._tensorflow import keras

L = keras.layers


def _ids(length: int | None, *layers: Any) -> Callable[[], Any]:
    """A builder of a model that reads token ids."""

    def build() -> Any:
        keras.utils.set_random_seed(5)
        copies = [type(layer).from_config(layer.get_config()) for layer in layers]
        return keras.Sequential([keras.Input((length,), dtype="int32", name="ids"), *copies])

    return build


VISION = (
    Architecture(
        "video of lines, CNN-LSTM(50)",
        "https://machinelearningmastery.com/how-to-use-the-timedistributed-layer-for-long-short-"
        "term-memory-networks-in-python/",
        GROUP,
        sequential(
            L.TimeDistributed(L.Conv2D(2, 2, activation="relu")),
            L.TimeDistributed(L.MaxPooling2D(2)),
            L.TimeDistributed(L.Flatten()),
            L.LSTM(50),
            L.Dense(1, activation="sigmoid"),
            shape=(50, 50, 50, 1),
            name="frames",
        ),
        moving_lines,
        "binary_crossentropy",
        ["accuracy"],
        3,
        samples=300,
        batch=16,
        tested=100,
        note="50 frames of 50 x 50 pixels",
    ),
    Architecture(
        "handwriting, CRNN with a class per frame",
        "https://github.com/keras-team/keras-io/blob/master/examples/vision/"
        "handwriting_recognition.py",
        GROUP,
        handwriting,
        numbers,
        CLASSES,
        ["accuracy"],
        6,
        samples=800,
        batch=16,
        rate=8e-3,
        tested=100,
        note="MNIST's digits in place of IAM; cross-entropy per frame in place of CTC; 81 classes",
    ),
    Architecture(
        "drawings, Quick, Draw! BiLSTM(128) x 3",
        "https://github.com/tensorflow/models/blob/r1.13.0/tutorials/rnn/quickdraw/train_model.py",
        GROUP,
        quick_draw,
        drawings,
        logits(),
        ["accuracy"],
        3,
        samples=640,
        batch=32,
        tested=60,
        note="`keras.ops.sum` over 100 steps; 600 steps in all",
    ),
    Architecture(
        "text, letter by letter, LSTM(128)",
        "https://keras.io/examples/generative/lstm_character_level_text_generation/",
        GROUP,
        sequential(
            L.LSTM(128),
            L.Dense(LETTERS, activation="softmax"),
            shape=(40, LETTERS),
            name="letters",
        ),
        next_letter,
        CLASSES,
        ["accuracy"],
        8,
        samples=4000,
        rate=1e-2,
        note="one-hot inputs",
    ),
    Architecture(
        "sums as text, LSTM(128) encoder-decoder",
        "https://keras.io/examples/nlp/addition_rnn/",
        GROUP,
        sequential(
            L.LSTM(128),
            L.RepeatVector(4),
            L.LSTM(128, return_sequences=True),
            L.Dense(12, activation="softmax"),
            shape=(7, 12),
            name="question",
        ),
        sums,
        CLASSES,
        ["accuracy"],
        10,
        samples=12000,
        batch=128,
        rate=8e-3,
        note="one-hot inputs, a class for each of four places",
    ),
    Architecture(
        "film reviews, BiLSTM(64) x 2",
        "https://keras.io/examples/nlp/bidirectional_lstm_imdb/",
        GROUP,
        _ids(
            None,
            L.Embedding(20_000, 128),
            L.Bidirectional(L.LSTM(64, return_sequences=True)),
            L.Bidirectional(L.LSTM(64)),
            L.Dense(1, activation="sigmoid"),
        ),
        reviews,
        "binary_crossentropy",
        ["accuracy"],
        4,
        time_steps=200,
        allow_cpu=True,
        samples=640,
        batch=32,
        tested=100,
        note="open length; an Embedding of 20,000 words, which the CPU looks up",
    ),
    Architecture(
        "names in sentences, BiLSTM(100)",
        "https://www.depends-on-the-definition.com/guide-sequence-tagging-lstm-crf/",
        GROUP,
        _ids(
            75,
            L.Embedding(35_179, 50),
            L.Dropout(0.1),
            L.Bidirectional(L.LSTM(100, return_sequences=True, recurrent_dropout=0.1)),
            L.TimeDistributed(L.Dense(17, activation="softmax")),
        ),
        sentences,
        CLASSES,
        ["accuracy"],
        4,
        allow_cpu=True,
        samples=800,
        batch=32,
        rate=1e-2,
        tested=200,
        note="a tag for each of 75 words; an Embedding of 35,179",
    ),
    Architecture(
        "sentences, LSTM(64) with attention",
        "https://github.com/keras-team/keras/issues/4962",
        GROUP,
        attention,
        embedded,
        CLASSES,
        ["accuracy"],
        6,
        quick=True,
        note="RepeatVector, Permute, Multiply and a sum; word vectors are the input",
    ),
    Architecture(
        "radio modulation, MCLDNN",
        "https://doi.org/10.1109/LWC.2020.2999453",
        GROUP,
        mcldnn,
        radio,
        CLASSES,
        ["accuracy"],
        7,
        samples=800,
        batch=32,
        rate=2e-3,
        tested=100,
        note="three inputs, spaces in their names; SELU",
    ),
    Architecture(
        "crops from space, BiGRU(64) x 3",
        "https://github.com/charlotte-pel/temporalCNN/blob/master/deeplearning/architecture_rnn.py",
        GROUP,
        crops,
        fields,
        CLASSES,
        ["accuracy"],
        4,
        samples=1300,
        tested=200,
        note="`Archi_3GRU64BI_1FC256`; six times 46 steps",
    ),
)
