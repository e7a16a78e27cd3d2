"""Weights of a CuDNNGRU or CuDNNLSTM -> weights of a GRU or LSTM.

The formats differ by the layout of the kernels and by a bias for each of the two kernels; as
`_convert_rnn_weights` of Keras 2's `hdf5_format.py` has it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LAYERS = {"CuDNNGRU": "GRU", "CuDNNLSTM": "LSTM"}
_NAMES = ("kernel:0", "recurrent_kernel:0", "bias:0")


def converted(path: Path, folder: Path) -> Path:
    """A copy of an HDF5 file, in a folder, with the weights of CuDNN layers in Keras's format."""
    copy = folder / f"converted{path.suffix}"
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        groups: list[Any] = []
        file.visititems(lambda _, item: groups.append(item) if _is_cudnn(item) else None)
        for group in groups:
            weights = [np.array(group[name]) for name in _NAMES]
            for name, values in zip(_NAMES, _converted(*weights), strict=True):
                del group[name]
                group[name] = values
    return copy


def _is_cudnn(item: Any) -> bool:
    """Whether a group of a file holds the weights of such a layer, by the length of its bias."""
    if not isinstance(item, h5py.Group) or not all(name in item for name in _NAMES):
        return False
    _, recurrent, bias = (item[name].shape for name in _NAMES)
    return bool(bias == (2 * recurrent[1],))


def _converted(
    kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    units, columns = recurrent.shape
    gates = columns // units
    two = bias.reshape(2, columns)
    return (
        _each_gate(kernel, gates, lambda gate: gate.T.reshape(gate.shape, order="F")),
        _each_gate(recurrent, gates, lambda gate: gate.T),
        two if gates == 3 else two.sum(0),
    )


def _each_gate(
    kernel: np.ndarray, gates: int, convert: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    return np.hstack([convert(gate) for gate in np.hsplit(kernel, gates)])
