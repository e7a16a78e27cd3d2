"""Hide the start-up messages of the libraries that Unspool uses.

TensorFlow, LiteRT and TFLM write to file descriptor 2 from C++, where no Python filter reaches.
"""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator

from unspool.errors import UnspoolError
from unspool.support.memory import shortage


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard what is written to stderr, by Python and by C++, inside the block.

    When the block raises anything but a line for the user, or for want of memory, the discarded
    text is printed after all: it may be the only explanation.
    The redirection is process-wide; keep the block short.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                yield
        except UnspoolError:
            raise
        except Exception as error:
            if not shortage(error):
                held.seek(0)
                os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
