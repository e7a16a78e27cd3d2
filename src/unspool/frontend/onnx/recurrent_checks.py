"""Whether a recurrent node is one that Keras's layers, and the NPU, have a form for."""

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import Node
from unspool.frontend.onnx.scope import Scope

_GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}


def directions(node: Node) -> int:
    """One, or two of a bidirectional node."""
    return 2 if node.attributes.get("direction", "forward") == "bidirectional" else 1


def check(node: Node, scope: Scope) -> None:
    """Check that a node has nothing that Keras's layers, and the NPU, have no form for."""
    direction = node.attributes.get("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise UnspoolError(
            f"has the attribute direction={direction!r}; expected forward, reverse or bidirectional"
        )
    if node.attributes.get("clip"):
        raise UnspoolError(
            f"has the attribute clip={node.attributes['clip']:g}, which has no form on the NPU; "
            "train without it"
        )
    if node.attributes.get("input_forget"):
        raise UnspoolError(
            "has the attribute input_forget=1, which has no form on the NPU; train with a forget "
            "gate of its own"
        )
    peepholes = scope.given(node, 7)
    if peepholes is not None and peepholes.any():
        raise UnspoolError("has peepholes, which have no form on the NPU; train without them")


def check_weights(node: Node, scope: Scope, features: int) -> None:
    """Check shapes, before Keras makes weights as large as an input."""
    units, gates = scope.needs(node, 2).shape[-1], _GATES[node.op]
    lead = (directions(node), gates * units)
    for position, shape in (
        (1, (*lead, features)),
        (2, (*lead, units)),
        (3, (lead[0], 2 * lead[1])),
    ):
        weights = scope.given(node, position)
        if weights is not None and weights.shape != shape:
            raise UnspoolError(f"has weights of {weights.shape}; expected {shape}")
