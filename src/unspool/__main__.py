"""The `unspool` command, and `python -m unspool`."""

import gc
import os
import sys


def main() -> None:
    """Run the command; Ctrl-C while libraries are being imported ends it quietly too."""
    _open_standard_streams()
    try:
        from unspool.cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("unspool: interrupted", file=sys.stderr)
        status = 130
    gc.freeze()  # or Python looks through all that TensorFlow is made of, for a second, to free it
    sys.exit(status)


def _open_standard_streams() -> None:
    """Give closed streams (`>&-`) a place, or the next file opened would become stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


if __name__ == "__main__":
    main()
