"""Trained model -> deploy model: the same function with batch size 1 and no loop."""

from collections.abc import Callable
from typing import Any

from unspool._tensorflow import keras, tf
from unspool.errors import UnspoolError
from unspool.inspection import REMOVED, Verdict, inspect, is_graph
from unspool.recurrent.layers import DeployLayer, State, bidirectional, recurrent, streaming
from unspool.recurrent.loop import PerStep
from unspool.substitutes import substitute


def unroll(model: Any, time_steps: int | None = None, *, allow_cpu: bool = False) -> Any:
    """Rebuild a trained Keras model without loops, for one sample at a time.

    Recurrent layers are replaced by `time_steps` copies of their step that share weights; nested
    models are made flat; dropout is left out; every other layer is cloned with its weights. The
    trained model is not changed.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: length of the sequence where the model leaves it open, `(None, features)`.
        allow_cpu: accept layers that no NPU runs, such as Embedding.

    Returns:
        a Functional Keras model with the same input and output names and batch size 1.

    Raises:
        UnspoolError: the model has no graph, no recurrent layer, or a layer that cannot be
            deployed; the message names it.
    """
    _check(inspect(model), model, allow_cpu)
    inputs = _deploy_inputs(model, time_steps)
    outputs = _outputs(model, inputs, recurrent)
    return keras.Model(_alone(inputs), _alone(outputs), name=model.name)


def unroll_stream(model: Any, time_steps: int = 1, *, allow_cpu: bool = False) -> Any:
    """Rebuild a trained Keras model as `unroll` does, for a stream that is fed chunk by chunk.

    Each recurrent layer gains an input `<layer>.h_in` (LSTM: and `.c_in`) and an output
    `<layer>.h_out`, each (1, units); in the .tflite they are called `<layer>/h_in` and so on.

    Args:
        model: a built Sequential or Functional Keras model with inputs (batch, time, ...).
        time_steps: of one chunk, whatever length the model was trained on.
        allow_cpu: accept layers that no NPU runs, such as Embedding.

    Returns:
        a Functional Keras model with the model's inputs, then the states; the same for outputs.

    Raises:
        UnspoolError: as `unroll`, and for layers that look at time steps of other chunks:
            backward recurrence, convolution, pooling or reshaping over time.
    """
    _check(inspect(model), model, allow_cpu)
    _check_streams(model)
    inputs = [
        keras.Input(
            (time_steps, *t.shape[2:]) if len(t.shape) > 2 else t.shape[1:],
            batch_size=1,
            dtype=t.dtype,
            name=t.name,
        )
        for t in model.inputs
    ]
    states: list[State] = []
    outputs = _outputs(model, inputs, lambda layer, name: streaming(layer, name, states))
    after = [keras.layers.Identity(name=f"{s.name}_out")(s.after) for s in states]
    return keras.Model(
        [*inputs, *(state.before for state in states)], [*outputs, *after], name=model.name
    )


_PER_STEP = (
    *(keras.layers.Dense, keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU),
    *(keras.layers.Softmax, keras.layers.BatchNormalization, keras.layers.LayerNormalization),
    *(keras.layers.TimeDistributed, keras.layers.Concatenate, keras.layers.Add),
    *(keras.layers.Subtract, keras.layers.Multiply, keras.layers.Average, keras.layers.Maximum),
    *(keras.layers.Embedding, keras.layers.Rescaling, keras.layers.RNN, keras.layers.InputLayer),
    *REMOVED,
)
"""Layers that give for each time step what depends on this step, or on those before."""


def is_streamable(model: Any) -> bool:
    """Whether `unroll_stream` takes a model that `unroll` takes, as far as its layers show."""
    try:
        _check_streams(model)
    except UnspoolError:
        return False
    return True


def _check_streams(model: Any) -> None:
    """Refuse layers that would give something else chunk by chunk than on the whole sequence."""
    for layer in model.layers:
        if is_graph(layer):
            _check_streams(layer)
            continue
        where = f"layer {layer.name!r} ({type(layer).__name__})"
        if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
            raise UnspoolError(
                f"{where}: reads the sequence from its end, which a stream does not have yet; "
                "deploy it without states, or train it forwards only"
            )
        has_time = any(len(tensor.shape) > 2 for tensor in keras.tree.flatten(layer.input))
        if has_time and not isinstance(layer, _PER_STEP):
            raise UnspoolError(
                f"{where}: mixes time steps, so chunk by chunk it would compute something else; "
                "deploy it without states, or put it after the last recurrent layer"
            )


def _outputs(
    model: Any, inputs: list[Any], unrolled: Callable[[Any, str], DeployLayer]
) -> list[Any]:
    """The model's outputs on new inputs, under the names of the trained model's."""
    outputs = _rebuild(model, inputs, "", {}, unrolled)
    names = keras.Model(model.inputs, model.outputs).output_names  # a Sequential has none itself
    return [_named(tensor, name) for tensor, name in zip(outputs, names, strict=True)]


def _check(verdicts: tuple[Verdict, ...], model: Any, allow_cpu: bool) -> None:
    for verdict in verdicts:
        if verdict.action == "refuse" or (verdict.action == "cpu" and not allow_cpu):
            raise UnspoolError(f"layer {verdict.layer!r} ({verdict.kind}): {verdict.detail}")
    if not any(verdict.action == "unroll" for verdict in verdicts):
        raise UnspoolError(
            f"model {model.name!r} has no recurrent layer (SimpleRNN, GRU or LSTM) to unroll"
        )


