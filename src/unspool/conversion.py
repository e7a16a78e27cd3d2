"""Deploy model -> float .tflite, with its names."""

import re
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
    names = [_tflite_name(tensor.name) for tensor in deploy_model.inputs]
    results = [_tflite_name(name) for name in _distinct(deploy_model.output_names)]
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
        converted: bytes = converter.convert()
    return _named(converted, names, results)


_STATE = re.compile(r"\.(?=[hc]\d*_(in|out)$)")


def _tflite_name(name: str) -> str:
    """A state's name with its slash, which Keras's names cannot have: `gru.h_in` -> `gru/h_in`."""
    return _STATE.sub("/", name)


def _distinct(names: list[str]) -> list[str]:
    """Names made different: the outputs of one layer, such as its states, share its name."""
    return [
        name if names.count(name) == 1 else f"{name}_{names[:position].count(name)}"
        for position, name in enumerate(names)
    ]


def _named(content: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """Put inputs and outputs into the model's order, under the model's names.

    The converter sorts them, and calls the tensors `PartitionedCall:0` and the like; Vela and the
    reports know tensors by these names only.
    """
    model = flatbuffer.read(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    taken = {tensor.name for tensor in graph.tensors}
    for entries, names in ((signature.inputs, inputs), (signature.outputs, outputs)):
        for entry in entries:
            entry.name = names[int(entry.name.decode().rpartition("_")[2])].encode()
            if entry.name not in taken:
                graph.tensors[entry.tensorIndex].name = entry.name
        entries.sort(key=lambda entry: names.index(entry.name.decode()))
    graph.inputs = [entry.tensorIndex for entry in signature.inputs]
    graph.outputs = [entry.tensorIndex for entry in signature.outputs]
    return flatbuffer.write(model)
