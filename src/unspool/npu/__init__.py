"""A functional, bit-exact simulator of the Ethos-U55 and Ethos-U65 command stream.

`load` takes a file that Vela compiled apart into a `Program`; `run` runs a program on a batch
of samples, byte for byte as the NPU is specified to; `disassemble` prints its stream.
"""

from unspool.npu.container import Program, load
from unspool.npu.disassemble import disassemble
from unspool.npu.machine import run

__all__ = ["Program", "disassemble", "load", "run"]
