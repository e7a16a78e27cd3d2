"""The files of a network in parts: models and firmware."""

from pathlib import Path

from unspool import firmware
from unspool.parts.deployment import DeploymentInParts
from unspool.support import files
from unspool.support.files import AnyPath


def save(deployment: DeploymentInParts, folder: AnyPath) -> dict[str, int]:
    """Write the files of all parts to a folder; returns file name -> bytes.

    `model_1_float.tflite`, `model_1_int8.tflite` (or int16), `model_1_vela.tflite`, and so on.
    """
    sizes = {}
    for number, part in enumerate(deployment.chain.parts, 1):
        contents = {
            "float": part.calibrated.float_tflite,
            deployment.activations: part.quantized_tflite,
            "vela": part.binary.compiled.tflite,
        }
        for kind, content in contents.items():
            name = f"model_{number}_{kind}.tflite"
            files.write(Path(folder) / name, content)
            sizes[name] = len(content)
    return sizes


def bundle_in_parts(done: DeploymentInParts, name: str) -> dict[str, str]:
    """The firmware bundle of a network in parts.

    Args:
        done: what `deploy_in_parts` returned.
        name: what files, functions and constants are named after; it is made a C identifier.

    Returns:
        file name -> text.

    Raises:
        UnspoolError: as `bundle`.

    Example:
        >>> done = unspool.deploy_in_parts(
        ...     bidirectional, data, steps_per_call=2, options=unspool.Options(remedy_seconds=0)
        ... )
        >>> [name for name in unspool.bundle_in_parts(done, "kws") if "run" in name]
        ['kws_run.h', 'kws_run.c']
    """
    quantized = [part.quantized_tflite for part in done.chain.parts]
    return firmware.of_parts(quantized, done.compiled, name)
