"""Say where somebody speaks: Silero's voice detector on an Ethos-U55, one frame of sound a call.

    pip install 'unspool[onnx]'
    pip install --no-deps silero-vad     # or pip download, and --package silero_vad-....whl
    python examples/silero_vad.py        # a few minutes; --quick: one

The detector (package `silero-vad`, MIT) is called once for every 32 ms of sound. The short-time
Fourier transform in front of it stays in float, for the device's CPU; from the magnitude spectrum
to the probability everything runs on the NPU in int16, with the LSTM's states as inputs and
outputs. Speech is made by Debian's `espeak-ng`, with noise at 20 to 0 dB.
"""

import argparse
import sys
import tempfile
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import matplotlib.pyplot as plt
import numpy as np
import onnx
import onnxruntime
from sounds import RATE, check_speaker, speak

import unspool
from unspool import deployment
from unspool.support import files

NAME = "silero_vad/data/silero_vad_openvino_16k.onnx"
SPECTRUM = "F0::If_0_then_branch__Inline_0__/stft/Sqrt_output_0"
FRAME, CONTEXT = 512, 64  # samples of a frame, and of the one before it
STEPS = 60 * RATE // FRAME  # frames of a minute, a calibration sequence
SENTENCES = {
    "en-us": "Turn the light on in the kitchen, please.",
    "en+f3": "There is a train to the coast at a quarter past nine.",
    "de": "Kannst du mir bitte das Salz geben?",
    "fr": "Il y a du vent ce matin, mais il ne pleut pas.",
    "es": "La tienda de la esquina abre a las ocho.",
}


@dataclass(frozen=True)
class Heard:
    """A sound, what the detector takes of it, (frames, 129, 4), and what it says, (frames,)."""

    sound: np.ndarray
    spectra: np.ndarray
    probabilities: np.ndarray


def model_file(package: Path | None, folder: Path) -> Path:
    """The detector's file: out of a wheel, or of the package that is installed."""
    if package is not None:
        with ZipFile(package) as archive:
            return Path(archive.extract(NAME, folder))
    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise unspool.UnspoolError(
            "silero-vad is not installed: pip download --no-deps silero-vad, and give the wheel "
            "as --package"
        )
    return Path(spec.origin).parents[1] / NAME


def speech(minutes: float, seed: int) -> np.ndarray:
    """Sentences with pauses between them, in noise at 20 to 0 dB, (samples,)."""
    rng = np.random.default_rng(seed)
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < minutes * 60 * RATE:
        voice = str(rng.choice(list(SENTENCES)))
        said = speak(SENTENCES[voice], voice, int(rng.integers(110, 230)))
        said *= rng.uniform(0.05, 0.9) / np.abs(said).max()
        pause = np.zeros(int(rng.uniform(0.3, 2.5) * RATE), np.float32)
        loudness = np.sqrt((said**2).mean()) * 10 ** (-rng.uniform(0, 20) / 20)
        piece = np.concatenate([pause, said, pause])
        pieces.append(piece + loudness * rng.normal(size=len(piece)).astype(np.float32))
    return np.concatenate(pieces)[: int(minutes * 60 * RATE)]


