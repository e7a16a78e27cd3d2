"""Weight streams, against Vela's encoder and its own decoder."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from ethosu import mlw_codec

from unspool.errors import UnspoolError
from unspool.npu import codec
from unspool.npu.weights import Traversal, read_scales, read_weights

WEIGHTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "uniform": lambda rng, n: rng.integers(-255, 256, n),
    "few values": lambda rng, n: rng.choice([-3, 0, 5, 7], n),
    "zeros": lambda rng, n: np.zeros(n, int),
    "narrow": lambda rng, n: np.round(rng.normal(0, 6, n)).astype(int),
    "wide": lambda rng, n: np.clip(np.round(rng.normal(0, 60, n)), -255, 255).astype(int),
    "sparse": lambda rng, n: rng.integers(-255, 256, n) * (rng.random(n) < 0.1),
    "two kinds": lambda rng, n: np.concatenate(
        [rng.choice([-100, 3, 7], n), np.zeros(n, int), rng.integers(-255, 256, n)]
    ),
}


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("count", [1, 5, 16, 64, 300, 2000, 40000])
def test_the_codec_inverts_velas_encoder(kind: str, count: int) -> None:
    weights = WEIGHTS[kind](np.random.default_rng(count), count)
    stream = bytes(mlw_codec.encode([int(w) for w in weights]))
    decoded = codec.decode(stream)
    np.testing.assert_array_equal(decoded[: len(weights)], weights)
    np.testing.assert_array_equal(decoded, mlw_codec.decode(bytearray(stream)))


@pytest.mark.parametrize("count", [300, 5000])
def test_a_truncated_stream(count: int) -> None:
    weights = WEIGHTS["wide"](np.random.default_rng(0), count)
    stream = bytes(mlw_codec.encode([int(w) for w in weights]))
    with pytest.raises(UnspoolError, match="ends early"):
        codec.decode(stream[: len(stream) // 2])


def test_any_bytes_decode_or_are_refused() -> None:
    """Vela's decoder ends the process on most of these."""
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(1500):
        data = rng.bytes(int(rng.integers(0, 80)))
        try:
            codec.decode(data)
            outcomes.add("decoded")
        except UnspoolError as error:
            assert "weight stream" in str(error)
            outcomes.add("refused")
    assert outcomes == {"decoded", "refused"}


@pytest.mark.parametrize("seed", range(60))
def test_the_order_inverts_velas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    depthwise = rng.random() < 0.3
    traversal = Traversal(
        shape=(
            int(rng.integers(1, 70)),
            int(rng.integers(1, 12)),
            int(rng.integers(1, 12)),
            1 if depthwise else int(rng.integers(1, 70)),
        ),
        block_depth=int(rng.choice([8, 16, 32, 64])),
        ofm_ublock=int(rng.choice([4, 8])),
        depthwise=depthwise,
        part_kernel=not depthwise and bool(rng.integers(2)),
        bits=int(rng.choice([8, 16])),
        dilation=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
    )
    weights = rng.integers(-128, 128, traversal.shape).astype(np.int16)
    encoded, _ = mlw_codec.reorder_encode(
        8,  # IFM ublock depth
        traversal.ofm_ublock,
        weights,
        traversal.block_depth,
        traversal.depthwise,
        traversal.part_kernel,
        traversal.bits,
        8 // traversal.dilation[0],
        8 // traversal.dilation[1],
    )
    np.testing.assert_array_equal(read_weights([bytes(encoded)], traversal), weights)


def test_too_few_weights() -> None:
    stream = bytes(mlw_codec.encode([1] * 64))
    traversal = Traversal((8, 3, 3, 16), 8, 8, False, False, 8, (1, 1))
    with pytest.raises(UnspoolError, match=r"hold 64 weights, expected 1152"):  # 8 * 3 * 3 * 16
        read_weights([stream], traversal)


def test_scale_records() -> None:
    def record(bias: int, scale: int, shift: int) -> bytes:
        return (bias & (1 << 40) - 1).to_bytes(5, "little") + struct.pack("<IB", scale, shift)

    first = record(-1, 0x80000001, 31) + record(1 << 38, 5, 63)
    second = record(-(1 << 39), 7, 0xC0 | 33)  # the two upper bits are not part of the shift
    scales = read_scales([first, second], 3)
    assert scales.bias.tolist() == [-1, -(1 << 39), 1 << 38]
    assert scales.scale.tolist() == [0x80000001, 7, 5]
    assert scales.shift.tolist() == [31, 33, 63]
    with pytest.raises(UnspoolError, match="20 bytes of scales for 3 output channels, expected 30"):
        read_scales([first], 3)
