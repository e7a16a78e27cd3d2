""".tflite files of TensorFlow's own converter, see compilation/foreign/make_foreign.py."""

import functools
import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).parent / "compilation" / "foreign" / "foreign.tar.xz"


@functools.cache
def files() -> dict[str, bytes]:
    """Name, such as "lstm_int8" -> the file."""
    with tarfile.open(ARCHIVE) as archive:
        return {
            entry.name.removesuffix(".tflite"): content.read()
            for entry in archive
            if (content := archive.extractfile(entry))
        }
