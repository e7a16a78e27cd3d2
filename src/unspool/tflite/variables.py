"""What a .tflite file keeps from one inference to the next by itself."""

from unspool.tflite import flatbuffer


def variables(model: flatbuffer.Model) -> list[str]:
    """Names of variable tensors, as a fused LSTM has them, and of resource variables."""
    tensors = (tensor for graph in model.subgraphs for tensor in graph.tensors)
    names = [tensor.name.decode() for tensor in tensors if tensor.isVariable]
    return [*names, *resources(model)]


def resources(model: flatbuffer.Model) -> list[str]:
    """Names of resource variables, of a stateful Keras layer that the converter did not fuse."""
    handles = (
        op.builtinOptions.sharedName.decode()
        for graph in model.subgraphs
        for op in graph.operators
        if flatbuffer.operator_kind(model, op) == "VAR_HANDLE"
    )
    return list(dict.fromkeys(handles))
