"""Sessions on all cores."""

import os

import joblib
import numpy as np

from unspool.runtime.session import CHUNK, Session
from unspool.support.processes import end_with, without_interrupts
from unspool.support.progress import Progress
from unspool.support.samples import Samples


def predict(
    tflite: bytes, data: Samples, runtime: str, progress: Progress | None = None
) -> list[np.ndarray]:
    """`Session.predict` on all cores: the same results, sooner for slow runtimes.

    Samples are independent, so chunks of them are spread over one process per core.
    """
    session = Session(tflite, runtime)
    arrays = session.check(data)
    count = len(arrays[0])
    cores = len(os.sched_getaffinity(0))
    if runtime == "litert" or count <= CHUNK or cores == 1:  # a process costs more than it saves
        return session.predict(arrays, progress)
    tasks = (
        joblib.delayed(_predict_chunk)(tflite, runtime, [a[i : i + CHUNK] for a in arrays])
        for i in range(0, count, CHUNK)
    )
    chunks = []
    parallel = joblib.Parallel(
        cores, "loky", "generator", initializer=end_with, initargs=(os.getpid(),)
    )
    with without_interrupts():
        predicted = parallel(tasks)
    for chunk in predicted:
        chunks.append(chunk)
        if progress:
            progress(len(chunk[0]))
    return [np.concatenate(outputs) for outputs in zip(*chunks, strict=True)]


def _predict_chunk(tflite: bytes, runtime: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    return Session(tflite, runtime).predict(arrays)