def _alone(tensors: list[Any]) -> Any:
    """A list of one as its element: Keras then takes and returns a tensor, not a list."""
    return tensors[0] if len(tensors) == 1 else tensors


def _named(tensor: Any, name: str) -> Any:
    """The tensor, given out by an operation of the trained model's output name."""
    if tensor._keras_history.operation.name == name:
        return tensor
    return keras.layers.Identity(name=name)(tensor)


def _deploy_inputs(model: Any, time_steps: int | None) -> list[Any]:
    """Inputs with batch size 1, and `time_steps` where the model leaves the length open."""
    is_open = [len(t.shape) > 1 and t.shape[1] is None for t in model.inputs]
    if time_steps is not None and not any(is_open):
        fixed = {tensor.shape[1] for tensor in model.inputs if len(tensor.shape) > 2}
        if time_steps not in fixed:
            raise UnspoolError(
                f"input {model.inputs[0].name!r} has {model.inputs[0].shape[1]} time steps fixed "
                f"in the model, got time_steps={time_steps}: leave it out, or build the model "
                "with (None, features)"
            )
    inputs = []
    for tensor, length_is_open in zip(model.inputs, is_open, strict=True):
        batch, *shape = tensor.shape
        if batch not in (None, 1):
            raise UnspoolError(
                f"input {tensor.name!r} has the batch size {batch} fixed in the model; "
                "build it without batch_size, or with 1"
            )
        if length_is_open:
            shape[0] = time_steps
        if None in shape:
            raise UnspoolError(
                f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}: "
                "say how many time steps to unroll (--time-steps N, or time_steps=N)"
                if length_is_open and None not in shape[1:]
                else f"input {tensor.name!r} has the open shape {tuple(tensor.shape)}: "
                "only the time steps, the first dimension after the batch, may be open"
            )
        inputs.append(keras.Input(shape, batch_size=1, dtype=tensor.dtype, name=tensor.name))
    return inputs


def _rebuild(
    model: Any,
    inputs: list[Any],
    prefix: str,
    copies: dict[int, DeployLayer],
    unrolled: Callable[[Any, str], DeployLayer],
) -> Any:
    """Run `model`'s graph on new tensors, through deploy-time copies of its layers.

    Args:
        model: the trained model, or one nested in it.
        inputs: new tensors in its inputs' order.
        prefix: of the copies' names: that of the models around this one.
        copies: trained layer -> its copy; a layer that is called twice is copied once.
        unrolled: makes the deploy-time form of a recurrent layer, given the layer and its name.

    Returns:
        new tensors in the order of the model's outputs.
    """

    def copy(layer: Any) -> DeployLayer:
        if id(layer) not in copies:
            copies[id(layer)] = _copy(layer, prefix, copies, unrolled)
        return copies[id(layer)]

    def call(layer: DeployLayer, *args: Any, **kwargs: Any) -> Any:
        kwargs = {key: value for key, value in kwargs.items() if key not in ("mask", "training")}
        return layer(*args, **kwargs)

    graph = keras.Model(model.inputs, model.outputs)
    # What keras.models.clone_model does, which would not let a copy add inputs of its own.
    return keras.tree.flatten(graph._run_through_graph(inputs, operation_fn=copy, call_fn=call))


def _copy(
    layer: Any,
    prefix: str,
    copies: dict[int, DeployLayer],
    unrolled: Callable[[Any, str], DeployLayer],
) -> DeployLayer:
    """What is called in a layer's place."""
    name = prefix + layer.name
    if is_graph(layer):
        return lambda *inputs, **_: _alone(
            _rebuild(layer, keras.tree.flatten(inputs), f"{name}_", copies, unrolled)
        )
    if isinstance(layer, keras.layers.Bidirectional):
        return bidirectional(layer, name)
    if isinstance(layer, keras.layers.RNN):
        return unrolled(layer, name)
    if isinstance(layer, keras.layers.TimeDistributed):
        return _time_distributed(layer, name)
    if isinstance(layer, REMOVED):
        return lambda tensor, **_: tensor
    if isinstance(layer, keras.layers.InputLayer) or not isinstance(layer, keras.layers.Layer):
        return layer  # type: ignore[no-any-return]  # no weights: an input, or a keras.ops function
    return substitute(layer, name) or _clone(layer, name)


def _clone(layer: Any, name: str) -> DeployLayer:
    clone = type(layer).from_config({**layer.get_config(), "name": name, "dtype": "float32"})
    clone.trained_values = lambda: [tf.convert_to_tensor(w) for w in layer.weights]

    def call(*args: Any, **kwargs: Any) -> Any:
        first = not clone.built
        outputs = clone(*args, **kwargs)
        if first:
            clone.set_weights(layer.get_weights())
        return outputs

    return call


def _time_distributed(layer: Any, name: str) -> DeployLayer:
    inner = layer.layer
    if isinstance(inner, keras.layers.Dense | keras.layers.Activation):
        return _clone(inner, name)  # they work on the last axis alone

    def call(sequence: Any, **_: Any) -> Any:
        row = keras.Input(sequence.shape[2:], batch_size=1)
        per_step = keras.Model(
            row, _alone(keras.tree.flatten(_copy(inner, "", {}, recurrent)(row)))
        )
        return PerStep(per_step, name=name)(sequence)

    return call
