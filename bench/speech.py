"""Sound to calibrate and test with: Debian's espeak-ng, with silence around it and noise on it."""

import subprocess
import sys
from math import gcd
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

_SPOKEN = 22_050  # Hz, of espeak-ng
VOICES = {
    "en-us": "The quick brown fox jumps over the lazy dog near the river bank.",
    "en-gb": "She sells sea shells by the sea shore, and nobody minds.",
    "fr": "Bonjour, comment allez vous aujourd'hui? Il fait beau.",
    "de": "Guten Morgen, heute scheint die Sonne, morgen kommt Regen.",
    "es": "El perro corre por el parque y el gato duerme en la ventana.",
    "en-us+f3": "One two three four five six seven eight nine ten.",
    "en+m4": "Weather report: rain in the west, sunshine in the south.",
}


def downloaded(package: str, folder: Path) -> Path:
    """The wheel of a package, nothing of it installed."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", package]
    subprocess.run([*command, "-d", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def spoken(voice: str, speed: int, rate: int) -> np.ndarray:
    """A sentence, -1 to 1."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", VOICES[voice]]
    wave = subprocess.run(command, capture_output=True, check=True).stdout[44:]
    samples = np.frombuffer(wave, np.int16).astype(np.float32) / 32_768
    common = gcd(rate, _SPOKEN)
    return np.asarray(resample_poly(samples, rate // common, _SPOKEN // common), np.float32)


def recorded(minutes: float, seed: int, rate: int) -> np.ndarray:
    """Sentences with silence around them, in noise at 0 to 20 dB, (samples,)."""
    rng = np.random.default_rng(seed)
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < minutes * 60 * rate:
        speech = spoken(str(rng.choice(list(VOICES))), int(rng.integers(110, 230)), rate)
        speech *= rng.uniform(0.05, 0.9) / np.abs(speech).max()
        quiet = np.zeros(int(rng.uniform(0.3, 2.5) * rate), np.float32)
        piece = np.concatenate([quiet, speech, quiet])
        noise = rng.normal(size=len(piece))
        if rng.random() < 0.5:  # dull
            noise = np.convolve(noise, np.full(8, 8**-0.5), "same")
        loudness = np.sqrt((speech**2).mean()) * 10 ** (-rng.uniform(0, 20) / 20)
        pieces.append((piece + loudness * noise).astype(np.float32))
    return np.concatenate(pieces)[: int(minutes * 60 * rate)]
