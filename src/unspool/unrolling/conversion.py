"""Deploy model -> float .tflite, with its names."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from unspool.errors import UnspoolError
from unspool.frontend import structure
from unspool.support._tensorflow import keras, tf
from unspool.support.collecting import uncollected
from unspool.support.quiet import quiet
from unspool.support.text import last_line
from unspool.tflite import flatbuffer, marks, rewriting
from unspool.tflite.filling import fill
from unspool.tflite.gaps import Irregular
from unspool.tflite.marks import Interface
from unspool.unrolling import leading
from unspool.unrolling.ranges import known_ranges
from unspool.unrolling.recurrent.loop import with_gaps


@uncollected()
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
    model, function = _with_gaps_filled(deploy_model)
    ranges = known_ranges(deploy_model, function, model)
    names = _name(model, interface)
    known = replace(
        interface.marks,
        scalings=tuple(scalings.values()),
        ranged=tuple(replace(each, tensor=names.get(each.tensor, each.tensor)) for each in ranges),
    )
    marks.write(model, known)
    rewriting.rewrite(model)
    return flatbuffer.write(model)


def _with_gaps_filled(deploy_model: Any) -> tuple[flatbuffer.Model, Any]:
    """What TensorFlow's converter makes of the model, which it sees a few steps of where it can.

    Returns:
        the .tflite, and the function that it saw.
    """
    with quiet(), _one_line_errors(deploy_model):
        with with_gaps() as layers:
            model, function = _by_tensorflow(deploy_model)
        try:
            fill(model, layers)
        except Irregular:
            model, function = _by_tensorflow(deploy_model)
    return model, function


def _by_tensorflow(deploy_model: Any) -> tuple[flatbuffer.Model, Any]:
    function = _function(deploy_model)
    model = flatbuffer.read(_converted(function))
    _drop_place_of_buffers(model)
    _share_constants(model)
    return model, function


def _function(deploy_model: Any) -> Any:
    """The model as a concrete function that captures constants in place of its variables."""
    constants = [(v, tf.constant(v.numpy())) for v in deploy_model.variables]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec(t.shape, t.dtype, f"input_{n}") for n, t in enumerate(deploy_model.inputs)
        ]
    )
    def serve(*inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=constants):
            outputs = deploy_model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return tf.nest.flatten(outputs)

    return serve.get_concrete_function()


def _converted(function: Any) -> bytes:
    """A concrete function as TensorFlow's converter writes it, without a signature."""
    if any(value.dtype == tf.resource for value in function.captured_inputs):
        # Variables that Keras does not know of: TensorFlow makes constants of them.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        converter.experimental_lower_to_saved_model = False
    else:
        converter = tf.compat.v1.lite.TFLiteConverter(*_graph(function))
    # Else TensorFlow parses the file in Python twice: for metadata, and to share equal constants.
    converter.exclude_conversion_metadata = True
    converter._experimental_use_buffer_offset = True
    content: bytes = converter.convert()
    return content


def _graph(function: Any) -> tuple[Any, list[Any], list[Any]]:
    """A graph that calls the function on constants, its inputs and its outputs.

    TensorFlow makes the same one by way of a SavedModel on disk, and takes longer for it than all
    else takes. Without the call, the file would have its operators in another order.
    """

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=function.structured_input_signature[0], autograph=False
    )
    def call(*inputs: Any) -> Any:
        return function(*inputs)

    outer = call.get_concrete_function()
    definition = outer.graph.as_graph_def()
    count = len(outer.inputs) - len(outer.captured_inputs)
    captured = zip(outer.inputs[count:], outer.captured_inputs, strict=True)
    constants = {tensor.op.name: tf.make_tensor_proto(value.numpy()) for tensor, value in captured}
    # TensorFlow calls them by numbers of its own, and fused operators by their names too.
    names = {old: f"Const_{number}" for number, old in enumerate(constants)}
    for node in definition.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        if node.name in constants:
            value = constants[node.name]
            node.CopyFrom(tf.compat.v1.NodeDef(name=names[node.name], op="Const"))
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
    return definition, outer.inputs[:count], outer.outputs


def _drop_place_of_buffers(model: flatbuffer.Model) -> None:
    """Remove the metadata that tells of buffers behind the flatbuffer: they have been read in."""
    for entry in [entry for entry in model.metadata if entry.name == b"buffer_location"]:
        model.metadata.remove(entry)
        del model.buffers[entry.buffer]


def _share_constants(model: flatbuffer.Model) -> None:
    """Let equal constants have one buffer."""
    first: dict[bytes, int] = {}
    for tensor in sorted(model.subgraphs[0].tensors, key=lambda tensor: int(tensor.buffer)):
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data):
            buffer = first.setdefault(bytes(data), tensor.buffer)
            if buffer != tensor.buffer:
                model.buffers[tensor.buffer].data = None
                tensor.buffer = buffer


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


def _name(model: flatbuffer.Model, interface: Interface) -> dict[str, str]:
    """Give inputs and outputs the model's names, as tensors and in a signature.

    The converter calls the tensors `Identity_1` and the like. Vela and the reports know tensors by
    their names only.

    Returns:
        the converter's names of these tensors -> the new ones.
    """
    graph, signature = model.subgraphs[0], schema.SignatureDefT()
    signature.signatureKey = b"serving_default"
    signature.inputs = _ports(graph.inputs, interface.inputs)
    signature.outputs = _ports(graph.outputs, interface.outputs)
    model.signatureDefs = [signature]
    ports = [*signature.inputs, *signature.outputs]
    before = {port.tensorIndex: graph.tensors[port.tensorIndex].name.decode() for port in ports}
    for number, port in enumerate(ports):  # so that no name is taken by another of them
        graph.tensors[port.tensorIndex].name = f"port:{number}".encode()
    names = {tensor.name for tensor in graph.tensors}
    for port in ports:
        if port.name not in names:
            graph.tensors[port.tensorIndex].name = port.name
    return {name: graph.tensors[index].name.decode() for index, name in before.items()}


def _ports(indices: Sequence[int], names: Sequence[str]) -> list[Any]:
    """Entries of a signature: a name for each tensor."""
    ports = []
    for index, name in zip(indices, names, strict=True):
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name.encode(), int(index)
        ports.append(port)
    return ports
