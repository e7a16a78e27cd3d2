"""The log-mel front end in C, of examples/log_mel, beside the one in numpy."""

import ctypes as c
from pathlib import Path

import in_qemu
import numpy as np
import pytest
from in_c import address, build
from keyword_spotter import BANDS, HOP, log_mel

FOLDER = Path(__file__).parents[1] / "examples" / "log_mel"
SOURCES = {name: (FOLDER / name).read_text() for name in ("log_mel.h", "log_mel.c")}
FRAMES = 40
CLOSE = 2e-4  # of a logarithm; a level of the network's input is some 0.06


def sound(kind: str) -> np.ndarray:
    """Some frames of 16-bit samples."""
    times = np.arange(FRAMES * HOP)
    rng = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {
        "noise": rng.normal(0, 3000, len(times)),
        "chirp": 20_000 * np.sin(1e-4 * times**2),
        "clipped": 32_767 * np.sign(np.sin(0.1 * times)),
        "silence": np.zeros(len(times)),
        "nearly silence": rng.integers(-1, 2, len(times)),
    }
    return made[kind].astype(np.int16)


KINDS = ("noise", "chirp", "clipped", "silence", "nearly silence")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> c.CDLL:
    return build(SOURCES, tmp_path_factory.mktemp("log_mel"))


def in_c(library: c.CDLL, samples: np.ndarray) -> np.ndarray:
    """Bands of each frame, (frames, 40)."""
    state, bands = np.zeros(16_384, np.uint8), np.zeros((FRAMES, BANDS), np.float32)
    library.log_mel_init(address(state))
    for number, frame in enumerate(samples.reshape(-1, HOP)):
        library.log_mel_frame(address(state), address(frame), address(bands[number]))
    return bands


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_what_numpy_gives(library: c.CDLL, kind: str) -> None:
    samples = sound(kind)
    np.testing.assert_allclose(in_c(library, samples), log_mel(samples / 32_768), atol=CLOSE)


def test_a_tone_is_loudest_in_the_band_of_its_pitch(library: c.CDLL) -> None:
    """1,000 Hz are 1,000 mel; bands are (2,787 - 93) / 41 = 65.7 mel apart, from 93: the 14th."""
    tone = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(FRAMES * HOP) / 16_000)
    assert (in_c(library, tone.astype(np.int16))[5:].argmax(axis=1) == 14 - 1).all()


def test_init_forgets_the_sound_before(library: c.CDLL) -> None:
    first = in_c(library, sound("noise"))
    in_c(library, sound("clipped"))
    np.testing.assert_array_equal(in_c(library, sound("noise")), first)


def test_it_runs_on_a_cortex_m55(tmp_path: Path) -> None:
    """As real target code, in QEMU, without a warning of its compiler."""
    samples = sound("chirp")
    wanted = in_qemu.array("wanted", log_mel(samples / 32_768), "float")
    text = in_qemu.array("samples", samples, "int16_t") + wanted
    program = PROGRAM.replace("ARRAYS", text).replace("FRAMES", str(FRAMES))
    for name, content in {**SOURCES, "main.c": in_qemu.START + program}.items():
        (tmp_path / name).write_text(content)
    in_qemu.compile_(["main.c", "log_mel.c"], tmp_path, "-lm")
    ended = in_qemu.run("it.elf", at=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 1e6 * CLOSE


PROGRAM = """
#include "log_mel.h"
#include <math.h>
#include <stdio.h>

ARRAYS
static log_mel state;

int main(void) {
    float bands[LOG_MEL_BANDS], largest = 0;
    int frame, band;

    log_mel_init(&state);
    for (frame = 0; frame < FRAMES; frame++) {
        log_mel_frame(&state, samples + frame * LOG_MEL_HOP, bands);
        for (band = 0; band < LOG_MEL_BANDS; band++)
            largest = fmaxf(largest, fabsf(bands[band] - wanted[frame * LOG_MEL_BANDS + band]));
    }
    printf("%d", (int)(1e6f * largest)); /* a float would need a heap */
    return 0;
}
"""
"""Prints the largest difference of any band from what is wanted, in millionths."""
