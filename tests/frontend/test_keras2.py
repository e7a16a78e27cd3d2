"""Files of Keras 2: expected values are those of the Keras that wrote them, see keras2/make.py."""

import json
import tarfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np
import pytest
import slow

import unspool
from unspool.errors import UnspoolError

pytestmark = pytest.mark.usefixtures("computing")
ARCHIVE = Path(__file__).parent / "keras2" / "keras2.tar.xz"
with tarfile.open(ARCHIVE) as archive:
    NAMES = [name for name in archive.getnames() if not name.endswith(".npz")]

ON_CPU = "embedding"  # of ids, which no NPU looks up


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras2")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(inputs, outputs) as Keras 2 had them."""
    stored = np.load(path.with_suffix(".npz"))
    given, expected = (
        {key.split("_", 1)[1]: stored[key] for key in stored if key.startswith(prefix)}
        for prefix in ("in_", "out_")
    )
    return given, expected


@pytest.mark.parametrize("name", slow.but_one_of(4, NAMES))
def test_a_file_of_keras_2_gives_what_keras_2_gave(files: Path, name: str) -> None:
    model = unspool.load(files / name)
    given, expected = arrays(files / name)
    outputs = model.predict(given if len(given) > 1 else next(iter(given.values())), verbose=0)
    named_outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
    assert named_outputs.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(named_outputs[key], values, atol=1e-6)
    assert model.loss == "mse" or name.startswith("cudnn")


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name", slow.but_one_of(4, [name for name in NAMES if name.endswith(".h5")])
)
def test_it_goes_to_the_npu(files: Path, name: str) -> None:
    """Its network, rebuilt without loops, gives what Keras 2 gave."""
    model = unspool.load(files / name)
    given, expected = arrays(files / name)
    tflite = unspool.convert(unspool.unroll(model, allow_cpu=name.startswith(ON_CPU)))
    outputs = unspool.Session(tflite).predict([*given.values()])
    for output, values in zip(outputs, expected.values(), strict=True):
        np.testing.assert_allclose(output, values, atol=1e-5)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["hard_sigmoid.h5", "encoder_decoder.keras", "arithmetic.h5"])
def test_int8_runs_on_the_npu_alone(files: Path, name: str) -> None:
    model = unspool.load(files / name)
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(40, *tensor.shape[1:])) for tensor in model.inputs]
    done = unspool.deploy(model, data, options=unspool.Options(remedy_seconds=0))
    assert not done.compiled.cpu_operators
    assert done.simulation is not None
    assert done.simulation.equal == 40


def test_states_of_a_stateful_layer_are_not_carried_from_sample_to_sample(files: Path) -> None:
    model = unspool.load(files / "stateful.h5")
    data = np.random.default_rng(0).normal(size=(41, 7, 5))  # no multiple of its batch size
    done = unspool.deploy(model, data, options=unspool.Options(remedy_seconds=0))
    unknown = done.trained.predict(data[::-1], verbose=0)[::-1]
    np.testing.assert_allclose(done.trained.predict(data, verbose=0), unknown, atol=1e-6)


def edited(source: Path, target: Path, edit: Any) -> Path:
    """A copy of a .keras file with another configuration."""
    with ZipFile(source) as old, ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def time_major(config: Any) -> None:
    config["config"]["layers"][1]["config"]["time_major"] = True


def own_constraint(config: Any) -> None:
    config["config"]["layers"][1]["config"]["kernel_constraint"] = {
        "class_name": "WeightClip",
        "config": {"clip_value": 0.5},
    }


def unknown_function(config: Any) -> None:
    for layer in config["config"]["layers"]:
        if layer["config"].get("function") == "nn.relu":
            layer["config"]["function"] = "math.bessel_i0"


REFUSED = {
    "time_major": ("gru.keras", time_major, r"layer 'gru.*': has time_major=True, .*batch first"),
    "a function": (
        "arithmetic.keras",
        unknown_function,
        r"layer 'tf.nn.relu': is TensorFlow's function 'math.bessel_i0', for which",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_keras_3_has_no_form_for_is_named(files: Path, tmp_path: Path, case: str) -> None:
    name, edit, message = REFUSED[case]
    path = edited(files / name, tmp_path / name, edit)
    with pytest.raises(UnspoolError, match=rf"{name}: {message}") as refused:
        unspool.load(path)
    assert "\n" not in str(refused.value)


def test_a_constraint_of_ones_own_is_left_out(files: Path, tmp_path: Path) -> None:
    path = edited(files / "gru.keras", tmp_path / "own.keras", own_constraint)
    given, expected = arrays(files / "gru.keras")
    output = unspool.load(path).predict(next(iter(given.values())), verbose=0)
    np.testing.assert_allclose(output, expected["y"], atol=1e-6)


@pytest.mark.parametrize("name", ["model", "model.hd5", "model.keras", "model.weights"])
def test_hdf5_is_known_by_its_content(files: Path, tmp_path: Path, name: str) -> None:
    """Before 2.12, `save("model.keras")` wrote HDF5."""
    path = tmp_path / name
    path.write_bytes((files / "gru.h5").read_bytes())
    assert unspool.load(path).count_params() == unspool.load(files / "gru.h5").count_params()


def weights_alone(files: Path, folder: Path) -> tuple[Path, Path]:
    """(weights, configuration) of the GRU, as Keras 2's `save_weights` and `to_json` write them."""
    weights, config = folder / "gru_weights.h5", folder / "gru.json"
    with h5py.File(files / "gru.h5") as whole, h5py.File(weights, "w") as file:
        group = whole["model_weights"]
        for key, value in group.attrs.items():
            file.attrs[key] = value
        for key in group:
            group.copy(key, file)
        about = {"keras_version": "2.21.0", "backend": "tensorflow"}
        config.write_text(json.dumps(json.loads(whole.attrs["model_config"]) | about))
    return weights, config


def test_weights_and_layers_in_two_files(files: Path, tmp_path: Path) -> None:
    weights, config = weights_alone(files, tmp_path)
    with pytest.raises(UnspoolError, match=r"gru_weights.h5: holds weights alone.*`config`"):
        unspool.load(weights)
    given, expected = arrays(files / "gru.h5")
    output = unspool.load(weights, config).predict(next(iter(given.values())), verbose=0)
    np.testing.assert_allclose(output, expected["y"], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"its configuration .*bad.json: not a model in JSON"),
        (b"[]", "not a model in JSON"),
        (b'{"class_name": "GRU", "config": {}}', "is one of a GRU, not of a model"),
    ],
)
def test_a_bad_configuration_is_named(
    files: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    with pytest.raises(UnspoolError, match=message):
        unspool.load(files / "gru.h5", bad)
