"""Keras's layers: how each is called in a network, or why none calls it."""

from collections.abc import Callable
from typing import Any

from versions import Known

from unspool.support._tensorflow import keras

L = Known(keras.layers)
Call = Callable[[Any], Any]


def _on_two(layer: Any) -> Call:
    return lambda x: layer([x, 0.5 * x])


def _states(x: Any) -> Any:
    return [keras.ops.mean(x, axis=1)]


OF_SEQUENCES: dict[str, Call] = {
    "Activation": L.Activation("tanh"),
    "ActivityRegularization": L.ActivityRegularization(0.1),
    "AdaptiveAveragePooling1D": lambda x: L.AdaptiveAveragePooling1D(2)(x),
    "AdaptiveMaxPooling1D": lambda x: L.AdaptiveMaxPooling1D(2)(x),
    "Add": _on_two(L.Add()),
    "AdditiveAttention": _on_two(L.AdditiveAttention()),
    "AlphaDropout": L.AlphaDropout(0.1),
    "Attention": _on_two(L.Attention()),
    "Average": _on_two(L.Average()),
    "AveragePooling1D": L.AveragePooling1D(2),
    "BatchNormalization": L.BatchNormalization(),
    "Bidirectional": L.Bidirectional(L.GRU(4)),
    "Concatenate": _on_two(L.Concatenate()),
    "Conv1D": L.Conv1D(4, 3),
    "Conv1DTranspose": L.Conv1DTranspose(4, 3, strides=2),
    "Cropping1D": L.Cropping1D(1),
    "Dense": L.Dense(4),
    "DepthwiseConv1D": L.DepthwiseConv1D(3),
    "Dot": _on_two(L.Dot((2, 2))),
    "Dropout": L.Dropout(0.1),
    "ELU": L.ELU(),
    "EinsumDense": L.EinsumDense("btf,fg->btg", (6, 4)),
    "Flatten": L.Flatten(),
    "GRU": L.GRU(4),
    "GRUCell": lambda x: L.GRUCell(8)(x[:, 0], _states(x))[0],
    "GaussianDropout": L.GaussianDropout(0.1),
    "GaussianNoise": L.GaussianNoise(0.1),
    "GlobalAveragePooling1D": L.GlobalAveragePooling1D(),
    "GlobalMaxPooling1D": L.GlobalMaxPooling1D(),
    "GroupNormalization": L.GroupNormalization(2),
    "GroupQueryAttention": lambda x: L.GroupQueryAttention(4, 4, 2)(x, x),
    "Identity": L.Identity(),
    "LSTM": L.LSTM(4),
    "LSTMCell": lambda x: L.LSTMCell(8)(x[:, 0], _states(x) * 2)[0],
    "Lambda": L.Lambda(lambda x: 2 * x),
    "LayerNormalization": L.LayerNormalization(),
    "LeakyReLU": L.LeakyReLU(),
    "Masking": L.Masking(),
    "Maximum": _on_two(L.Maximum()),
    "MaxPooling1D": L.MaxPooling1D(2),
    "MelSpectrogram": lambda x: L.MelSpectrogram(fft_length=16, sequence_stride=8, num_mel_bins=4)(
        keras.ops.reshape(x, (-1, 48))
    ),
    "Minimum": _on_two(L.Minimum()),
    "MultiHeadAttention": lambda x: L.MultiHeadAttention(2, 4)(x, x),
    "Multiply": _on_two(L.Multiply()),
    "Normalization": L.Normalization(mean=0.1, variance=2.0),
    "PReLU": L.PReLU(shared_axes=[1]),
    "Permute": L.Permute((2, 1)),
    "RMSNormalization": L.RMSNormalization(),
    "RNN": L.RNN(L.GRUCell(4)),
    "ReLU": L.ReLU(),
    "RepeatVector": lambda x: L.RepeatVector(3)(keras.ops.mean(x, axis=1)),
    "Rescaling": L.Rescaling(0.5, 0.1),
    "Reshape": L.Reshape((8, 6)),
    "STFTSpectrogram": lambda x: L.STFTSpectrogram(frame_length=8, frame_step=4, fft_length=8)(
        keras.ops.reshape(x, (-1, 48, 1))
    ),
    "SeparableConv1D": L.SeparableConv1D(4, 3),
    "SimpleRNN": L.SimpleRNN(4),
    "SimpleRNNCell": lambda x: L.SimpleRNNCell(8)(x[:, 0], _states(x))[0],
    "Softmax": L.Softmax(),
    "SpatialDropout1D": L.SpatialDropout1D(0.1),
    "SpectralNormalization": L.SpectralNormalization(L.Dense(4)),
    "StackedRNNCells": L.RNN(L.StackedRNNCells([L.GRUCell(4), L.LSTMCell(4)])),
    "Subtract": _on_two(L.Subtract()),
    "TimeDistributed": L.TimeDistributed(L.Dense(4)),
    "UnitNormalization": L.UnitNormalization(),
    "UpSampling1D": L.UpSampling1D(2),
    "ZeroPadding1D": L.ZeroPadding1D(1),
}
"""Layers of a sequence, (batch, 6, 8)."""

