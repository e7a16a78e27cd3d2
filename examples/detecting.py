"""What a detector finds of the words in scenes: detections, false alarms, and the threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sounds import RATE
from words import Scene

GRACE = 0.75  # seconds after a word's end in which it may be detected


def detections(probabilities: np.ndarray, rate: float, threshold: float) -> list[tuple[float, int]]:
    """When which keyword is detected: (seconds, number).

    Args:
        probabilities: of the keywords, (steps, keywords).
        rate: steps per second.
        threshold: of the mean of the last tenth of a second; the next detection is `GRACE` later at
            the earliest.
    """
    width = max(1, round(0.1 * rate))
    sums = np.cumsum(np.concatenate([np.zeros((width, probabilities.shape[1])), probabilities]), 0)
    means = (sums[width:] - sums[:-width]) / width
    found: list[tuple[float, int]] = []
    for step in np.flatnonzero(means.max(axis=1) > threshold):
        if not found or (step + 1) / rate > found[-1][0] + GRACE:
            found.append(((step + 1) / rate, int(means[step].argmax())))
    return found


@dataclass(frozen=True)
class Score:
    """What was detected of the words of scenes, by keyword, and how often without a word."""

    said: np.ndarray
    detected: np.ndarray
    false_alarms: int
    seconds: float

    def __str__(self) -> str:
        said, detected = self.said.sum(), self.detected.sum()
        share = f"{100 * detected / said:.1f} %" if said else "none was said"
        hourly = self.false_alarms * 3600 / self.seconds
        return (
            f"{detected} of {said} words detected, {share}; "
            f"{self.false_alarms} false alarms, {hourly:.0f} an hour"
        )


def score(
    scenes: Sequence[Scene],
    probabilities: np.ndarray,
    rate: float,
    threshold: float,
) -> Score:
    """Count what a detector finds, scene by scene, by probabilities (scenes, steps, keywords)."""
    said, detected = (np.zeros(probabilities.shape[2], np.int64) for _ in range(2))
    alarms = 0
    for each, given in zip(scenes, probabilities, strict=True):
        left = list(each.words)
        np.add.at(said, [word.number for word in left], 1)
        for time, number in detections(given, rate, threshold):
            fits = [w for w in left if w.number == number and w.start < time <= w.end + GRACE]
            alarms += not fits
            detected[number] += bool(fits)
            left = [word for word in left if word not in fits[:1]]
    return Score(said, detected, alarms, sum(len(each.sound) for each in scenes) / RATE)


def best_threshold(scenes: Sequence[Scene], probabilities: np.ndarray, rate: float) -> float:
    """The threshold with the most words detected, less three for each false alarm."""

    def gain(threshold: float) -> int:
        found = score(scenes, probabilities, rate, threshold)
        return int(found.detected.sum()) - 3 * found.false_alarms

    return float(max(np.arange(0.3, 0.96, 0.05), key=gain))


def tell(
    keywords: Sequence[str],
    scenes: Sequence[Scene],
    both: Sequence[np.ndarray],
    rate: float,
    threshold: float,
) -> None:
    """Print what float and int8 detect, from probabilities of each, (scenes, steps, keywords)."""
    floats, ints = (score(scenes, each, rate, threshold) for each in both)
    print(
        f"{len(scenes)} scenes, {floats.seconds / 60:.1f} minutes, of voices and accents that were "
        f"never trained on; threshold {threshold:.2f}, chosen on others:"
    )
    print(f"  float, Keras (measured): {floats}")
    print(f"  int8, chunk by chunk (simulated): {ints}")
    if len(keywords) > 1:
        for number, word in enumerate(keywords):
            found = f"{floats.detected[number]} in float, {ints.detected[number]} in int8"
            print(f"  {word}: said {floats.said[number]} times, detected {found}")
    difference = np.abs(both[1] - both[0])
    print(
        f"  difference of a probability: mean {difference.mean():.4f}, largest "
        f"{difference.max():.3f} (simulated)"
    )
