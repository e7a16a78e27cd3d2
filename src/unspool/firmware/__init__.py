"""The firmware bundle: C files to paste into a project with TFLM and the Ethos-U driver.

<name>_model.h/.c   the compiled network as an array, and the memory to reserve
<name>_io.h/.c      quantize inputs, dequantize outputs, reset the states and feed them back
README.md           the calls to write around them, and which memory each part belongs in
"""

from collections.abc import Mapping

from unspool.compilation.compiled import Compiled
from unspool.firmware import c_io, c_model, interface, readme
from unspool.firmware.identifiers import prefix
from unspool.firmware.in_parts import of_parts
from unspool.support import files
from unspool.support.files import AnyPath

__all__ = ["bundle", "of_parts", "write"]


def bundle(int8_tflite: bytes, compiled: Compiled, name: str) -> dict[str, str]:
    """The files of a firmware bundle. The same arguments always give the same text.

    An input `<layer>/h_in` (or `c_in`) is a state; after each inference it takes the bytes of the
    output `<layer>/h_out` (`c_out`).

    Args:
        int8_tflite: bytes of the int8 .tflite file that was compiled; it names the inputs and
            outputs, which are int8 or int16; inputs of ids are int32.
        compiled: what `compile` made of it.
        name: what files, functions and constants are named after; it is made a C identifier.

    Returns:
        file name -> text.

    Raises:
        UnspoolError: the two files do not belong together, an input or output is neither int8 nor
            int16 (nor ids), a state input has no output or differs from it in shape, type, scale or
            zero point, or the name has no letter.

    Example:
        >>> texts = unspool.bundle(int8_tflite, compiled, "kws")
        >>> sorted(texts)
        ['README.md', 'kws_io.c', 'kws_io.h', 'kws_model.c', 'kws_model.h']
    """
    name = prefix(name)
    ports = interface.read(int8_tflite, compiled.tflite)
    return {
        f"{name}_model.h": c_model.header(name, compiled, ports.arena),
        f"{name}_model.c": c_model.source(name, compiled),
        f"{name}_io.h": c_io.header(name, ports),
        f"{name}_io.c": c_io.source(name, ports),
        "README.md": readme.text(name, compiled, ports),
    }


def write(texts: Mapping[str, str], folder: AnyPath) -> dict[str, int]:
    """Write a bundle's files: all of them, or none.

    Args:
        texts: what `bundle` returned.
        folder: is created if it is missing.

    Returns:
        file name -> bytes.

    Raises:
        UnspoolError: the folder cannot be created or written.
    """
    folder = files.output_folder(folder)
    with files.together(folder) as staged:
        for name, text in texts.items():
            files.write(staged / name, text)
    return {name: len(text.encode()) for name, text in texts.items()}
