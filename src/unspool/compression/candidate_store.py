"""Finished candidates of a search, kept in a folder, so that a search can be continued."""

import hashlib
import json
import math
import warnings
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib

from unspool.compression.candidates import Candidate, Task
from unspool.compression.kernels import KernelSetting
from unspool.compression.trained_loss import loss_name
from unspool.errors import UnspoolError, UnspoolWarning
from unspool.support import files

_HASH = "model_sha256"
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What JSON that is no candidate's raises where it is read."""


class Store:
    """The finished candidates of one task: a .json and a .keras file each.

    Their names are made of everything that a result depends on: a folder may hold the candidates of
    several tasks.
    """

    def __init__(self, folder: Path, model: Any, task: Task) -> None:
        self._folder = folder
        self._task = joblib.hash(
            (
                model.to_json(),
                model.get_weights(),
                loss_name(model),
                task.data,
                task.labels,
                task.validation,
                task.calibration,
                asdict(task.fine_tuning),
                str(task.build.target),
                task.build.resident_kib,
                task.build.way,
                task.build.training_way,
                (task.goal.metric, task.goal.higher_is_better, task.output),
            )
        )

    def model(self, setting: KernelSetting) -> Path:
        """The .keras file of a setting's model."""
        name = joblib.hash((self._task, asdict(setting)))[:16]
        return self._folder / f"{name}.keras"

    def candidate(self, setting: KernelSetting) -> Candidate | None:
        """A finished candidate; None where there is none, or a damaged one, of which it warns."""
        path = self.model(setting)
        described = path.with_suffix(".json")
        if not described.exists():
            return None
        with suppress(UnspoolError, *_DAMAGED):
            fields = json.loads(files.read(described))
            numbers = [value for name, value in fields.items() if name not in ("setting", _HASH)]
            if fields.pop(_HASH) == _hash(files.read(path)) and all(map(math.isfinite, numbers)):
                return Candidate(**{**fields, "setting": setting})
        with suppress(OSError):  # said once
            described.unlink()
        text = f"{path} or {described.name} beside it is damaged; {setting} is tried again"
        warnings.warn(text, UnspoolWarning, stacklevel=2)
        return None

    def keep(self, candidate: Candidate, model: bytes) -> None:
        """Write a candidate and its model."""
        path = self.model(candidate.setting)
        files.write(path, model)
        fields = {**asdict(candidate), _HASH: _hash(model)}
        files.write(path.with_suffix(".json"), json.dumps(fields, indent=1) + "\n")


def _hash(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()
