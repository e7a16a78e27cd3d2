"""`inspect` says what `deploy` does: of what is refused, of what runs on the CPU, of what works."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slow
from commands import unspool

from unspool import Options, deploy, inspect, target
from unspool.errors import UnspoolError
from unspool.support._tensorflow import keras

L, K = keras.layers, keras.ops
QUICK = Options(remedy_seconds=0)


def around(function: Callable[[Any], Any]) -> Any:
    """A GRU behind a function of its sequence, (12, 4)."""
    x = keras.Input((12, 4))
    return keras.Model(x, L.Dense(2, name="y")(L.GRU(5, name="gru")(function(x))))


def samples(count: int = 24) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 12, 4)).astype(np.float32)


BEHIND = "use it behind the network: give out what it reads"
IN_FRONT = "use it in front of the network, and give its result in as an input"

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sort": (
        lambda x: K.sort(x, axis=-1),
        f"layer 'sort' (Sort): TOPK_V2 has no int8 form; {BEHIND}, or {IN_FRONT}",
    ),
    "one_hot": (
        lambda x: K.one_hot(K.argmax(x, axis=-1), 4),
        "layer 'argmax' (Argmax): TensorFlow's converter does not take it: no LiteRT form for "
        f"BitwiseAnd; {BEHIND}",
    ),
    "argmax": (
        lambda x: x + K.cast(K.argmin(x, axis=-1, keepdims=True), "float32"),
        "layer 'argmin' (Argmin): TensorFlow's converter does not take it: no LiteRT form for "
        f"BitwiseAnd; {BEHIND}",
    ),
    "argsort": (
        lambda x: K.cast(K.argsort(x, axis=-1) + 1, "float32"),
        f"layer 'argsort' (Argsort): CAST, TOPK_V2 has no int8 form; {BEHIND}",
    ),
    "isclose": (
        lambda x: K.cast(K.isclose(x, 0.5), "float32"),
        "layer 'isclose' (Isclose): CAST has no int8 form; use others (docs/keras.md says of "
        "each), or do it outside",
    ),
    "erf": (
        K.erf,
        "layer 'erf' (Erf): TensorFlow's converter does not take it: no LiteRT form for Erf; use "
        "gelu or tanh",
    ),
    "spectrum": (
        lambda x: K.rfft(x)[0],
        f"layer 'rfft' (RFFT): IMAG, REAL has no int8 form; {IN_FRONT}",
    ),
    "mod": (
        lambda x: K.mod(x, 0.5),
        "layer 'mod' (Mod): FLOOR_MOD has no int8 form; use others (docs/keras.md says of each), "
        "or do it outside",
    ),
    "within": (
        lambda x: keras.Sequential(
            [keras.Input((12, 4)), L.Dense(4), L.Lambda(lambda x: 2 * x, name="l")], name="inner"
        )(x),
        "layer 'inner/l' (Lambda): runs Python code that would have to be trusted; use a layer",
    ),
}


SELDOM = {"argsort", "mod"}  # as "sort" and "isclose" are


@pytest.mark.one_in(2)
@pytest.mark.parametrize("case", slow.unless(REFUSED.keys() - SELDOM, REFUSED))
def test_what_is_refused_is_refused_by_name_before_any_work(case: str) -> None:
    function, message = REFUSED[case]
    keras.backend.clear_session()
    model, stages = around(function), []
    (verdict,) = (each for each in inspect(model) if each.action == "refuse")
    assert f"layer {verdict.layer!r} ({verdict.kind}): {verdict.detail}" == message
    with pytest.raises(UnspoolError) as error:
        deploy(model, samples(), options=QUICK, watch=lambda stage, *_: stages.append(stage))
    assert str(error.value) == message
    assert set(stages) == {"inspect"}


def nearest_in_two_rows(x: Any) -> Any:
    """Bilinear resizing by a factor that the NPU has not."""
    image = K.reshape(x, (-1, 12, 4, 1))
    resized = K.image.resize(image, (18, 6), crop_to_aspect_ratio=True)  # by Keras's own operators
    return K.reshape(resized, (-1, 18, 6))


def test_what_runs_on_the_cpu_is_deployed_where_the_user_accepts_it() -> None:
    model = around(nearest_in_two_rows)
    (verdict,) = (each for each in inspect(model) if each.action == "cpu")
    assert verdict.kind == "Resize"
    assert verdict.detail.startswith("ResizeBilinear: ")
    assert verdict.detail.endswith("; it runs on the CPU (accept it with `allow_cpu`)")
    with pytest.raises(UnspoolError, match=r"layer 'resize.*' \(Resize\): ResizeBilinear: "):
        deploy(model, samples(), options=QUICK)
    done = deploy(model, samples(), options=Options(allow_cpu=True, remedy_seconds=0))
    assert {operator.kind for operator in done.compiled.cpu_operators} == {"ResizeBilinear"}


def test_velas_reason_is_found_where_an_activation_is_in_the_operator() -> None:
    def far(x: Any) -> Any:
        image = L.DepthwiseConv2D(5, strides=4, padding="same", activation="relu")
        return L.Reshape((3, -1))(image(L.Reshape((12, 4, 1))(x)))

    (verdict,) = (each for each in inspect(around(far)) if each.action == "cpu")
    assert "Unsupported kernel stride: 4, 4" in verdict.detail


def test_the_type_of_the_activations_and_the_target_decide() -> None:
    x = keras.Input((12, 4))
    h = L.GRU(5, return_sequences=True)(x)
    model = keras.Model(x, L.GRU(3)(L.Attention(name="a")([h, h])))
    actions = {
        (activations, accelerator): inspect(
            model, activations=activations, target=target(accelerator)
        )[1].action
        for activations in ("int8", "int16")
        for accelerator in ("ethos-u55-128", "ethos-u85-256")
    }
    assert actions["int8", "ethos-u55-128"] == actions["int8", "ethos-u85-256"] == "keep"
    assert actions["int16", "ethos-u55-128"] == "cpu"


def test_what_int16_lacks_is_told_with_what_has_it() -> None:
    ids = keras.Input((6,), dtype="int32")
    model = keras.Model(ids, L.GRU(5)(L.Embedding(9, 4, name="words")(ids)))
    details = {
        chip: inspect(model, activations="int16", target=target(chip))[0].detail
        for chip in ("ethos-u55-128", "ethos-u85-256")
    }
    on_u55 = (
        "in TFLM, GATHER takes float32 or int8, not int16; use int8 (`activations`), where it runs "
        "on the CPU (accept it with `allow_cpu`), or look ids up in front of the network, and give "
        "the vectors in as an input"
    )
    assert details == {"ethos-u55-128": on_u55, "ethos-u85-256": "looks up token ids"}
    x = keras.Input((12, 4))
    h = L.GRU(5, return_sequences=True)(x)
    model = keras.Model(x, L.GRU(3)(L.Attention(name="a")([h, h])))
    (_, attention, _) = inspect(model, activations="int16")
    on_npu = (
        "; in int8 (`activations`) it runs on the NPU, here on the CPU (accept it with `allow_cpu`)"
    )
    assert attention.detail.endswith(on_npu)


def test_an_open_length_is_tried_at_the_length_that_is_given() -> None:
    x = keras.Input((None, 4))
    model = keras.Model(x, L.GRU(5)(K.flip(x, axis=1)))
    assert [each.action for each in inspect(model)] == ["keep", "unroll"]
    assert [each.action for each in inspect(model, time_steps=40)] == ["keep", "unroll"]


class Gate(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own; what its class does not tell, trying does."""

    def __init__(self, sorts: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sorts = sorts

    def call(self, x: Any) -> Any:
        return K.sort(x, axis=-1) if self.sorts else K.sigmoid(x) * x


def test_layers_of_ones_own_are_tried_each() -> None:
    model = around(lambda x: Gate(True, name="b")(Gate(False, name="a")(x)))
    assert [each.action for each in inspect(model)][:2] == ["keep", "refuse"]


def test_trying_leaves_the_model_as_it_was() -> None:
    model = around(lambda x: L.LayerNormalization()(K.where(x > 0.0, x, 0.1 * x)))
    before = model.get_weights(), [len(layer._inbound_nodes) for layer in model.layers]
    inspect(model)
    after = model.get_weights(), [len(layer._inbound_nodes) for layer in model.layers]
    assert before[1] == after[1]
    assert all((a == b).all() for a, b in zip(before[0], after[0], strict=True))


def test_the_command_takes_what_deploy_takes(tmp_path: Any) -> None:
    around(lambda x: L.Attention(name="a")([x, x])).save(tmp_path / "m.keras")
    run = unspool("inspect", tmp_path / "m.keras", "--activations", "int16", "--full-length")
    assert run.returncode == 0
    assert "int16 on ethos-u55-128" in run.stdout
    assert "(accept it with --allow-cpu)" in " ".join(run.stdout.split())