def hear(path: Path, sound: np.ndarray) -> Heard:
    """Run the detector in float, frame after frame, with its states carried."""
    model = onnx.load(str(path))
    model.graph.output.append(onnx.helper.make_tensor_value_info(SPECTRUM, 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(CONTEXT, np.float32)
    spectra, probabilities = [], []
    for frame in sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME):
        given = {"input": np.concatenate([context, frame])[None], "state": state}
        probability, state, spectrum = session.run(None, given)
        context = frame[-CONTEXT:]
        spectra.append(spectrum[0])
        probabilities.append(probability[0, 0])
    return Heard(sound, np.stack(spectra), np.array(probabilities))


def deploy(path: Path, heard: Heard) -> unspool.Deployment:
    """Take the detector from its spectrum on to the NPU, one frame a call."""
    count = len(heard.spectra) // STEPS
    sequences = heard.spectra[: count * STEPS].reshape(count, STEPS, *heard.spectra.shape[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unspool.UnspoolWarning)  # of what lies before the spectrum
        model = unspool.load(path, from_tensor=SPECTRUM)
        # `refine`: many frames in a row add up what rounding does to the LSTM's states.
        options = unspool.Options(activations="int16", refine=True, remedy_seconds=0)
        return unspool.deploy_stream(model, sequences, options=options)


def stream(binary: unspool.Session, heard: Heard) -> np.ndarray:
    """Probabilities of the binary, one frame a call, as the device runs it, (frames,)."""
    return np.array([binary.step(spectrum[None])[0].item() for spectrum in heard.spectra])


def draw(heard: Heard, probabilities: np.ndarray, path: Path) -> None:
    """The first minute: what was heard, and what float and int16 say of it."""
    frames = min(STEPS, len(probabilities))
    sound = heard.sound[: frames * FRAME]
    times = np.arange(frames) * FRAME / RATE
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(12, 5), layout="constrained")
    above.plot(np.arange(len(sound)) / RATE, sound, color="0.4", linewidth=0.3)
    above.set_ylabel("sound")
    below.plot(times, heard.probabilities[:frames], label="float, onnxruntime", linewidth=2.5)
    below.plot(times, probabilities[:frames], label="int16, the binary simulated", linewidth=1)
    below.axhline(0.5, color="0.7", linestyle=":")
    below.set(xlabel="s", ylabel="probability of speech", xlim=(0, frames * FRAME / RATE))
    below.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def tell(done: unspool.Deployment, heard: Heard, probabilities: np.ndarray) -> None:
    """Print what was measured."""
    compiled, errors = done.compiled, np.abs(probabilities - heard.probabilities)
    same = (probabilities > 0.5) == (heard.probabilities > 0.5)
    tflm = unspool.Session(done.quantized_tflite, "tflm").run(heard.spectra)[0].ravel()
    print(
        f"{len(probabilities):,} frames, "
        f"{len(probabilities) * FRAME / RATE / 60:.1f} minutes, never reset:"
    )
    print(f"  the same bytes as TFLM (simulated): {(probabilities == tflm).sum():,} frames")
    print(f"  decided as in float, at 0.5 (simulated): {100 * same.mean():.2f} %")
    print(f"  error of the probability: mean {errors.mean():.4f}, largest {errors.max():.3f}")
    print(f"operators on the NPU / CPU: {compiled.npu_operators} / {len(compiled.cpu_operators)}")
    print(f"cycles of a second of sound (Vela's estimate): {compiled.cycles * RATE / FRAME:,.0f}")
    print(f"flash, the whole file: {len(compiled.tflite) / 1024:.1f} KiB")
    print(f"SRAM (Vela's estimate): {compiled.sram_kib:.1f} KiB")


def main() -> None:
    """Deploy the detector, stream speech through the binary, and draw a minute of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, help="the wheel of silero-vad")
    parser.add_argument("--out", type=Path, default=Path("silero-out"), help="folder for results")
    parser.add_argument("--quick", action="store_true", help="one minute of speech, not ten")
    options = parser.parse_args()
    check_speaker()
    files.output_folder(options.out)
    with tempfile.TemporaryDirectory() as folder:
        path = model_file(options.package, Path(folder))
        done = deploy(path, hear(path, speech(1.1 if options.quick else 5, seed=2)))
        heard = hear(path, speech(1 if options.quick else 10, seed=1))
    deployment.save(done, options.out)
    probabilities = stream(unspool.Session(done.compiled.tflite, "npu"), heard)
    tell(done, heard, probabilities)
    draw(heard, probabilities, options.out / "speech.png")
    print(f"written to {options.out}: the models, and a minute of it as speech.png")


if __name__ == "__main__":
    try:
        main()
    except unspool.UnspoolError as error:
        print(f"silero_vad: error: {error}", file=sys.stderr)
        sys.exit(2)
