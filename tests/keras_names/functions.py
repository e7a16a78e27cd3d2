"""Functions of `keras.ops`: how each is called in a network, or why none calls it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from versions import Known

from unspool.support._tensorflow import keras

K, IMAGE = Known(keras.ops), Known(keras.ops.image)
Call = Callable[[Any], Any]


def _names(text: str) -> list[str]:
    return text.split()


def _function(name: str) -> Callable[..., Any]:
    """A function by its name, which is looked up where it is called."""
    return lambda *args, **kwargs: getattr(K, name)(*args, **kwargs)


def _constant(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.1, 1, shape).astype(np.float32)


def _real(values: Any) -> Any:
    """Truth values or whole numbers, as a network gives them on."""
    return keras.tree.map_structure(lambda value: K.cast(value, "float32"), values)


OF_ONE = _names("""
    abs absolute angle arccos arcsin arcsinh arctan arctanh cbrt ceil celu conj conjugate
    copy cos cosh deg2rad elu erf erfc erfinv exp exp2 expm1 fabs fliplr floor gelu glu hard_shrink
    hard_sigmoid hard_silu hard_swish hard_tanh i0 imag leaky_relu log log10 log1p log2 log_sigmoid
    log_softmax nan_to_num negative rad2deg real reciprocal relu relu6 round rsqrt selu sigmoid sign
    silu sin sinc sinh soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax
    sqrt square squareplus stop_gradient swish tan tanh tanh_shrink trunc
""")
OVER_TIME = _names("""
    amax amin average cumprod cumsum diff flip logsumexp max mean median min nancumprod normalize
    nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar norm prod ptp sort
    std sum unstack var
""")
POSITIONS = _names("argmax argmin argsort nanargmax nanargmin")
OF_TWO = _names("""
    add arctan2 divide divide_no_nan floor_divide fmax fmin fmod hypot logaddexp logaddexp2 maximum
    minimum mod multiply nextafter subtract true_divide
""")
COMPARED = _names("equal greater greater_equal isclose less less_equal not_equal")
TESTED = _names("isfinite isinf isnan isneginf isposinf isreal signbit")
OF_WHOLE = _names("bitwise_invert bitwise_not")
OF_TWO_WHOLE = _names("""
    bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm left_shift
    right_shift
""")
OF_TRUTH = _names("logical_and logical_or logical_xor")
OF_SQUARE = _names("""
    cholesky cholesky_inverse det diagonal eigh inv logdet lu_factor pinv qr slogdet svd
    trace tril triu
