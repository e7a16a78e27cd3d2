"""Sounds for the examples, made on the spot: speech of Debian's espeak-ng, noise, and spectra."""

import shutil
import subprocess

import numpy as np

import unspool

RATE = 16_000  # Hz
SPOKEN = 22_050  # Hz, of espeak-ng


def check_speaker() -> None:
    """Check that espeak-ng is there.

    Raises:
        UnspoolError: it is not.
    """
    if shutil.which("espeak-ng") is None:
        raise unspool.UnspoolError("espeak-ng, which speaks, is not installed: apt install it")


def speak(text: str, voice: str, speed: int, pitch: int = 50) -> np.ndarray:
    """What a voice makes of a text at so many words a minute, -1 to 1, (samples,)."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    wave = subprocess.run(command, capture_output=True, check=True).stdout[44:]
    samples = np.frombuffer(wave, np.int16).astype(np.float32) / 32_768
    places = np.arange(0, len(samples) - 1, SPOKEN / RATE)
    said: np.ndarray = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return said


def trimmed(sound: np.ndarray) -> np.ndarray:
    """A sound without the silence before and behind it."""
    (loud,) = np.nonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise from white to brown, some with a hum, that swells and fades; RMS 1, (samples,)."""
    frequencies = np.fft.rfftfreq(samples, 1 / RATE)
    spectrum = np.fft.rfft(rng.normal(size=samples))
    spectrum /= np.maximum(frequencies, 40.0) ** rng.uniform(0, 1)  # amplitude, not power
    sound = np.fft.irfft(spectrum, samples)
    sound /= np.sqrt((sound**2).mean())
    times = np.arange(samples) / RATE
    if rng.random() < 0.3:
        pitch = rng.uniform(50, 200)
        sound += sum(np.sin(2 * np.pi * pitch * k * times) / k for k in range(1, 8))
    sound *= 1 + rng.uniform(0, 0.8) * np.sin(
        2 * np.pi * (rng.uniform(0.1, 2) * times + rng.random())
    )
    made: np.ndarray = (sound / np.sqrt((sound**2).mean())).astype(np.float32)
    return made


def noisy(sound: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """A sound with noise on it, so many decibels below what is not silence."""
    loudness = np.sqrt((sound[sound != 0] ** 2).mean()) if sound.any() else 0.05
    return sound + loudness * 10 ** (-decibels / 20) * noise(len(sound), rng)


def spectra(sound: np.ndarray, window: np.ndarray, hop: int, size: int) -> np.ndarray:
    """Spectra of windows that end with each `hop` samples, with zeros before the first.

    Args:
        sound: (samples,).
        window: factors, (length,).
        hop: samples from one window to the next.
        size: of the transform, at least the window's length.

    Returns:
        (frames, size // 2 + 1), complex.
    """
    padded = np.concatenate([np.zeros(len(window) - hop), sound])
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[::hop]
    return np.fft.rfft(frames * window, size)


def mel_filters(bands: int, bins: int, lowest: float = 60.0, highest: float = 7600.0) -> np.ndarray:
    """Triangles that are equally wide in mel and meet in their centres, (bands, bins).

    Args:
        bands: how many.
        bins: of a spectrum, from 0 Hz to half the rate.
        lowest: where the first triangle begins, Hz.
        highest: where the last one ends.
    """
    low, high = _mel(lowest), _mel(highest)
    place = (_mel(np.linspace(0, RATE / 2, bins)) - low) / (high - low) * (bands + 1)
    filters: np.ndarray = np.maximum(0, 1 - np.abs(place - np.arange(1, bands + 1)[:, None]))
    return filters


def _mel(hertz: np.ndarray | float) -> np.ndarray:
    return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700))
