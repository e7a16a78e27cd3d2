/* 40 log-mel bands of each 10 ms of sound at 16 kHz, as examples/keyword_spotter.py takes them. */
#ifndef LOG_MEL_H
#define LOG_MEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOG_MEL_BANDS 40
#define LOG_MEL_HOP 160    /* samples of a frame: 10 ms */
#define LOG_MEL_WINDOW 400 /* samples that a frame looks at: 25 ms, the last of them its own */
#define LOG_MEL_SIZE 512   /* of the Fourier transform */

/* Tables and the last samples: 10.1 KiB, yours to place. */
typedef struct {
    float window[LOG_MEL_WINDOW];
    float cosine[LOG_MEL_SIZE / 2], sine[LOG_MEL_SIZE / 2];
    float place[LOG_MEL_SIZE / 2 + 1]; /* of each bin among the bands' centres, from -1 */
    float last[LOG_MEL_WINDOW];
    float real[LOG_MEL_SIZE], imaginary[LOG_MEL_SIZE];
} log_mel;

/* Once, and again to begin a new sound: computes the tables and forgets the last samples. */
void log_mel_init(log_mel *state);

/* The next 10 ms of sound, to the natural logarithm of the power in each band. */
void log_mel_frame(log_mel *state, const int16_t samples[LOG_MEL_HOP], float bands[LOG_MEL_BANDS]);

#ifdef __cplusplus
}
#endif
#endif
