"""Put another command stream and a larger scratch tensor into a file that Vela wrote."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from unspool.tflite import flatbuffer

_ALIGNMENT = 16  # of every buffer: the driver refuses a stream or weights that lie elsewhere
_COMMAND_STREAM = 2  # the driver action, in the word before the stream


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose data starts at a multiple of 16 bytes.

    The schema says so (`force_align`), but the packing code that FlatBuffers generates for
    Python does not heed it.
    """

    def Pack(self, builder: Any) -> Any:
        if self.data is None or not len(self.data):
            return super().Pack(builder)
        data = bytes(bytearray(self.data))
        builder.StartVector(1, len(data), _ALIGNMENT)
        builder.head = builder.head - len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def payload(old: bytes, position: int, stream: bytes) -> bytes:
    """The payload `old`, whose stream starts at byte `position`, with another stream.

    The actions in front of the stream stay, with their padding; the stream's own action holds
    its length in words: 16 bits in the upper half, 8 more above the code.
    """
    words = len(stream) // 4
    action = _COMMAND_STREAM | (words >> 16) << 8 | (words & 0xFFFF) << 16
    return old[: position - 4] + action.to_bytes(4, "little") + stream


def repack(data: bytes, position: int, stream: bytes, region: int, size: int) -> bytes:
    """The file with another stream, and `size` bytes for memory region `region` (1 or 2).

    Everything else stays: tensors, their offsets, metadata, signatures. The regions start where
    they started, so the offsets of the network's inputs and outputs hold.
    """
    model = flatbuffer.read(data)
    graph = model.subgraphs[0]
    inputs = graph.operators[0].inputs
    commands, memory = graph.tensors[inputs[0]], graph.tensors[inputs[region + 1]]
    buffer = model.buffers[commands.buffer]
    content = payload(bytes(bytearray(buffer.data)), position, stream)
    buffer.data = np.frombuffer(content, np.uint8)
    commands.shape, memory.shape = [len(content)], [size]
    for item in model.buffers:
        item.__class__ = _AlignedBuffer
    return flatbuffer.write(model)
