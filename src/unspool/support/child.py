"""`python -m unspool.support.child PARENT MODULE ...`: a module that ends with who started it."""

import runpy
import sys

from unspool.support.processes import end_with


def main() -> None:
    """Run the module as `python -m` does, with the arguments after it."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    del sys.argv[1:3]
    end_with(parent)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
