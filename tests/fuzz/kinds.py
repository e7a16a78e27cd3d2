"""Kinds of files that are damaged, and the commands that are given them."""

import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import shared
from commands import unspool

from fuzz import data_files, keras_files, onnx_files, pt2_files, tflite_files


@dataclass(frozen=True)
class Kind:
    """Files of a kind.

    Attributes:
        drawn: the content of a damaged one.
        name: of the file, in the folder of whole ones, or a pattern for the first of several.
        commands: which are tried with it, in that folder; none: it is loaded as a model.
        patience: how many times as long as others a command may take.
    """

    drawn: Callable[[random.Random], bytes]
    name: str
    commands: tuple[str, ...] = ()
    patience: int = 1


def whole() -> Path:
    """A folder of whole files."""
    return shared.folder("fuzz-whole", _fill)


def _fill(folder: Path) -> None:
    from unspool.compilation.targets import target
    from unspool.compilation.vela import compile as compile_
    from unspool.compilation.vela_config import arm_config
    from unspool.support._tensorflow import keras

    keras.utils.set_random_seed(0)
    x = keras.Input((3, 5), name="x")
    y = keras.layers.Dense(4, activation="softmax", name="y")(keras.layers.GRU(8, name="gru")(x))
    model = keras.Model(x, y)
    model.compile("adam", "sparse_categorical_crossentropy")
    for ending in (".keras", ".h5"):
        model.save(folder / f"model{ending}")
    values = np.random.default_rng(0).normal(size=(8, 3, 5)).astype(np.float32)
    np.save(folder / "x.npy", values)
    np.savez(folder / "x.npz", x=values)
    np.save(folder / "stream.npy", values.reshape(-1, 5))
    given = (folder / "model.keras", "--calibration", folder / "x.npy", "--states")
    out = folder / "whole"
    assert not unspool("deploy", *given, "--time-steps", 3, "--out", out).returncode
    _unlisted(out / "report.json")
    shutil.copytree(out, folder / "other")
    np.save(folder / "steps.npy", np.arange(24).reshape(8, 3) % 2)
    both = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))
    each = keras.layers.Dense(2, "softmax", name="y")(both(keras.layers.Masking()(x)))
    keras.Model(x, each).save(folder / "both.keras")
    calls = ("--calibration", folder / "x.npy", "--steps-per-call", 1, "--out", folder / "parts")
    assert not unspool("deploy", folder / "both.keras", *calls).returncode
    _unlisted(folder / "parts/report.json")
    content = (out / "model_int8.tflite").read_bytes()
    (folder / "debug.xml").write_bytes(compile_(content, target()).debug)
    (folder / "vela.ini").write_bytes(arm_config().read_bytes())
    np.save(folder / "many.npy", np.concatenate([values] * 5))
    np.save(folder / "y.npy", np.arange(40) % 4)
    again = [folder / word if word in _FILES else word for word in _SEARCH.split()]
    assert not unspool(*again).returncode


def place(folder: Path, name: str) -> Path:
    """Where a file lies in a copy of the folder of whole ones, by its name or a pattern for it."""
    return next(iter(sorted(folder.glob(name))), folder / name)


def _unlisted(report: Path) -> None:
    """Without the hashes of the files, which would tell each that is damaged before it is read."""
    content = json.loads(report.read_text())
    del content["files"]
    report.write_text(json.dumps(content))


@cache
def _content(name: str) -> bytes:
    return place(whole(), name).read_bytes()


def _of(damage: Callable[[random.Random, bytes], bytes], *names: str) -> Callable[..., bytes]:
    """Damages one of the whole files."""
    return lambda rng: damage(rng, _content(rng.choice(names)))


_tflite = partial(_of, tflite_files.drawn)
_INT8, _FLOAT, _VELA = (f"model_{kind}.tflite" for kind in ("int8", "float", "vela"))
_BUDGET = "--no-cpu --max-ms 1 --max-sram-kib 9 --max-flash-kib 9 --max-accuracy-drop 1"
_FILES = ("model.keras", "many.npy", "y.npy", "searched")
_SEARCH = (
    "compress model.keras --data many.npy --labels y.npy --max-accuracy-drop 100 --trials 1 "
    "--epochs 2 --out searched"
)
_INI = "--system-config Ethos_U55_High_End_Embedded --memory-mode Shared_Sram"

