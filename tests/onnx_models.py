"""ONNX models made node by node, and what onnxruntime says of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from unspool.frontend.onnx.loading import load_onnx

SAMPLES = 3
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32}


def made(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    dtypes: Mapping[str, str] | None = None,
) -> Any:
    """A model of nodes; constants are float32 unless they are integers."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [
            helper.make_tensor_value_info(name, _TYPES[(dtypes or {}).get(name, "float32")], shape)
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(_array(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def saved(model: Any, folder: Path) -> Path:
    """The file of a model."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def samples(model: Any, seed: int = 5) -> list[dict[str, np.ndarray]]:
    """Feeds for onnxruntime, each of a batch as the model says it, one where it is open."""
    rng = np.random.default_rng(seed)
    feeds = []
    for _ in range(SAMPLES):
        feed = {}
        for value in model.graph.input:
            shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                feed[value.name] = rng.normal(0, 1, shape).astype(np.float32)
            else:
                dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
                feed[value.name] = rng.integers(0, 4, shape).astype(dtype)
        feeds.append(feed)
    return feeds


def run(model: Any, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime computes, by the outputs' names."""
    return _run(model, feed, onnxruntime.SessionOptions())


def run_as_it_is(model: Any, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same, node by node: onnxruntime rounds what a MatMul of whole weights takes."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return _run(model, feed, options)


def _run(model: Any, feed: Mapping[str, np.ndarray], options: Any) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def evaluated(model: Any, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What ONNX's own evaluator computes, by the outputs' names."""
    evaluator = ReferenceEvaluator(model)
    return dict(zip(evaluator.output_names, evaluator.run(None, dict(feed)), strict=True))


def answers(loaded: Any, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a loaded model computes of samples, (samples, ...), by the outputs' names."""
    return {name: np.asarray(value) for name, value in loaded(dict(feed)).items()}


def without_batch(array: np.ndarray) -> np.ndarray:
    """An output of a batch of one without its axis: whichever is of size one, if not the only."""
    return array.squeeze(array.shape.index(1)) if array.ndim > 1 else array


def check(
    model: Any, folder: Path, batch: int = 0, reference: Callable[..., Any] = run, **options: Any
) -> Any:
    """Check a model of a batch of one against onnxruntime, and return it as loaded.

    Args:
        model: ONNX's.
        folder: for its file.
        batch: the axis of the batch in inputs.
        reference: what computes what is expected, as `run` does.
        options: of load_onnx.
    """
    loaded = load_onnx(saved(model, folder), **options)
    feeds = samples(model)
    together = {name: np.stack([feed[name].squeeze(batch) for feed in feeds]) for name in feeds[0]}
    predictions = answers(loaded, together)
    for n, feed in enumerate(feeds):
        expected = reference(model, feed)
        assert set(predictions) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(
                predictions[name][n], without_batch(value), rtol=1e-5, atol=1e-5, err_msg=name
            )
            assert predictions[name][n].shape == without_batch(value).shape
    return loaded


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node, its inputs and outputs separated by blanks; "_" stands for one that is left out."""
    names = [["" if name == "_" else name for name in text.split()] for text in (inputs, outputs)]
    attributes.setdefault("name", f"{op}_of_{next(filter(None, names[1]))}".lower())
    return helper.make_node(op, *names, **attributes)


__all__ = ["answers", "check", "made", "node", "onnx", "run", "samples", "saved", "without_batch"]
