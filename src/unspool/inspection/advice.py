"""What to use in place of layers and functions that no NPU runs."""

_IN_FRONT = "use it in front of the network, and give its result in as an input"
_BEHIND = "use it behind the network: give out what it reads"

_BY_KIND = {
    **dict.fromkeys(
        ("Argmax", "Argmin", "Nanargmax", "Nanargmin", "Argsort", "Argpartition", "Digitize"),
        _BEHIND,
    ),
    **dict.fromkeys(("OneHot", "TopK", "InTopK", "SearchSorted", "Nonzero"), _BEHIND),
    **dict.fromkeys(("Sort", "Median", "Quantile", "Percentile"), f"{_BEHIND}, or {_IN_FRONT}"),
    **dict.fromkeys(
        ("FFT", "FFT2", "RFFT", "STFT", "STFTSpectrogram", "MelSpectrogram", "ExtractSequences"),
        _IN_FRONT,
    ),
    **dict.fromkeys(
        ("CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup"),
        _IN_FRONT,
    ),
    **dict.fromkeys(("LogSoftmax", "Sparsemax"), "use softmax, or a linear layer and " + _BEHIND),
    **dict.fromkeys(
        ("Embedding", "ReversibleEmbedding"),
        "look ids up in front of the network, and give the vectors in as an input",
    ),
    **dict.fromkeys(
        ("Resize", "Resizing"), f"resize without regard to the aspect ratio, or {_IN_FRONT}"
    ),
    **dict.fromkeys(("Erf", "Erfc"), "use gelu or tanh"),
    **dict.fromkeys(
        ("Conv3D", "Conv3DTranspose", "AveragePooling3D", "MaxPooling3D", "UpSampling3D"),
        "use TimeDistributed with the layer of two dimensions",
    ),
}


def instead(kind: str) -> str:
    """What to use in place of a layer or function, by its class."""
    return _BY_KIND.get(kind, "use others (docs/keras.md says of each), or do it outside")
