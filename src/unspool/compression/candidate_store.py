"""Finished candidates of a search, kept in a folder, so that a search can be continued."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import joblib

from unspool.compression.candidates import Candidate, Task
from unspool.compression.kernels import KernelSetting
from unspool.compression.trained_loss import loss_name
from unspool.errors import UnspoolError
from unspool.support import files


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
                str(task.target),
                task.resident_kib,
                task.way,
                task.training_way,
                (task.goal.metric, task.goal.higher_is_better, task.output),
            )
        )

    def model(self, setting: KernelSetting) -> Path:
        """The .keras file of a setting's model."""
        name = joblib.hash((self._task, asdict(setting)))[:16]
        return self._folder / f"{name}.keras"

    def candidate(self, setting: KernelSetting) -> Candidate | None:
        """A finished candidate; None where there is none that can be read."""
        path = self.model(setting)
        try:
            fields = json.loads(files.read(path.with_suffix(".json")))
            files.check_regular(path)
            numbers = [value for name, value in fields.items() if name != "setting"]
            if not all(math.isfinite(number) for number in numbers) or not is_zipfile(path):
                return None
            return Candidate(**{**fields, "setting": setting})
        except (UnspoolError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def keep(self, candidate: Candidate, model: bytes) -> None:
        """Write a candidate and its model."""
        path = self.model(candidate.setting)
        files.write(path, model)
        files.write(path.with_suffix(".json"), json.dumps(asdict(candidate), indent=1) + "\n")
