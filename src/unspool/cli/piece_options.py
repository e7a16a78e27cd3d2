"""Which piece of an ONNX file is read, and for which sizes."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from unspool.errors import UnspoolError


@dataclass(frozen=True)
class PieceOptions:
    """What `unspool.load` is told of an ONNX file."""

    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            help="Shape of an input, with the batch, where an ONNX file leaves sizes open.",
            metavar="NAME=1,16,8",
        ),
    ] = None
    from_tensor: Annotated[
        str | None,
        typer.Option("--from", help="A tensor of an ONNX file to begin with.", metavar="TENSOR"),
    ] = None
    to_tensor: Annotated[
        str | None,
        typer.Option("--to", help="A tensor of an ONNX file to end with.", metavar="TENSOR"),
    ] = None
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="An input of an ONNX file that is always one number, such as a rate.",
            metavar="NAME=16000",
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Those of `unspool.load` and `unspool.to_onnx`.

        Raises:
            UnspoolError: a shape or a number is none.
        """
        return {
            "input_shapes": shapes(self.shape),
            "from_tensor": self.from_tensor,
            "to_tensor": self.to_tensor,
            "fixed_inputs": numbers(self.fixed),
        }


def numbers(texts: list[str] | None) -> dict[str, float]:
    """Input name -> number, of what --set was given.

    Raises:
        UnspoolError: something is no number.

    >>> numbers(["sr=16000"])
    {'sr': 16000.0}
    """
    input_values = {}
    for text in texts or []:
        name, _, number = text.rpartition("=")
        try:
            input_values[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise UnspoolError(f"--set {text}: expected NAME=NUMBER, such as sr=16000")
    return input_values


def shapes(texts: list[str] | None) -> dict[str, tuple[int, ...]]:
    """Input name -> shape, of what --shape was given.

    Raises:
        UnspoolError: a shape is not of whole numbers above zero.
    """
    input_shapes = {}
    for text in texts or []:
        name, _, sizes = text.rpartition("=")
        numbers = sizes.split(",")
        if not name or not all(number.strip().isdecimal() and int(number) for number in numbers):
            raise UnspoolError(f"--shape {text}: expected NAME=SIZES, such as x=1,16,8")
        input_shapes[name] = tuple(map(int, numbers))
    return input_shapes
