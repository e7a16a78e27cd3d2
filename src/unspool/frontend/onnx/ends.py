"""What an ONNX graph is fed: which axis is the batch, which is time, and every size fixed."""

from collections.abc import Mapping
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend.onnx.graph import RECURRENT, Ends
from unspool.frontend.onnx.opening import ANY_LENGTH

_BATCHED = ("Conv", "ConvTranspose", "Gemm", "BatchNormalization", "MaxPool", "AveragePool")
"""Operators whose first input has the batch in front."""


def fixed(
    model: Any, time_steps: int | None, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[Ends, ...], dict[int, int]]:
    """Give every input of a model a shape with a batch of one.

    Args:
        model: ONNX's; its inputs are changed, and what it says of other shapes is dropped.
        time_steps: length of the sequence; None takes the file's, or any where it is open.
        shapes: input name -> shape, where the file leaves other sizes open.

    Returns:
        the inputs, and which sizes of the file's own example are others now.

    Raises:
        UnspoolError: a size is open and not given, or what was given does not fit.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    file_sizes = {value.name: _sizes(value) for value in inputs}
    _check_names(shapes, file_sizes)
    told_batches, time_axes = _roles(model, file_sizes)
    likely = {name: _likely_batch(list(shapes.get(name, file_sizes[name]))) for name in file_sizes}
    batch_axes = likely | told_batches
    time_axes = _of_same_name(file_sizes, batch_axes, time_axes) | time_axes
    ends: list[Ends] = []
    changed: dict[int | str, int | str] = {}
    for value in inputs:
        name, sizes = value.name, list(shapes.get(value.name, file_sizes[value.name]))
        if len(sizes) != len(file_sizes[name]):
            raise UnspoolError(
                f"input {name!r}: shape {tuple(sizes)} is given, expected {len(file_sizes[name])} "
                f"sizes for {_spelled(file_sizes[name])}"
            )
        before, axis = list(sizes), batch_axes[name]
        time = time_axes.get(name, axis)
        # One sequence has none: the model itself makes a batch of it.
        batch = None if name not in told_batches and time_axes.get(name) == axis else axis
        if sizes and batch is not None:
            sizes[batch] = 1
        opened = time != batch and not time_steps and isinstance(sizes[time], str)
        if time != batch:
            sizes[time] = time_steps or (ANY_LENGTH if opened else sizes[time])
        changed |= {old: new for old, new in zip(before, sizes, strict=True) if old != new}
        ends.append(
            Ends(name, _closed(name, sizes), batch, _dtype(value), time if opened else None)
        )
    _write(model, inputs, ends)
    return tuple(ends), {old: int(new) for old, new in changed.items() if isinstance(old, int)}


def _closed(name: str, sizes: list[int | str]) -> tuple[int, ...]:
    for axis, size in enumerate(sizes):
        if isinstance(size, str):
            raise UnspoolError(
                f"input {name!r}: the file leaves axis {axis} of {_spelled(sizes)} open; give its "
                f"shape (`input_shapes`), such as {name}={_example(sizes)}"
            )
    return tuple(int(size) for size in sizes)


def _example(sizes: list[int | str]) -> str:
    return ",".join("16" if isinstance(size, str) else str(size) for size in sizes)


def _check_names(shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Any]) -> None:
    for name in shapes:
        if name not in inputs:
            raise UnspoolError(
                f"a shape for {name!r} is given; expected one of the inputs "
                f"{', '.join(map(repr, inputs))}"
            )


def _sizes(value: Any) -> list[int | str]:
    """Sizes of an input, with a name where one is open."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        raise UnspoolError(f"input {value.name!r}: the file does not say its shape; export it anew")
    sizes = (dim.dim_value if dim.dim_value > 0 else dim.dim_param for dim in kind.shape.dim)
    return [size or _NAMELESS for size in sizes]


_NAMELESS = "?"


def _spelled(sizes: list[int | str]) -> str:
    return f"({', '.join(map(str, sizes))})"


def _likely_batch(sizes: list[int | str]) -> int:
    """The batch's axis where no operator tells.

    By its name, the first of one entry, the only one that is open without a name, or axis 0.
    """
    for axis, size in enumerate(sizes):
        if isinstance(size, str) and size.lower().startswith(("batch", "n", "b")):
            return axis
    nameless = sizes.index(_NAMELESS) if sizes.count(_NAMELESS) == 1 else 0
    return next((axis for axis, size in enumerate(sizes) if size in (1, "1")), nameless)


def _roles(
    model: Any, file_sizes: Mapping[str, list[int | str]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Input name -> the axis of its batch, and that of its time, as operators read them.

    Every size is given a name of its own; where ONNX's shape inference finds that name again, in
    the input of an operator that has an axis for it, is what it means.
    """
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.value_info[:], probe.graph.output[:]
    for value in probe.graph.input:
        if value.name in file_sizes:
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                dim.dim_param = f"{value.name}//{axis}"
    try:
        inferred = onnx.shape_inference.infer_shapes(probe)
    except Exception:  # what cannot be inferred tells nothing
        inferred = probe
    symbols = {
        value.name: [dim.dim_param for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *probe.graph.input)
    }
    batches: dict[str, int] = {}
    times: dict[str, int] = {}

    def note(axes: dict[str, int], value: str, axis: int) -> None:
        sizes = symbols.get(value, [])
        name, mark, place = (sizes[axis] if axis < len(sizes) else "").rpartition("//")
        if mark:
            axes.setdefault(name, int(place))

    for node in model.graph.node:
        if node.op_type in RECURRENT:
            first = any(a.name == "layout" and a.i == 1 for a in node.attribute)
            note(batches, node.input[0], 0 if first else 1)
            note(times, node.input[0], 1 if first else 0)
            for state in list(node.input)[5:7]:
                note(batches, state, 0 if first else 1)
        elif node.op_type in _BATCHED:
            note(batches, node.input[0], 0)
    # A Gemm behind a recurrence may work on the steps of one sequence.
    return {name: axis for name, axis in batches.items() if times.get(name) != axis}, times


def _of_same_name(
    file_sizes: Mapping[str, list[int | str]], batches: Mapping[str, int], times: Mapping[str, int]
) -> dict[str, int]:
    """Input name -> the axis of its time where no operator tells: open by the name of another's.

    Where operators tell of none, it is the one name by which sizes but the batch's are open.
    """
    opened = {
        (name, axis): size
        for name, sizes in file_sizes.items()
        for axis, size in enumerate(sizes)
        if isinstance(size, str) and axis != batches[name]
    }
    known = {opened[end] for end in times.items() if end in opened} or set(opened.values())
    if len(known) != 1:
        return {}
    return {name: axis for (name, axis), size in opened.items() if size in known}


def _dtype(value: Any) -> str:
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def _write(model: Any, inputs: list[Any], ends: list[Ends]) -> None:
    del model.graph.value_info[:]
    for value, end in zip(inputs, ends, strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, end.shape, strict=True):
            dim.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
