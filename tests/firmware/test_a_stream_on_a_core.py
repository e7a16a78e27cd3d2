"""The keyword spotter's firmware as real target code, from sound to its states in each call."""

from pathlib import Path

import in_qemu
import keyword_spotter
import numpy as np
import test_log_mel
from keyword_spotter import BANDS, FRAMES, HOP

import unspool
from unspool import Options
from unspool.firmware import bundle, write

CALLS = 10


def test_rows_and_states_are_carried_from_sound_on(tmp_path: Path) -> None:
    """In QEMU, which has no NPU: the simulated binary's recorded outputs stand in for it.

    The front end and the quantization are C: a band on the edge of two levels may fall on the other
    side. Rows and states, and with them what the second call on is given, are equal to the byte.
    """
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 3000, (20, CALLS * FRAMES * HOP)).astype(np.int16)
    bands = np.stack([keyword_spotter.log_mel(each / 32_768) for each in samples])
    model = keyword_spotter.build(8, bands)
    done = unspool.deploy_stream(model, bands, time_steps=FRAMES, options=Options(remedy_seconds=0))
    made = {**bundle(done.quantized_tflite, done.compiled, "kws"), **test_log_mel.SOURCES}
    sound = in_qemu.array("sound", samples[0], "int16_t")
    calls = in_qemu.recorded(done, [bands[:1]])
    write({**made, "main.c": in_qemu.program(made["kws_io.h"], calls, sound + MAIN)}, tmp_path)
    in_qemu.compile_(["main.c", "kws_io.c", "log_mel.c"], tmp_path, "-lm")
    ended = in_qemu.run("it.elf", at=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, b"10 calls, rows and states equal\n")


MAIN = f"""
#include "log_mel.h"
#include <stdlib.h>

static log_mel front;
static float bands[{FRAMES} * {BANDS}];

int main(void) {{
    int8_t *x = ins[KWS_INPUT_BANDS_INDEX];
    int call, i, status;

    log_mel_init(&front);
    kws_reset_states(ins);
    for (call = 0; call < {CALLS}; call++) {{
        const int8_t *wanted = recorded_in[call];

        for (i = 0; i < KWS_INPUT_BANDS_INDEX; i++) wanted += in_sizes[i];
        for (i = 0; i < {FRAMES}; i++)
            log_mel_frame(&front, sound + (call * {FRAMES} + i) * LOG_MEL_HOP, bands + i * {BANDS});
        kws_quantize_bands(bands, x);
        for (i = 0; i < {FRAMES} * {BANDS}; i++)
            if (abs(x[i] - wanted[i]) > 1) return 1;
        memcpy(x, wanted, {FRAMES} * {BANDS});
        status = network(NULL);
        if (status) return status;
        kws_copy_states(ins, outs);
    }}
    printf("%d calls, rows and states equal\\n", calls);
    return 0;
}}
"""
