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
from unspool.tflite.marks import Interface
from unspool.unrolling import leading


def convert(deploy_model: Any) -> bytes:
    """Convert a deploy model to a float LiteRT flatbuffer.

    Variables become constants before the converter sees them: it then folds BatchNormalization
    into its neighbours, and needs no SavedModel on disk. The signature `serving_default` carries
    the names of the model's inputs and outputs, the metadata `unspool` what `names` reads there.

    Layers that only scale an input (see `leading`) are left out: the file's input takes what they
    would give, and the metadata says what is to be done to real values before. `Session`,
    `calibrate` and the firmware bundle do it.

    Args:
        deploy_model: a Keras model with batch size 1, as `unroll` returns it.

    Returns:
        the bytes of a float .tflite file.
    """
    interface = _interface(deploy_model)
    deploy_model, scalings = leading.stripped(deploy_model, interface.inputs)
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

    module = tf.Module()
    with quiet(), _told(deploy_model):
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [serve.get_concrete_function()], module
        )
        model = flatbuffer.read(converter.convert())
    _name(model, interface)
    marks.write(model, replace(interface.marks, scalings=tuple(scalings.values())))
    rewriting.rewrite(model)
    return flatbuffer.write(model)


@contextmanager
def _told(deploy_model: Any) -> Iterator[None]:
    """What TensorFlow's converter cannot convert, in a line, with the operators that it names."""
    try:
        yield
    except Exception as error:
        text = str(error)
        listed = re.search(r"ops: (.+)", text)  # "Some ops are not supported ...: Custom ops: A, B"
        reasons = re.findall(r"error: (.+)", text)
        if listed:
            reason = f"no LiteRT form for {listed[1]}"
        else:
            reason = reasons[0] if reasons else last_line(error)
        raise UnspoolError(
            f"model {deploy_model.name!r}: TensorFlow's converter does not take it: "
            f"{reason[:300]}; use other layers or functions of keras.ops"
        ) from error


def _interface(deploy_model: Any) -> Interface:
    """What `unroll` said of the model; for a Keras model of another origin, its own names."""
    found = getattr(deploy_model, "interface", None)
    if isinstance(found, Interface):
        return found
    inputs = tuple(tensor.name for tensor in deploy_model.inputs)
    return Interface(inputs, structure.output_names(deploy_model))


def _name(model: flatbuffer.Model, interface: Interface) -> None:
    """Put inputs and outputs into the model's order, under the model's names.

    The converter sorts them, and calls the tensors `PartitionedCall:0` and the like; Vela and the
    reports know tensors by these names only.
    """
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    taken = {tensor.name for tensor in graph.tensors}
    for entries, given in (
        (signature.inputs, interface.inputs),
        (signature.outputs, interface.outputs),
    ):
        entries.sort(key=lambda entry: int(entry.name.decode().rpartition("_")[2]))
        for entry, name in zip(entries, given, strict=True):
            entry.name = name.encode()
            if entry.name not in taken:
                graph.tensors[entry.tensorIndex].name = entry.name
    graph.inputs = [entry.tensorIndex for entry in signature.inputs]
    graph.outputs = [entry.tensorIndex for entry in signature.outputs]