KINDS: Mapping[str, Kind] = {
    "onnx": Kind(onnx_files.drawn, "model.onnx"),
    "pt2": Kind(pt2_files.drawn, "model.pt2"),
    "keras": Kind(_of(keras_files.drawn_keras, "model.keras"), "damaged.keras"),
    "h5": Kind(_of(keras_files.drawn_h5, "model.h5"), "damaged.h5"),
    "tflite": Kind(
        _tflite(f"whole/{_INT8}", f"whole/{_FLOAT}"),
        "damaged.tflite",
        (
            "inspect damaged.tflite",
            "compile damaged.tflite --out out",
            "compile damaged.tflite --resident-weights --out out",
            "sweep damaged.tflite --target ethos-u55-128 --out out",
        ),
    ),
    "vela": Kind(
        _tflite(f"whole/{_VELA}"),
        "damaged_vela.tflite",
        (
            *("simulate damaged_vela.tflite --data x.npy",) * 2,
            "disassemble damaged_vela.tflite",
            "disassemble damaged_vela.tflite --debug debug.xml",
            "inspect damaged_vela.tflite",
        ),
    ),
    "drift": Kind(
        _tflite(f"whole/{_INT8}"),
        f"whole/{_INT8}",
        (
            "drift whole --data stream.npy",
            "drift whole --data stream.npy --runtime litert",
        ),
    ),
    "float": Kind(
        _tflite(f"whole/{_FLOAT}"), f"whole/{_FLOAT}", ("drift whole --data stream.npy",)
    ),
    "bundle": Kind(_tflite(f"whole/{_INT8}"), f"whole/{_INT8}", ("bundle whole",)),
    "npy": Kind(
        _of(data_files.drawn_npy, "x.npy"),
        "damaged.npy",
        (
            f"simulate whole/{_VELA} --data damaged.npy",
            f"simulate whole/{_VELA} --data x.npy --labels damaged.npy",
            "drift whole --data damaged.npy",
        ),
    ),
    "npz": Kind(
        _of(data_files.drawn_npz, "x.npz"),
        "damaged.npz",
        (f"simulate whole/{_VELA} --data damaged.npz", "drift whole --data damaged.npz"),
    ),
    "json": Kind(
        _of(data_files.drawn_json, "whole/report.json"),
        "whole/report.json",
        (
            *(f"check whole/report.json {_BUDGET}", "diff whole other", "diff other whole") * 3,
            "bundle whole",
            "drift whole --data stream.npy --runtime litert",
        ),
    ),
    "parts": Kind(
        _of(data_files.drawn_json, "parts/report.json"),
        "parts/report.json",
        (
            *("simulate parts --data x.npy --labels steps.npy",) * 6,
            *(f"check parts {_BUDGET}", "diff parts whole", "diff whole parts"),
            *("bundle parts", "drift parts --data stream.npy"),
        ),
    ),
    "part": Kind(
        _tflite("parts/model_1_int8.tflite"), "parts/model_1_int8.tflite", ("bundle parts",)
    ),
    "part_vela": Kind(
        _tflite("parts/model_2_vela.tflite"),
        "parts/model_2_vela.tflite",
        ("simulate parts --data x.npy",),
    ),
    "search": Kind(
        _of(data_files.drawn_json, "searched/search/*.json"),
        "searched/search/*.json",
        (_SEARCH,),
        patience=9,  # a candidate that is refused is trained again
    ),
    "candidate": Kind(
        _of(keras_files.drawn_keras, "searched/search/*.keras"),
        "searched/search/*.keras",
        (_SEARCH,),
        patience=9,
    ),
    "ini": Kind(
        _of(data_files.drawn_text, "vela.ini"),
        "damaged.ini",
        (f"compile whole/{_INT8} --vela-config damaged.ini {_INI} --out out",),
    ),
    "xml": Kind(
        _of(data_files.drawn_text, "debug.xml"),
        "damaged.xml",
        (f"disassemble whole/{_VELA} --debug damaged.xml",),
    ),
}
