"""Deploy model -> float .tflite, with its names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.support._tensorflow import keras, tf
from unspool.support.quiet import quiet
from unspool.support.text import last_line
from unspool.tflite import flatbuffer, marks, rewriting
from unspool.tflite.filling import fill
from unspool.tflite.gaps import Irregular
from unspool.tflite.marks import Interface
from unspool.unrolling import leading
from unspool.unrolling.recurrent.loop import with_gaps


def convert(deploy_model: Any) -> bytes:
    """Convert a deploy model to a float LiteRT flatbuffer.

    Variables become constants before the converter sees them: it then folds BatchNormalization
    into the neighbouring layers, and needs no SavedModel on disk. The signature `serving_default`
    has the names of the model's inputs and outputs, the metadata `unspool` what Unspool itself
    knows of the network.

    Layers that only scale an input are left out: the file's input takes scaled values, and the
    metadata says how to scale real ones. `Session`, `calibrate` and the firmware bundle do so.

    Args:
        deploy_model: a Keras model with batch size 1, as `unroll` returns it.

    Returns:
        the bytes of a float .tflite file.

    Example:
        >>> float_tflite = unspool.convert(unspool.unroll(model))
        >>> unspool.Session(float_tflite).predict(data)[0].shape  # 40 samples, 4 classes
        (40, 4)
    """
    interface = _interface(deploy_model)
    deploy_model, scalings = leading.stripped(deploy_model, interface.inputs)
    model = _converted(deploy_model)
    _name(model, interface)
    marks.write(model, replace(interface.marks, scalings=tuple(scalings.values())))
    rewriting.rewrite(model)
    return flatbuffer.write(model)


def _converted(deploy_model: Any) -> flatbuffer.Model:
    """What TensorFlow's converter makes of the model, which it sees a few steps of where it can."""
    with quiet(), _one_line_errors(deploy_model):
        with with_gaps() as layers:
            model = _by_tensorflow(deploy_model)
        try:
            fill(model, layers)
        except Irregular:
            model = _by_tensorflow(deploy_model)
    return model


def _by_tensorflow(deploy_model: Any) -> flatbuffer.Model:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_graph(deploy_model)], tf.Module())
    converter.exclude_conversion_metadata = True  # which TensorFlow parses the file again for
    return flatbuffer.read(converter.convert())


def _graph(deploy_model: Any) -> Any:
    """The model's graph with constants in place of its variables, as a concrete function."""
    constants = [(v, tf.constant(v.numpy())) for v in deploy_model.variables]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec(t.shape, t.dtype, f"input_{n}") for n, t in enumerate(deploy_model.inputs)
        ]
    )
    def serve(*inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=constants):
            outputs = deploy_model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return {f"output_{n}": t for n, t in enumerate(tf.nest.flatten(outputs))}

    return serve.get_concrete_function()


@contextmanager
def _one_line_errors(deploy_model: Any) -> Iterator[None]:
    """Turn an error of TensorFlow's converter into one line, with the operators that it names.

    Raises:
        UnspoolError: in its place.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        listed = re.search(r"^(?:TF Select|Custom) ops: (.+)$", text, re.MULTILINE)
        reasons = re.findall(r"error: (.+)", text)
        if listed:
            reason = f"no LiteRT form for {listed[1].strip()}"
        else:
            reason = reasons[0] if reasons else last_line(error)
            reason = reason.partition(" for '{{node")[0]
        raise UnspoolError(
            f"model {deploy_model.name!r}: TensorFlow's converter does not take it: "
            f"{reason[:300]}; use other layers or functions of keras.ops",
            reason=f"TensorFlow's converter does not take it: {reason[:300]}",
        ) from error


def _interface(deploy_model: Any) -> Interface:
    """The interface that `unroll` gave the model; for other Keras models, their own names."""
    interface = getattr(deploy_model, "interface", None)
    if isinstance(interface, Interface):
        return interface
    inputs = tuple(tensor.name for tensor in deploy_model.inputs)
    return Interface(inputs, structure.output_names(deploy_model))


def _name(model: flatbuffer.Model, interface: Interface) -> None:
    """Put inputs and outputs into the model's order, and give them the model's names.

    The converter sorts them, and calls the tensors `PartitionedCall:0` and the like. Vela and the
    reports know tensors by their names only.
    """
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    taken = {tensor.name for tensor in graph.tensors}
    for entries, names in (
        (signature.inputs, interface.inputs),
        (signature.outputs, interface.outputs),
    ):
        entries.sort(key=lambda port: int(port.name.decode().rpartition("_")[2]))
        for port, name in zip(entries, names, strict=True):
            port.name = name.encode()
            if port.name not in taken:
                graph.tensors[port.tensorIndex].name = port.name
    graph.inputs = [port.tensorIndex for port in signature.inputs]
    graph.outputs = [port.tensorIndex for port in signature.outputs]
