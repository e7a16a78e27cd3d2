"""Read a trained model from a file: Keras's, or PyTorch's and ONNX's as a Keras model.

Weights that were trained on go back into an ONNX file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unspool.errors import UnspoolError
from unspool.frontend import keras_file
from unspool.frontend.onnx.loading import load_onnx
from unspool.frontend.onnx.reading import Piece
from unspool.frontend.onnx.writing import with_weights
from unspool.frontend.torch.archive import has_member, is_program
from unspool.frontend.torch.exporting import export, is_module
from unspool.frontend.torch.loading import load_program
from unspool.support.files import AnyPath, check_regular
from unspool.support.text import brief, in_a_line

_WEIGHTS_ALONE = (".pt", ".pth", ".jit", ".ckpt", ".safetensors", ".bin")
"""Endings of files of PyTorch's users that hold weights or code, not a graph that can be read."""


def load(
    path: Any,
    config: Any = None,
    *,
    time_steps: int | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    from_tensor: str | None = None,
    to_tensor: str | None = None,
    fixed_inputs: Mapping[str, float] | None = None,
) -> Any:
    """Load a trained model from a file of Keras (.keras, .h5), of ONNX or of torch.export (.pt2).

    Nothing that a file holds is executed. Files of Keras 2 are read too, with the meaning that
    functions had in Keras 2. Regularizers, constraints and initializers of the user's own are left
    out: inference needs none. A Keras model is compiled with the loss and the metrics that it was
    saved with, if these are Keras's own.

    An ONNX graph or an exported program becomes a Keras functional model of real layers; its inputs
    have the file's axes, without that of the batch, its outputs are a dictionary by the file's
    names, and inputs that are first states are left out. Where torch is installed, a
    torch.nn.Module is exported and read in the same way: `unspool.load(module, (example,))`.

    Args:
        path: the file; its content says which kind it is. Or a torch.nn.Module.
        config: what goes with it: for a Keras file that has the weights alone, the file that
            `model.to_json()` wrote; for a module, the tuple of tensors that it is called with.
        time_steps: of an ONNX file or a program: length of the sequence; None takes the file's.
        input_shapes: of an ONNX file: input name -> shape with the batch, for sizes it leaves open.
        from_tensor: of an ONNX file: a tensor that is fed instead of computed.
        to_tensor: of an ONNX file: a tensor that is the only output.
        fixed_inputs: of an ONNX file: inputs that are always one number, such as a rate.

    Raises:
        UnspoolError: the file is missing or corrupt, is a SavedModel, has the weights alone, asks
            to run code (a Lambda layer), or has a class, function or operator without a form.

    Example:
        >>> model.save(tmp_path / "gru.keras")
        >>> loaded = unspool.load(tmp_path / "gru.keras")
        >>> loaded.count_params() == model.count_params()
        True
    """
    piece = Piece(time_steps, input_shapes or {}, from_tensor, to_tensor, fixed_inputs or {})
    if is_module(path):
        return _of_module(path, config, piece)
    if not isinstance(path, str | os.PathLike):
        raise UnspoolError(
            f"a {type(path).__name__} is given to load; expected the path of a file, or a "
            "torch.nn.Module"
        )
    return _of_file(Path(path), config, piece, str(path))


def to_onnx(
    model: Any,
    source: AnyPath,
    *,
    time_steps: int | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    from_tensor: str | None = None,
    to_tensor: str | None = None,
    fixed_inputs: Mapping[str, float] | None = None,
) -> bytes:
    """Write the weights of a model into the ONNX file that it was read from.

    The graph stays as it is, and so do weights that the model does not have. Where two biases of
    the file are one of the model's, the first takes it and the second is zero.

    Args:
        model: what `load` gave, or one with the same weights trained on, such as of `compress`.
        source: the ONNX file.
        time_steps, input_shapes, from_tensor, to_tensor, fixed_inputs: what `load` was given.

    Returns:
        the content of a file.

    Raises:
        UnspoolError: the model is of another file, or one of its weights is computed from several
            of the file's, so that no weights of the file give it.

    Example:
        >>> model = unspool.load(onnx_file)
        >>> model.set_weights([np.round(weights, 1) for weights in model.get_weights()])
        >>> written = (tmp_path / "rounded.onnx").write_bytes(unspool.to_onnx(model, onnx_file))
    """
    piece = Piece(time_steps, input_shapes or {}, from_tensor, to_tensor, fixed_inputs or {})
    check_regular(Path(source))
    try:
        return with_weights(Path(source), piece, model)
    except UnspoolError as error:
        raise UnspoolError(f"{source}: {in_a_line(str(error))}") from None


def _of_module(module: Any, example_inputs: Any, piece: Piece) -> Any:
    name = type(module).__name__
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt2"
        try:
            export(module, example_inputs, path)
        except UnspoolError as error:
            raise UnspoolError(f"{name}: {in_a_line(str(error))}") from None
        return _of_file(path, None, piece, name)


def _of_file(path: Path, config: AnyPath | None, piece: Piece, name: str) -> Any:
    """The model of a file; `name` is what the user calls it."""
    check_regular(path)
    try:
        if _is_onnx(path):
            return load_onnx(path, piece)
        _check_whole(piece)
        if is_program(path):
            return load_program(path, piece.time_steps)
        _check_not_torch(path)
    except UnspoolError as error:
        raise UnspoolError(f"{name}: {in_a_line(str(error))}") from None
    except Exception as error:  # of protobuf, zip or Keras, where a file is damaged
        reason = f"{type(error).__name__}: {brief(error)}"
        raise UnspoolError(
            f"{name}: cannot be read: it is damaged, or of a form that is not known ({reason})"
        ) from None
    return keras_file.load(path, config)


def _check_whole(piece: Piece) -> None:
    """Check that nothing is asked for that only ONNX files have."""
    for name, value in (
        ("input_shapes", piece.shapes),
        ("from_tensor", piece.start),
        ("to_tensor", piece.stop),
        ("fixed_inputs", piece.given),
    ):
        if value:
            raise UnspoolError(f"not an ONNX file, which alone takes `{name}`")


def _is_onnx(path: Path) -> bool:
    """By its ending, or by its first bytes: the version of ONNX's format, a small number."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".onnx":
        return True
    with path.open("rb") as file:
        field, version, following = (*file.read(3), 0, 0, 0)[:3]
    return field == 0x08 and 1 <= version < 32 and following in b"\x12\x1a\x3a\x42"


def _check_not_torch(path: Path) -> None:
    """Check that a file is none of PyTorch's or ONNX's with weights, a pickle or code alone."""
    if not path.is_file():
        return
    if path.name.lower().endswith(".onnx.data"):
        raise UnspoolError(f"the weights of an ONNX file alone; give {path.stem!r} beside it")
    if path.suffix.lower() == ".pt2":
        raise UnspoolError(
            "not a whole .pt2 file, which torch.export.save writes; copy or save it again"
        )
    named_so = path.suffix.lower() in _WEIGHTS_ALONE and not keras_file.is_hdf5(path)
    if named_so or has_member(path, "data.pkl"):
        raise UnspoolError(
            "a file of PyTorch's without a graph that can be read safely; save the model "
            "with torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
        )
