"""What a detector finds of the words in scenes: detections, false alarms, and the threshold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sounds import RATE
from words import Scene, Word

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
    events: list[tuple[float, int]] = []
    for step in np.flatnonzero(means.max(axis=1) > threshold):
        if not events or (step + 1) / rate > events[-1][0] + GRACE:
            events.append(((step + 1) / rate, int(means[step].argmax())))
    return events


@dataclass(frozen=True)
class Score:
    """What was detected in scenes.

    Attributes:
        said: how often, by keyword.
        detected: how many of these were.
        alarms: false ones, by the word that was said before.
        seconds: how long the scenes are.
    """

    said: Counter[str]
    detected: Counter[str]
    alarms: Counter[str]
    seconds: float

    def __str__(self) -> str:
        said, detected, alarms = (each.total() for each in (self.said, self.detected, self.alarms))
        share = f"{100 * detected / said:.1f} %" if said else "none was said"
        hourly = alarms * 3600 / self.seconds
        return (
            f"{detected} of {said} words detected, {share}; "
            f"{alarms} false alarms, {hourly:.0f} an hour"
        )


def score(
    keywords: Sequence[str],
    scenes: Sequence[Scene],
    probabilities: np.ndarray,
    rate: float,
    threshold: float,
) -> Score:
    """Count what a detector finds, scene by scene, by probabilities (scenes, steps, keywords)."""
    said, detected, alarms = (Counter[str]() for _ in range(3))
    for each, given in zip(scenes, probabilities, strict=True):
        left = [word for word in each.words if word.text in keywords]
        said.update(word.text for word in left)
        for time, number in detections(given, rate, threshold):
            right = [w for w in left if w.text == keywords[number] and _is_heard_at(w, time)]
            if right:
                left.remove(right[0])
                detected[right[0].text] += 1
            else:
                before = [word.text for word in each.words if word.start < time]
                alarms[before[-1] if before else "(noise)"] += 1
    return Score(said, detected, alarms, sum(len(each.sound) for each in scenes) / RATE)


def _is_heard_at(word: Word, time: float) -> bool:
    return word.start < time <= word.end + GRACE


def best_threshold(
    keywords: Sequence[str], scenes: Sequence[Scene], probabilities: np.ndarray, rate: float
) -> float:
    """The threshold with the most words detected, less three for each false alarm.

    Of several that are alike, it is the one in the middle.
    """
    tried = np.arange(0.3, 0.96, 0.05)
    scores = [score(keywords, scenes, probabilities, rate, threshold) for threshold in tried]
    gains = np.array([each.detected.total() - 3 * each.alarms.total() for each in scores])
    (best,) = np.nonzero(gains == gains.max())
    return float(tried[best[len(best) // 2]])


def tell(
    keywords: Sequence[str],
    scenes: Sequence[Scene],
    both: Sequence[np.ndarray],
    rate: float,
    threshold: float,
) -> None:
    """Print what float and int8 detect, from probabilities of each, (scenes, steps, keywords)."""
    floats, ints = (score(keywords, scenes, each, rate, threshold) for each in both)
    print(
        f"{len(scenes)} scenes, {floats.seconds / 60:.1f} minutes, of voices and accents that were "
        f"never trained on; threshold {threshold:.2f}, chosen on others:"
    )
    print(f"  float, Keras (measured): {floats}")
    print(f"  int8, chunk by chunk (simulated): {ints}")
    for word in keywords:
        counts = f"{floats.detected[word]} in float, {ints.detected[word]} in int8"
        print(f"  {word}: said {floats.said[word]} times, detected {counts}")
    alarms = ", ".join(f"{word} {count}" for word, count in ints.alarms.most_common(8))
    print(f"  false alarms in int8 came after: {alarms or 'none'}")
    difference = np.abs(both[1] - both[0])
    print(
        f"  difference of a probability: mean {difference.mean():.4f}, largest "
        f"{difference.max():.3f} (simulated)"
    )