OF_IMAGES: dict[str, Call] = {
    "AdaptiveAveragePooling2D": lambda x: L.AdaptiveAveragePooling2D(2)(x),
    "AdaptiveMaxPooling2D": lambda x: L.AdaptiveMaxPooling2D(2)(x),
    "AugMix": L.AugMix(),
    "AutoContrast": L.AutoContrast(),
    "AveragePooling2D": L.AveragePooling2D(2),
    "CenterCrop": L.CenterCrop(4, 4),
    "Conv2D": L.Conv2D(4, 3),
    "Conv2DTranspose": L.Conv2DTranspose(4, 3, strides=2),
    "Cropping2D": L.Cropping2D(1),
    "CutMix": L.CutMix(),
    "DepthwiseConv2D": L.DepthwiseConv2D(3),
    "GlobalAveragePooling2D": L.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": L.GlobalMaxPooling2D(),
    "MaxPooling2D": L.MaxPooling2D(2),
    "MixUp": L.MixUp(),
    "RandAugment": L.RandAugment(),
    "RandomBrightness": L.RandomBrightness(0.2),
    "RandomColorDegeneration": L.RandomColorDegeneration(0.2),
    "RandomColorJitter": L.RandomColorJitter(0.2),
    "RandomContrast": L.RandomContrast(0.2),
    "RandomCrop": L.RandomCrop(4, 4),
    "RandomElasticTransform": L.RandomElasticTransform(),
    "RandomErasing": L.RandomErasing(),
    "RandomFlip": L.RandomFlip(),
    "RandomGaussianBlur": L.RandomGaussianBlur(),
    "RandomGrayscale": L.RandomGrayscale(),
    "RandomHue": L.RandomHue(0.2),
    "RandomInvert": L.RandomInvert(0.2),
    "RandomPerspective": L.RandomPerspective(),
    "RandomPosterization": L.RandomPosterization(4),
    "RandomRotation": L.RandomRotation(0.2),
    "RandomSaturation": L.RandomSaturation(0.2),
    "RandomSharpness": L.RandomSharpness(0.2),
    "RandomShear": L.RandomShear(0.2),
    "RandomTranslation": L.RandomTranslation(0.2, 0.2),
    "RandomZoom": L.RandomZoom(0.2),
    "Resizing": L.Resizing(12, 12),
    "SeparableConv2D": L.SeparableConv2D(4, 3),
    "Solarization": L.Solarization(),
    "SpatialDropout2D": L.SpatialDropout2D(0.1),
    "UpSampling2D": L.UpSampling2D(2),
    "ZeroPadding2D": L.ZeroPadding2D(1),
}
"""Layers of an image, (batch, 6, 8, 3)."""

OF_FRAMES: dict[str, Call] = {
    "AdaptiveAveragePooling3D": lambda x: L.AdaptiveAveragePooling3D(2)(x),
    "AdaptiveMaxPooling3D": lambda x: L.AdaptiveMaxPooling3D(2)(x),
    "AveragePooling3D": L.AveragePooling3D(2),
    "Conv3D": L.Conv3D(4, 3),
    "Conv3DTranspose": L.Conv3DTranspose(4, 3),
    "ConvLSTM1D": lambda x: L.ConvLSTM1D(4, 3)(x[:, :, 0]),
    "ConvLSTM2D": L.ConvLSTM2D(4, 3),
    "ConvLSTM3D": lambda x: L.ConvLSTM3D(4, 3, padding="same")(keras.ops.expand_dims(x, 2)),
    "Cropping3D": L.Cropping3D(1),
    "GlobalAveragePooling3D": L.GlobalAveragePooling3D(),
    "GlobalMaxPooling3D": L.GlobalMaxPooling3D(),
    "MaxPooling3D": L.MaxPooling3D(2),
    "SpatialDropout3D": L.SpatialDropout3D(0.1),
    "UpSampling3D": L.UpSampling3D(2),
    "ZeroPadding3D": L.ZeroPadding3D(1),
}
"""Layers of frames, (batch, 4, 6, 8, 3)."""

OF_IDS: dict[str, Call] = {
    "CategoryEncoding": L.CategoryEncoding(8, output_mode="count"),
    "Discretization": lambda x: L.Embedding(4, 3)(L.Discretization([1.0, 2.0, 3.0])(x)),
    "Embedding": L.Embedding(9, 4),
    "HashedCrossing": lambda x: L.Embedding(4, 3)(L.HashedCrossing(4)((x[:, :1], x[:, 1:2]))),
    "Hashing": lambda x: L.Embedding(4, 3)(L.Hashing(4)(x)),
    "IntegerLookup": lambda x: L.Embedding(9, 3)(L.IntegerLookup(vocabulary=[1, 2, 3])(x)),
    "ReversibleEmbedding": L.ReversibleEmbedding(9, 4),
}
"""Layers of ids, (batch, 6)."""

_FOREIGN = "wraps what another framework computes, in its own code"
_TEXT = "takes text, which no NPU does; look its words up in front of the network"
_NOT_A_LAYER = "is no layer of its own"

NOT_CALLED: dict[str, str] = {
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), _FOREIGN),
    **dict.fromkeys(("StringLookup", "TextVectorization"), _TEXT),
    **dict.fromkeys(
        ("Input", "InputLayer", "InputSpec", "Layer", "Pipeline", "Wrapper"), _NOT_A_LAYER
    ),
    "ContrastLimitedAdaptiveHistogramEqualization": "changes whole images of training data",
    "Equalization": "works on whole images of training data; it cannot be called in a model",
    "MaxNumBoundingBoxes": "takes boxes of objects, not a sequence",
}
"""Names that no network calls, and why."""