""")
OF_SQUARE_CALLS: dict[str, Call] = {
    **{name: _function(name) for name in OF_SQUARE},
    "eig": lambda x: K.real(K.eig(x)[0]),
    "lstsq": lambda x: K.lstsq(x[0], _constant(6, 2)),
    "matrix_rank": lambda x: _real(K.matrix_rank(x)),
    "solve": lambda x: K.solve(x, _constant(6, 2)),
    "solve_triangular": lambda x: K.solve_triangular(x, _constant(6, 2)),
}
"""Functions of square matrices, (batch, 6, 6)."""

_CORNERS = np.array([[[0, 0], [7, 0], [0, 5], [7, 5]]], np.float32)

OF_IMAGE_CALLS: dict[str, Call] = {
    "adaptive_average_pool": lambda x: K.adaptive_average_pool(x, (2, 2)),
    "adaptive_max_pool": lambda x: K.adaptive_max_pool(x, (2, 2)),
    "image.affine_transform": lambda x: IMAGE.affine_transform(
        x, np.array([[1, 0, 1, 0, 1, 0, 0, 0]], np.float32)
    ),
    "image.crop_images": lambda x: IMAGE.crop_images(x, 1, 2, target_height=4, target_width=5),
    "image.extract_patches": lambda x: IMAGE.extract_patches(x, (2, 2)),
    "image.extract_patches_3d": lambda x: IMAGE.extract_patches_3d(K.expand_dims(x, 1), (1, 2, 2)),
    "image.gaussian_blur": lambda x: IMAGE.gaussian_blur(x, (3, 3), (1.0, 1.0)),
    "image.hsv_to_rgb": lambda x: IMAGE.hsv_to_rgb(x[..., :3]),
    "image.map_coordinates": lambda x: IMAGE.map_coordinates(x[0, :, :, 0], _constant(2, 3, 4), 1),
    "image.pad_images": lambda x: IMAGE.pad_images(x, 1, 2, target_height=8, target_width=12),
    "image.perspective_transform": lambda x: IMAGE.perspective_transform(
        x, _CORNERS, _CORNERS + np.array([0.5, 1.0], np.float32)
    ),
    "image.resize": lambda x: IMAGE.resize(x, (9, 16)),
    "image.rgb_to_grayscale": lambda x: IMAGE.rgb_to_grayscale(x[..., :3]),
    "image.rgb_to_hsv": lambda x: IMAGE.rgb_to_hsv(x[..., :3]),
    "image.scale_and_translate": lambda x: IMAGE.scale_and_translate(
        x, (1, 12, 12, 4), np.array([2.0, 1.5]), np.array([0.0, 1.0]), (1, 2), "linear"
    ),
    "image.sobel_edges": lambda x: IMAGE.sobel_edges(x),
    "depth_to_space": lambda x: K.depth_to_space(x, 2),
    "fold": lambda x: K.fold(K.transpose(K.reshape(x, (-1, 48, 4)), (0, 2, 1)), (7, 9), 2),
    "rot90": lambda x: K.rot90(x, axes=(1, 2)),
    "space_to_depth": lambda x: K.space_to_depth(x, 2),
    "unfold": lambda x: K.unfold(K.transpose(x, (0, 3, 1, 2)), 2),
}
"""Functions of images, (batch, 6, 8, 4)."""


def _each(names: list[str], called: Callable[[Callable[..., Any]], Call]) -> dict[str, Call]:
    return {name: called(_function(name)) for name in names}


CALLS: dict[str, Call] = {
    **_each(OF_ONE, lambda f: f),
    **_each(OVER_TIME, lambda f: lambda x: f(x, axis=1)),
    **_each(POSITIONS, lambda f: lambda x: _real(f(x, axis=1))),
    **_each(OF_TWO, lambda f: lambda x: f(x, 1.5 + 0.5 * x)),
    **_each(COMPARED, lambda f: lambda x: _real(f(x, 0.5))),
    **_each(TESTED, lambda f: lambda x: _real(f(x))),
    **_each(OF_WHOLE, lambda f: lambda x: _real(f(K.cast(x, "int32")))),
    **_each(OF_TWO_WHOLE, lambda f: lambda x: _real(f(*[K.cast(x, "int32")] * 2))),
    **_each(OF_TRUTH, lambda f: lambda x: _real(f(x > 0.5, x > 0.2))),
    "all": lambda x: _real(K.all(x > 0.5, axis=1)),
    "any": lambda x: _real(K.any(x > 0.5, axis=1)),
    "append": lambda x: K.append(x, 2.0 * x, axis=1),
    "arccosh": lambda x: K.arccosh(1.1 + K.abs(x)),
    "argpartition": lambda x: _real(K.argpartition(x, 2)),
    "array_split": lambda x: K.array_split(x, 2, axis=1),
    "average_pool": lambda x: K.average_pool(x, 2),
    "batch_normalization": lambda x: K.batch_normalization(
        x, _constant(8), _constant(8), axis=-1, offset=_constant(8), scale=_constant(8)
    ),
    "bincount": lambda x: _real(K.bincount(K.cast(x[:, :, 0], "int32"), minlength=4)),
    "broadcast_to": lambda x: K.broadcast_to(x[:, :1], (1, 6, 8)),
    "cast": lambda x: K.cast(x, "float32"),
    "cdist": lambda x: K.cdist(x, 2.0 * x),
    "clip": lambda x: K.clip(x, 0.2, 0.6),
    "concatenate": lambda x: K.concatenate([x, 2.0 * x], axis=1),
    "conv": lambda x: K.conv(x, _constant(3, 8, 4)),
    "conv_transpose": lambda x: K.conv_transpose(x, _constant(3, 4, 8), strides=2),
    "corrcoef": lambda x: K.corrcoef(x[0]),
    "correlate": lambda x: K.correlate(x[0, :, 0], x[0, :, 1], mode="same"),
    "count_nonzero": lambda x: _real(K.count_nonzero(x, axis=1)),
    "cross": lambda x: K.cross(x[:, :, :3], x[:, :, 3:6]),
    "depthwise_conv": lambda x: K.depthwise_conv(x, _constant(3, 8, 1)),
    "diag": lambda x: K.diag(x[0]),
    "diagflat": lambda x: K.diagflat(x[0]),
    "digitize": lambda x: _real(K.digitize(x, np.array([0.2, 0.5, 0.7]))),
    "dot": lambda x: K.dot(x, _constant(8, 3)),
    "dot_product_attention": lambda x: K.dot_product_attention(*[K.expand_dims(x, 2)] * 3),
    "dsplit": lambda x: K.dsplit(x, 2),
    "dstack": lambda x: K.dstack([x, 2.0 * x]),
    "einsum": lambda x: K.einsum("btf,bsf->bts", x, 2.0 * x),
    "expand_dims": lambda x: K.expand_dims(x, 1),
    "extract_sequences": lambda x: K.extract_sequences(x[:, :, 0], 3, 1),
    "fft": lambda x: K.fft((x, 0.0 * x)),
    "fft2": lambda x: K.fft2((x, 0.0 * x)),
    "flipud": lambda x: K.flipud(K.transpose(x, (1, 0, 2))),
    "full_like": lambda x: x + K.full_like(x, 2.0),
    "get_item": lambda x: x[:, -1],
    "heaviside": lambda x: K.heaviside(x, 2.0 * x),
    "histogram": lambda x: _real(K.histogram(x)[0]),
    "hsplit": lambda x: K.hsplit(x, 2),
    "hstack": lambda x: K.hstack([x, 2.0 * x]),
    "ifft2": lambda x: K.ifft2((x, 0.0 * x)),
    "in_top_k": lambda x: _real(K.in_top_k(np.zeros(6, "int32"), x[0], 2)),
    "inner": lambda x: K.inner(x, _constant(3, 8)),
    "irfft": lambda x: K.irfft((x, 0.0 * x)),
    "isin": lambda x: _real(K.isin(x, _constant(3))),
    "istft": lambda x: K.istft((x, 0.0 * x), 8, 4, 14),
    "kron": lambda x: K.kron(x[0], _constant(2, 2)),
    "layer_normalization": lambda x: K.layer_normalization(x, _constant(8), _constant(8)),
    "ldexp": lambda x: K.ldexp(x, 2),
    "logical_not": lambda x: _real(K.logical_not(x > 0.5)),
    "matmul": lambda x: K.matmul(x, K.transpose(x, (0, 2, 1))),
    "max_pool": lambda x: K.max_pool(x, 2),
    "meshgrid": lambda x: K.meshgrid(x[0, :, 0], x[0, 0]),
    "moveaxis": lambda x: K.moveaxis(x, 1, 2),
    "multi_hot": lambda x: _real(K.multi_hot(K.cast(x[:, :, 0], "int32"), 4)),
    "nanpercentile": lambda x: K.nanpercentile(x, 50, axis=1),
    "nanquantile": lambda x: K.nanquantile(x, 0.5, axis=1),
    "nonzero": lambda x: _real(K.nonzero(x)),
    "one_hot": lambda x: K.one_hot(K.argmax(x, axis=-1), 8),
    "ones_like": lambda x: x + K.ones_like(x),
    "outer": lambda x: K.outer(x[0, :, 0], x[0, 0]),
    "pad": lambda x: K.pad(x, ((0, 0), (2, 0), (0, 0))),
    "percentile": lambda x: K.percentile(x, 50, axis=1),
    "polar": lambda x: K.real(K.polar(x, x)),
    "power": lambda x: K.power(x, 1.5),
    "quantile": lambda x: K.quantile(x, 0.5, axis=1),
    "ravel": lambda x: K.ravel(x),
    "rearrange": lambda x: K.rearrange(x, "b t f -> b f t"),
    "repeat": lambda x: K.repeat(x, 2, axis=1),
    "reshape": lambda x: K.reshape(x, (-1, 48)),
    "rfft": lambda x: K.rfft(x)[0],
    "rms_normalization": lambda x: K.rms_normalization(x, _constant(8)),
    "roll": lambda x: K.roll(x, 1, axis=1),
    "saturate_cast": lambda x: K.saturate_cast(x, "float32"),
    "scatter": lambda x: K.scatter(np.array([[1], [3]]), x[0, :2], (6, 8)),
    "scatter_update": lambda x: K.scatter_update(x, np.array([[0, 1]]), x[:, 2]),
    "searchsorted": lambda x: _real(K.searchsorted(_constant(4), x[0, :, 0])),
    "select": lambda x: K.select([x > 0.5, x > 0.2], [x, 2.0 * x]),
    "separable_conv": lambda x: K.separable_conv(x, _constant(3, 8, 1), _constant(1, 8, 4)),
    "slice": lambda x: K.slice(x, (0, 1, 2), (1, 3, 4)),
    "slice_update": lambda x: K.slice_update(x, (0, 1, 0), x[:, :1]),
    "split": lambda x: K.split(x, 2, axis=1),
    "stack": lambda x: K.stack([x, 2.0 * x], axis=2),
    "stft": lambda x: K.stft(x, 4, 2, 4)[0],
    "moments": lambda x: K.moments(x, axes=1),
    "squeeze": lambda x: K.squeeze(x[:, :1], axis=1),
    "swapaxes": lambda x: K.swapaxes(x, 1, 2),
    "take": lambda x: K.take(x, np.array([0, 3, 5]), axis=1),
    "take_along_axis": lambda x: K.take_along_axis(x, np.zeros((1, 1, 8), "int32"), axis=1),
    "tensordot": lambda x: K.tensordot(x, _constant(8, 3), axes=1),
    "threshold": lambda x: K.threshold(x, 0.5, 0.0),
    "tile": lambda x: K.tile(x, (1, 2, 1)),
    "top_k": lambda x: K.top_k(x, 3)[0],
    "transpose": lambda x: K.transpose(x, (0, 2, 1)),
    "trapezoid": lambda x: K.trapezoid(x, axis=1),
    "unravel_index": lambda x: _real(K.unravel_index(K.argmax(x[:, :, 0], axis=1), (2, 3))),
    "vander": lambda x: K.vander(x[0, 0], 3),
    "vdot": lambda x: K.vdot(x[0, 0], x[0, 1]),
    "view": lambda x: _real(K.view(x, "int32")),
    "view_as_real": lambda x: K.view_as_real(K.view_as_complex(x[:, :, :2])),
    "vsplit": lambda x: K.vsplit(K.transpose(x, (1, 0, 2)), 2),
    "vstack": lambda x: K.vstack([x, 2.0 * x]),
    "where": lambda x: K.where(x > 0.5, x, 0.1 * x),
    "zeros_like": lambda x: x + K.zeros_like(x),
}
"""Functions of a sequence, (batch, 6, 8)."""

_MAKES = "makes a constant; write it as one"
_TRAINS = "a loss or a metric: training's, not the network's"
_FLOWS = "runs Python code, for as many rounds as it likes: unroll it in the model"
_LOOKS = "tells of a tensor, and computes nothing"
_COMPLEX = "gives complex numbers, which no operator of TFLM takes"
_OPEN = "the size of what it gives depends on the values; no network of fixed shapes has it"
_RAGGED = "adds up rows by ids that the network would compute; no operator of TFLM's does"

NOT_CALLED: dict[str, str] = {
    **dict.fromkeys(
        _names("""
            arange array bartlett blackman convert_to_tensor empty empty_like eye full geomspace
            hamming hanning identity kaiser linspace logspace ones tri zeros
        """),
        _MAKES,
    ),
    **dict.fromkeys(
        _names("""
            image.ssim binary_crossentropy categorical_crossentropy ctc_decode ctc_loss psnr
            sparse_categorical_crossentropy
        """),
        _TRAINS,
    ),
    **dict.fromkeys(
        _names("""
            associative_scan cond custom_gradient fori_loop jvp map scan switch vectorize
            vectorized_map while_loop
        """),
        _FLOWS,
    ),
    **dict.fromkeys(_names("allclose convert_to_numpy dtype is_tensor ndim shape size"), _LOOKS),
    **dict.fromkeys(_names("view_as_complex"), _COMPLEX),
    "image.elastic_transform": "changes images of training data at random",
    **dict.fromkeys(_names("unique"), _OPEN),
    **dict.fromkeys(_names("segment_max segment_min segment_prod segment_sum"), _RAGGED),
}
"""Functions that are no part of a network, and why."""
