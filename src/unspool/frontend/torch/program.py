"""An exported program's calls, one after the other, with their arguments as Python has them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import Listed, check_entries
from unspool.frontend.torch.archive import Program

WHOLE = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64"}
"""PyTorch's numbers of types of whole numbers -> NumPy's names."""


@dataclass(frozen=True)
class Ref:
    """A tensor, by its name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of an ATen operator.

    Attributes:
        target: such as "linear", or "add.Scalar" where an operator has several forms.
        arguments: by ATen's names; those that have their defaults are left out.
        outputs: names of tensors.
        module: the module that it was written in, such as "head.0"; "" in the model itself.
    """

    target: str
    arguments: Mapping[str, Any]
    outputs: tuple[str, ...]
    module: str

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, or the default that ATen has for it."""
        value = self.arguments.get(name)
        return default if value is None else value


@dataclass(frozen=True)
class Fed:
    """An input of a program.

    Attributes:
        name: of the tensor.
        shape: of the example that the program was exported with.
        open: axes that the program leaves open.
        dtype: NumPy's name.
    """

    name: str
    shape: tuple[int, ...]
    open: tuple[int, ...]
    dtype: str


def fed(program: Program) -> tuple[Fed, ...]:
    """What a program is fed, in its order."""
    graph = program.graph["graph"]
    inputs = []
    for spec in program.graph["signature"]["input_specs"]:
        if "user_input" in spec:
            argument = spec["user_input"]["arg"]
            if "as_tensor" not in argument:
                raise UnspoolError(f"takes {argument} as an input; expected tensors alone")
            name = argument["as_tensor"]["name"]
            meta = graph["tensor_values"][name]
            sizes = meta["sizes"]
            opened = tuple(n for n, size in enumerate(sizes) if "as_int" not in size)
            kind = WHOLE.get(meta["dtype"], "float32")
            inputs.append(Fed(name, tuple(map(_size, sizes)), opened, kind))
    return tuple(inputs)


def _size(size: Mapping[str, Any]) -> int:
    """A size, or that of the example where it is open."""
    return int(size["as_int"] if "as_int" in size else size["as_expr"]["hint"]["as_int"])


def weights(program: Program) -> dict[str, np.ndarray]:
    """Tensor -> value, of parameters, buffers and constants."""
    values = {}
    for spec in program.graph["signature"]["input_specs"]:
        for kind, field in (
            ("parameter", "parameter_name"),
            ("buffer", "buffer_name"),
            ("tensor_constant", "tensor_constant_name"),
        ):
            if kind in spec:
                values[spec[kind]["arg"]["name"]] = program.weights[spec[kind][field]]
    return values


def outputs(program: Program) -> tuple[str, ...]:
    """The tensors that a program gives out."""
    names = []
    for spec in program.graph["signature"]["output_specs"]:
        argument = spec.get("user_output", {}).get("arg", {})
        if "as_tensor" in argument:
            names.append(argument["as_tensor"]["name"])
    return tuple(names)


def reads(program: Program) -> Iterator[str]:
    """The tensors that calls of a program read, and those that it gives out."""
    for node in program.graph["graph"]["nodes"]:
        for entry in node["inputs"]:
            yield from _read(entry["arg"])
    yield from outputs(program)


def shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """Tensor -> its shape in the example that the program was exported with."""
    values = program.graph["graph"]["tensor_values"]
    sizes = {name: tuple(map(_size, meta["sizes"])) for name, meta in values.items()}
    for name, shape in sizes.items():
        check_entries(f"tensor {name!r}", shape)
    return sizes


def calls(program: Program) -> list[Call]:
    """The calls of a program, in their order."""
    graph = program.graph["graph"]
    sizes: dict[str, int] = {}
    known = shapes(program)
    all_calls = []
    for node in graph["nodes"]:
        arguments = {
            entry["name"]: _value(entry["arg"], sizes) for entry in node["inputs"] if entry["name"]
        }
        target = _target(node["target"])
        if target == "sym_size.int":
            name = node["outputs"][0]["as_sym_int"]["as_name"]
            sizes[name] = known[arguments["self"].name][arguments["dim"]]
            continue
        all_calls.append(
            Call(target, arguments, _names(node["outputs"]), _module(node["metadata"]))
        )
    return [call for call in all_calls if call.outputs]


def listed(program: Program, between: Mapping[str, tuple[str, ...]]) -> tuple[Listed, ...]:
    """The nodes of a program, in their order.

    Args:
        program: with its graph.
        between: first output of a call -> further values that were written for it.
    """
    nodes = []
    for node in program.graph["graph"]["nodes"]:
        reads = [name for entry in node["inputs"] for name in _read(entry["arg"])]
        own = _names(node["outputs"])
        gives = dict.fromkeys((*own, *between.get(own[0] if own else "", ())))
        name = node.get("name") or next(iter(own), node["target"])
        op = node["target"].removeprefix("torch.ops.").removesuffix(".default")
        note = "" if own else "gives no tensor: a size, or a check, of the export"
        nodes.append(Listed(name, op, tuple(reads), tuple(gives), note))
    return tuple(nodes)


def _read(argument: Mapping[str, Any]) -> list[str]:
    """The tensors that an argument is."""
    value = _value(argument, defaultdict(int))
    listed = value if isinstance(value, list) else [value]
    return [item.name for item in listed if isinstance(item, Ref)]


def _target(spelled: str) -> str:
    """ "torch.ops.aten.relu_.default" -> "relu"; others than ATen's with their library's name."""
    library, name, form = (*spelled.removeprefix("torch.ops.").split(".", 2), "", "")[:3]
    if library != "aten":
        return spelled.removeprefix("torch.ops.").removesuffix(".default")
    name = name.rstrip("_")
    return f"{name}.{form}" if form and form != "default" else name


def _value(argument: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    kind, value = next(iter(argument.items()))
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind in ("as_tensors", "as_optional_tensors"):
        return [_value(item, sizes) if "name" not in item else Ref(item["name"]) for item in value]
    if kind == "as_none":
        return None
    if kind in ("as_sym_int", "as_sym_ints"):
        several = value if isinstance(value, list) else [value]
        known = [item["as_int"] if "as_int" in item else sizes[item["as_name"]] for item in several]
        return known if isinstance(value, list) else known[0]
    return value


def _names(outputs_: list[Mapping[str, Any]]) -> tuple[str, ...]:
    names: list[str] = []
    for output in outputs_:
        if "as_tensor" in output:
            names.append(output["as_tensor"]["name"])
        elif "as_tensors" in output:
            names.extend(item["name"] for item in output["as_tensors"])
    return tuple(names)


def _module(metadata: Mapping[str, str]) -> str:
    """ "L__self__,,Net;L__self__head,head,torch.nn.Linear" -> "head"."""
    innermost = metadata.get("nn_module_stack", "").split(";")[-1].split(",")
    return innermost[1] if len(innermost) > 1 else ""
