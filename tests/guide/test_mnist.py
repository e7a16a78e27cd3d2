"""MNIST is whole: its well-known counts and statistics."""

import numpy as np

from unspool.guide import mnist


def test_mnist_is_complete() -> None:
    data = mnist.load()
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.train_labels).tolist() == train
    assert np.bincount(data.test_labels).tolist() == test
    pixels, counts = np.arange(256) / 255, np.bincount(data.train_images.ravel(), minlength=256)
    mean = np.average(pixels, weights=counts)
    deviation = np.sqrt(np.average((pixels - mean) ** 2, weights=counts))
    assert round(mean, 4) == 0.1307 and round(deviation, 4) == 0.3081


def test_pixels_become_numbers_from_0_to_1() -> None:
    rows = mnist.normalised(mnist.load().test_images[:10])
    assert rows.dtype == np.float32
    assert (rows.min(), rows.max()) == (0.0, 1.0)
