"""Deploy model -> float .tflite, with its names."""

from typing import Any

from unspool import flatbuffer, names, rewriting, structure
from unspool._tensorflow import keras, tf
from unspool.names import Interface
from unspool.quiet import quiet


def convert(deploy_model: Any) -> bytes:
    """Convert a deploy model to a float LiteRT flatbuffer.

    Variables become constants before the converter sees them: it then folds BatchNormalization
    into its neighbours, and needs no SavedModel on disk. The signature `serving_default` carries
    the names of the model's inputs and outputs, the metadata `unspool` what `names` reads there.

    Args:
        deploy_model: a Keras model with batch size 1, as `unroll` returns it.

    Returns:
        the bytes of a float .tflite file.
    """
    interface = _interface(deploy_model)
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
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [serve.get_concrete_function()], module
        )
        model = flatbuffer.read(converter.convert())
    _name(model, interface)
    names.write(model, interface.marks)
    rewriting.rewrite(model)
    return flatbuffer.write(model)


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
