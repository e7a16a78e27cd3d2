#include "log_mel.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979f
#define RATE 16000.0f
#define LOWEST 60.0f /* Hz, where the first band begins */
#define HIGHEST 7600.0f
#define FLOOR 1e-3f /* power of what a microphone hears in silence */
#define BINS (LOG_MEL_SIZE / 2 + 1)

static float mel(float hertz) { return 1127.0f * log1pf(hertz / 700.0f); }

void log_mel_init(log_mel *state) {
    const float low = mel(LOWEST), width = (mel(HIGHEST) - low) / (LOG_MEL_BANDS + 1);
    int i;

    memset(state, 0, sizeof *state);
    for (i = 0; i < LOG_MEL_WINDOW; i++)
        state->window[i] = 0.5f - 0.5f * cosf(2 * PI * (float)i / LOG_MEL_WINDOW);
    for (i = 0; i < LOG_MEL_SIZE / 2; i++) {
        state->cosine[i] = cosf(2 * PI * (float)i / LOG_MEL_SIZE);
        state->sine[i] = -sinf(2 * PI * (float)i / LOG_MEL_SIZE);
    }
    for (i = 0; i < BINS; i++)
        state->place[i] = (mel(RATE * (float)i / LOG_MEL_SIZE) - low) / width - 1;
}

/* Samples to where the butterflies want them: at their index with its bits in reverse. */
static void put_in_order(float *values) {
    int i, j = 0, bit;

    for (i = 1; i < LOG_MEL_SIZE; i++) {
        for (bit = LOG_MEL_SIZE / 2; j & bit; bit /= 2) j ^= bit;
        j |= bit;
        if (i < j) {
            const float kept = values[i];
            values[i] = values[j];
            values[j] = kept;
        }
    }
}

/* A Fourier transform in place, radix 2, of samples in `real`. */
static void transform(log_mel *state) {
    float *re = state->real, *im = state->imaginary;
    int half, start, k;

    put_in_order(re);
    memset(im, 0, sizeof state->imaginary);
    for (half = 1; half < LOG_MEL_SIZE; half *= 2)
        for (start = 0; start < LOG_MEL_SIZE; start += 2 * half)
            for (k = 0; k < half; k++) {
                const int a = start + k, b = a + half, turn = k * (LOG_MEL_SIZE / 2 / half);
                const float c = state->cosine[turn], s = state->sine[turn];
                const float x = re[b] * c - im[b] * s, y = re[b] * s + im[b] * c;
                re[b] = re[a] - x, im[b] = im[a] - y;
                re[a] += x, im[a] += y;
            }
}

void log_mel_frame(log_mel *state, const int16_t samples[LOG_MEL_HOP], float bands[LOG_MEL_BANDS]) {
    const int kept = LOG_MEL_WINDOW - LOG_MEL_HOP;
    int i;

    memmove(state->last, state->last + LOG_MEL_HOP, (size_t)kept * sizeof *state->last);
    for (i = 0; i < LOG_MEL_HOP; i++) state->last[kept + i] = (float)samples[i] / 32768.0f;
    memset(state->real, 0, sizeof state->real);
    for (i = 0; i < LOG_MEL_WINDOW; i++) state->real[i] = state->last[i] * state->window[i];
    transform(state);

    for (i = 0; i < LOG_MEL_BANDS; i++) bands[i] = FLOOR;
    for (i = 0; i < BINS; i++) { /* a bin is shared by the bands whose centres it lies between */
        const float re = state->real[i], im = state->imaginary[i], power = re * re + im * im;
        const int below = (int)floorf(state->place[i]);
        const float above = state->place[i] - (float)below;
        if (below >= 0 && below < LOG_MEL_BANDS) bands[below] += power * (1 - above);
        if (below >= -1 && below < LOG_MEL_BANDS - 1) bands[below + 1] += power * above;
    }
    for (i = 0; i < LOG_MEL_BANDS; i++) bands[i] = logf(bands[i]);
}
