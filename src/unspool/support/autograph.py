"""What TensorFlow leaves in the temporary folder: bytecode of functions that it wrote there."""

import atexit
import sys
from contextlib import suppress
from pathlib import Path

_WRITTEN = "__autograph_generated_file"


@atexit.register
def remove_bytecode() -> None:
    """Remove the bytecode of generated modules; TensorFlow itself removes their sources alone."""
    for name, module in list(sys.modules.items()):
        cached = getattr(module.__spec__, "cached", None) if name.startswith(_WRITTEN) else None
        if cached:
            with suppress(OSError):
                Path(cached).unlink(missing_ok=True)
                Path(cached).parent.rmdir()  # only if nothing else lies in it
