"""All of MNIST: 60,000 training and 10,000 test images of handwritten digits."""

import tarfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np

_HEADER = {"images": 16, "labels": 8}  # bytes before the values in an idx file


@dataclass(frozen=True)
class Mnist:
    """Images as rows of pixels, uint8 (images, 28, 28), and digits 0 to 9, uint8 (images,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@cache
def load() -> Mnist:
    """Unpack MNIST from the package; takes about a second, no network."""
    with (
        as_file(files("unspool.guide") / "mnist.tar.xz") as path,
        tarfile.open(path, "r:xz") as archive,
    ):
        content = {member.name: _content(archive, member) for member in archive}
    return Mnist(
        train_images=_values(content["train-images-idx3-ubyte"], "images").reshape(-1, 28, 28),
        train_labels=_values(content["train-labels-idx1-ubyte"], "labels"),
        test_images=_values(content["t10k-images-idx3-ubyte"], "images").reshape(-1, 28, 28),
        test_labels=_values(content["t10k-labels-idx1-ubyte"], "labels"),
    )


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None  # every entry is a file
    return file.read()


def _values(idx: bytes, kind: str) -> np.ndarray:
    return np.frombuffer(idx, np.uint8, offset=_HEADER[kind])


def normalised(images: np.ndarray) -> np.ndarray:
    """Pixels 0..255 to float32 in [0, 1], as the guide feeds them: one row per time step."""
    return images.astype(np.float32) / 255
