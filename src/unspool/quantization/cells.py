"""Cell states of LSTMs: sums that tanh reads, and that the next step multiplies by a gate.

One unit that counts up to 80 takes the levels of all others, whose states stay below 5: their small
steps are rounded away, call after call. From 4 or 7 on tanh gives its last level, so that what lies
beyond is memory alone: whether it may be cut is for a measurement to say.
"""

from collections.abc import Mapping

from unspool.tflite import flatbuffer


def cells(model: flatbuffer.Model, role_of: Mapping[str, str]) -> frozenset[str]:
    """Names of all cell states of a float model, and of the products `f * c` that they are made of.

    Args:
        model: with its marks.
        role_of: tensor name -> what it is, whatever the step, as `roles` tells.
    """
    operators = flatbuffer.graph_operators(model)
    readers = flatbuffer.readers(operators)
    products = {op.outputs[0]: op for op in operators if op.kind == "MUL"}
    cell_roles: set[str] = set()
    for op in operators:
        written = op.outputs[0]
        if op.kind != "ADD" or all(reader.kind != "TANH" for reader in readers.get(written, [])):
            continue
        for name in op.inputs:
            factors = products[name].inputs if name in products else ()
            if role_of[written] in {role_of[factor] for factor in factors}:
                cell_roles |= {role_of[written], role_of[name]}
    return frozenset(name for name, role in role_of.items() if role in cell_roles)
