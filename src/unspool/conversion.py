"""Deploy model -> float .tflite, with its names."""

from typing import Any

from unspool import flatbuffer
from unspool._tensorflow import keras, tf
from unspool.quiet import quiet


def convert(deploy_model: Any) -> bytes:
    """Convert a deploy model to a float LiteRT flatbuffer.

    Variables become constants before the converter sees them: it then folds BatchNormalization
    into its neighbours, and needs no SavedModel on disk. The signature `serving_default` carries
    the names of the model's inputs and outputs.

    Args:
        deploy_model: a Keras model with batch size 1, as `unroll` returns it.

    Returns:
        the bytes of a float .tflite file.
    """
    names = deploy_model.output_names
    constants = [(v, tf.constant(v.numpy())) for v in deploy_model.variables]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec(t.shape, t.dtype, t.name) for t in deploy_model.inputs]
    )
    def serve(*inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=constants):
            outputs = deploy_model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return dict(zip(names, tf.nest.flatten(outputs), strict=True))

    module = tf.Module()
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [serve.get_concrete_function()], module
        )
        converted: bytes = converter.convert()
    return _with_signature_names(converted)


def _with_signature_names(content: bytes) -> bytes:
    """Name inputs and outputs as in the signature, for `PartitionedCall:0` and the like.

    Vela and the reports know tensors by their own names only.
    """
    model = flatbuffer.read(content)
    tensors = model.subgraphs[0].tensors
    for entry in [*model.signatureDefs[0].inputs, *model.signatureDefs[0].outputs]:
        if not any(tensor.name == entry.name for tensor in tensors):
            tensors[entry.tensorIndex].name = entry.name
    return flatbuffer.write(model)
