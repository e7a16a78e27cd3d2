"""How the outputs of a model are read: as classes, as yes or no, or as values."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Kind: TypeAlias = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class Head:
    """How an output is read.

    Attributes:
        kind: "classes": the largest of several values names the class; "binary": each column says
            yes where its value is above `threshold`; "values": numbers as they are.
        threshold: of a binary output, or of values where the labels turn out to be yes or no.
        why: how the kind is known, such as "softmax" or "binary_crossentropy of logits"; or empty.
    """

    kind: Kind
    threshold: float = 0.0
    why: str = ""

    def decide(self, output: np.ndarray) -> np.ndarray:
        """The answers of an output.

        They are classes (samples, ...) of an output (samples, ..., classes), or, of a binary
        output (samples, ..., n), n answers of 0 or 1 each.
        """
        if self.kind == "classes":
            named: np.ndarray = output.argmax(axis=-1)
            return named
        return (output > self.threshold).astype(np.int64)


VALUES = Head("values")
