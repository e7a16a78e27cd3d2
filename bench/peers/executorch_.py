"""ExecuTorch with Arm's Ethos-U backend: int8 by PT2E, as its own aot_arm_compiler.py does it.

Usage, in an environment of executorch[ethos-u]:

    python executorch_.py FOLDER/gru ACCELERATOR SYSTEM_CONFIG MEMORY_MODE

Writes executorch.pte, and executorch.npy: what the quantized graph gives in torch. The last line
that it prints is JSON: seconds, Vela's cycles, and how many operators are left to the CPU.
"""

import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
from executorch.backends.cortex_m.passes.replace_quant_nodes_pass import ReplaceQuantNodesPass
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from network import example, trained
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

NO_KERNEL = ("executorch_call_delegate", "getitem")


def quantized(model: Any, spec: Any, calibration: np.ndarray) -> Any:
    """The graph in int8, calibrated sample by sample."""
    quantizer = EthosUQuantizer(spec)
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(model, example()).module(), quantizer)
    for sample in torch.from_numpy(calibration):
        prepared(sample[None])
    return convert_pt2e(prepared)


def lowered(graph: Any, spec: Any) -> Any:
    """What the NPU computes handed to Vela, and what is left outside."""
    edge = to_edge_transform_and_lower(
        torch.export.export(graph, example()),
        partitioner=[EthosUPartitioner(spec)],
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    return edge.transform([ReplaceQuantNodesPass()])


def on_cpu(edge: Any) -> int:
    """Operators outside of the parts that the NPU runs."""
    nodes = edge.exported_program().graph.nodes
    calls = [node for node in nodes if node.op == "call_function"]
    return sum(not node.name.startswith(NO_KERNEL) for node in calls)


def cycles(folder: Path) -> int:
    """Vela's estimate, of all parts."""
    total = 0
    for path in folder.rglob("*_summary_*.csv"):
        with path.open() as file:
            total += sum(int(float(row["cycles_total"])) for row in csv.DictReader(file))
    return total


def main() -> None:
    """Convert, then run the test samples."""
    folder, (accelerator, system_config, memory_mode) = Path(sys.argv[1]), sys.argv[2:]
    data, model = np.load(folder.parent / "data.npz"), trained(folder)
    calibration, test = data["calibration"], torch.from_numpy(data["test"])
    spec = EthosUCompileSpec(accelerator, system_config, memory_mode)
    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        spec.dump_intermediate_artifacts_to(place)
        start = time.perf_counter()
        graph = quantized(model, spec, calibration)
        edge = lowered(graph, spec)
        left = on_cpu(edge)
        program = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=False))
        seconds = time.perf_counter() - start
        estimate = cycles(Path(place))
        np.save(folder / "executorch.npy", np.concatenate([graph(x[None]) for x in test]))
    (folder / "executorch.pte").write_bytes(program.buffer)
    print(json.dumps({"seconds": seconds, "cycles": estimate, "on_cpu": left}))


if __name__ == "__main__":
    main()
