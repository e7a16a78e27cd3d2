"""All graphs around an operator that are compared with onnxruntime, by group and name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from onnx_cells import Case, model_of

from onnx_forms import (
    convolutions,
    elementwise,
    normalizations,
    products,
    recurrent,
    reductions,
    refused,
    shapes,
)
from onnx_forms.form import Form, one

TABLES: dict[str, Form] = {
    f"{table.__name__.split('.')[-1]}: {name}": form
    for table in (convolutions, elementwise, normalizations, products, reductions, shapes)
    for name, form in table.FORMS.items()
}

_RECURRENT: dict[str, Case] = {
    **{
        f"{base}, {change}": replace(recurrent.BASES[base], **recurrent.CHANGES[change])
        for base in recurrent.BASES
        for change in recurrent.CHANGES
    },
    **{name: recurrent.of_activations(name) for name in recurrent.ACTIVATIONS},
    **{f"opset {opset}": Case("LSTM", opset=opset) for opset in recurrent.OPSETS},
}

MODELS: Mapping[str, Callable[[], Any]] = {
    **{name: form.model for name, form in TABLES.items()},
    **{
        f"recurrent: {name}": partial(model_of, case, case.layout)
        for name, case in _RECURRENT.items()
    },
    "LogSoftmax": one("LogSoftmax", axis=2).model,
}
"""Name -> what makes ONNX's model, recurrent ones among them, and one that gives something else."""

REFUSED: Mapping[str, tuple[Callable[[], Any], str]] = {
    **{name: (form.model, line) for name, (form, line) in refused.FORMS.items()},
    **{
        f"recurrent: {name}": (partial(model_of, case, 0), line)
        for name, (case, line) in recurrent.REFUSED.items()
    },
}
"""Name -> what makes the model of which the last node has no form, and the line that says so."""
