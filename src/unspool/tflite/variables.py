"""What a .tflite file keeps from one inference to the next by itself."""

from unspool.tflite import flatbuffer


def variables(model: flatbuffer.Model) -> list[str]:
    """Names of variable tensors, as a fused LSTM has them, and of resource variables.

    Resource variables are those of a stateful Keras layer that the converter did not fuse.
    """
    tensors = (tensor for graph in model.subgraphs for tensor in graph.tensors)
    names = [tensor.name.decode() for tensor in tensors if tensor.isVariable]
    resources = (
        op.builtinOptions.sharedName.decode()
        for graph in model.subgraphs
        for op in graph.operators
        if flatbuffer.operator_kind(model, op) == "VAR_HANDLE"
    )
    return [*names, *dict.fromkeys(resources)]
