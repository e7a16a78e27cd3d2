"""A functional, bit-exact simulator of the Ethos-U55 and Ethos-U65 command stream.

`load` takes a file that Vela compiled apart into a `Program`; `run` runs a program on a batch
of samples, byte for byte as the NPU is specified to; `infer` does so for one inference of several,
between which variable tensors keep their values; `disassemble` prints its stream.
"""

from unspool.npu.container import Program, load
from unspool.npu.disassemble import disassemble
from unspool.npu.machine import infer, initial, run

__all__ = ["Program", "disassemble", "infer", "initial", "load", "run"]
