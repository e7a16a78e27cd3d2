"""Words in running speech: scenes that espeak-ng speaks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sounds import RATE, speak, trimmed

_TRAINED_WORDS = """
about above again always answer apple arm ask away baby back ball bed best better bird black blue
boat body book both box boy bread bring brother brown build busy but cat change clean clear clock
close coat coffee cold come cook corner cut dance day dead deep dinner dog door down dress drink
drop dry each ear east easy eat eight eleven end every extra eye face family far fast father field
fight find fire first fish five flag floor fly food foot forget four free friend from front full
garden girl give glass gold good grass great green ground group guess hair half hand happy hard
hat head hear heart heavy help here high hill hit home horse hot hour how hundred husband ice if
ink iron job join jump keep key kick kind king know ladder land last late laugh law leaf learn leg
lesson let letter lie lift light line lip list live long look lot loud love low make man many map
mean meat milk minute mist month moon more most mouse mouth move much music name near neck need
nest new next nice night nine no noise nose note now number nurse off often oil old on once one
open other out over own page paint paper part pass past pay pen people piece place plan plant play
point poor press price pull push put queen quick rain ran reach read red rest rich ride ring river
road rock roof room round row rule run sad safe salt same sand save say sea seat second see seed
self send set shape share sharp ship shirt shoe shop short shout shut sick side sign silver sing
sister sit six skin sky sleep slow small smell smile snow soap soft some song soon sound south
spell spoon spot spring stamp stand star start state stay step stick still stone store stove
straight strong sugar summer sun swim table take talk tall taste tea tell ten test thank thick
thin thing think three time tired top town tree trip true turn two uncle up use very visit voice
wait walk wall want war warm wash watch water way wear week well west wet what when white who wide
wife wild wind window wine wing wish woman wood word work world wrong year yell yellow yesterday
young zero
"""
_TESTED_WORDS = """
animal blanket chair chess city different doctor early engine flower forest heaven important
island kitchen market morning mountain never orange pencil picture quiet school station street
telephone together tomorrow under weather winter
"""
OTHERS, TEST_OTHERS = (tuple(text.split()) for text in (_TRAINED_WORDS, _TESTED_WORDS))
"""Words that are no keywords: to train with, and to test with."""


@dataclass(frozen=True)
class Voices:
    """Who speaks: every accent of espeak-ng with every variant of its voice."""

    accents: tuple[str, ...]
    variants: tuple[str, ...]

    def say(self, text: str, rng: np.random.Generator) -> np.ndarray:
        """One of them says it, at some speed, pitch and loudness, (samples,)."""
        voice = f"{rng.choice(self.accents)}+{rng.choice(self.variants)}"
        said = trimmed(speak(text, voice, int(rng.integers(120, 221)), int(rng.integers(20, 81))))
        return said * np.float32(rng.uniform(0.15, 0.9) / np.abs(said).max())


TRAINED = Voices(
    ("en-us", "en", "en-029", "en-gb-scotland", "en-gb-x-gbcwmd"),
    ("m1", "m3", "m5", "m7", "f1", "f3", "f5", "Alex", "Andrea", "Lee", "Mike", "Steph"),
)
TESTED = Voices(
    ("en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan"),
    ("m2", "m4", "m6", "f2", "f4", "Andy", "Linda", "Michael"),
)
"""No accent and no variant of those that are trained on."""


@dataclass(frozen=True)
class Word:
    """A word, and when it is said, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Scene:
    """A sound, (samples,), and the words in it."""

    sound: np.ndarray
    words: tuple[Word, ...]

    def labels(
        self, keywords: Sequence[str], steps: int, rate: float, seconds: float
    ) -> np.ndarray:
        """Of each step, 1 + the number of the keyword that has just ended, else 0; (steps,).

        Args:
            keywords: these, by number.
            steps: how many.
            rate: steps per second.
            seconds: how long a keyword has just ended.
        """
        labels = np.zeros(steps, np.int64)
        for word in self.words:
            if word.text in keywords:
                steps_after = slice(int(word.end * rate), int((word.end + seconds) * rate))
                labels[steps_after] = 1 + keywords.index(word.text)
        return labels


def scene(
    seconds: float,
    keywords: Sequence[str],
    others: Sequence[str],
    voices: Voices,
    rng: np.random.Generator,
    share: float = 0.5,
) -> Scene:
    """Words with pauses between them, so large a share of them keywords."""
    sound = np.zeros(int(seconds * RATE), np.float32)
    words: list[Word] = []
    place = int(rng.uniform(0.1, 0.6) * RATE)
    while True:
        text = str(rng.choice(keywords if rng.random() < share else others))
        said = voices.say(text, rng)
        if place + len(said) > len(sound):
            return Scene(sound, tuple(words))
        sound[place : place + len(said)] = said
        words.append(Word(text, place / RATE, (place + len(said)) / RATE))
        place += len(said) + int(rng.uniform(0.2, 0.9) * RATE)
