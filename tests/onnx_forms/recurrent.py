"""GRU, LSTM and RNN, with every attribute that they have, and those that have no form."""

from typing import Any

from onnx_cells import Case

KINDS = {"GRU": 2, "LSTM": 3, "RNN": 1}  # activations of a direction
OPSETS = (7, 9, 11, 13, 14, 17, 20, 22)

BASES = {
    "gru": Case(),
    "gru reset before": Case(before=0),
    "lstm": Case("LSTM"),
    "rnn": Case("RNN"),
}
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "reverse": {"direction": "reverse"},
    "both": {"direction": "bidirectional"},
    "batch in front": {"layout": 1},
    "both, batch in front": {"direction": "bidirectional", "layout": 1},
    "no bias": {"bias": False},
    "lengths": {"lengths": True},
    "one step": {"sizes": (1, 3, 4)},
    "one feature": {"sizes": (5, 1, 4)},
    "one unit": {"sizes": (5, 3, 1)},
    "one of all": {"sizes": (1, 1, 1), "direction": "bidirectional"},
    "four": {"batch": 4, "lengths": True},
    "four from a state": {"batch": 4, "first_h": "constant"},
    "open batch": {"batch": "n"},
    "open time": {"open": True},
    "open both": {"open": True, "batch": "n", "direction": "bidirectional"},
    "zeros": {"first_h": "zeros", "first_c": "zeros"},
    "constant": {"first_h": "constant", "first_c": "zeros"},
    "constant both": {"first_h": "constant", "first_c": "constant", "direction": "bidirectional"},
    "input": {"first_h": "input", "first_c": "input"},
    "computed": {"first_h": "dense", "first_c": "dense"},
    "computed both": {"first_h": "dense", "direction": "bidirectional", "layout": 1},
    "computed cell": {"first_c": "dense", "direction": "reverse"},
}

ACTIVATIONS: dict[str, tuple[str, tuple[str, ...], tuple[float, ...], tuple[float, ...]]] = {
    "relu": ("RNN", ("Relu",), (), ()),
    "softsign": ("RNN", ("Softsign",), (), ()),
    "softplus": ("RNN", ("Softplus",), (), ()),
    "elu": ("RNN", ("Elu",), (), ()),
    "elu of 0.5": ("RNN", ("Elu",), (0.5,), ()),
    "leaky": ("RNN", ("LeakyRelu",), (), ()),
    "leaky 0.3": ("RNN", ("LeakyRelu",), (0.3,), ()),
    "hard": ("GRU", ("HardSigmoid", "Tanh"), (), ()),
    "hard told": ("GRU", ("HardSigmoid", "Relu"), (0.2,), (0.5,)),
    "hard 1/6": ("LSTM", ("HardSigmoid", "Tanh", "Tanh"), (1 / 6,), (0.5,)),
    "hard of any slope": ("GRU", ("HardSigmoid", "Tanh"), (0.3,), (0.4,)),
    "hard twice": ("GRU", ("HardSigmoid", "HardSigmoid"), (0.3, 0.7), (0.4, 0.1)),
    "hard of a simple one": ("RNN", ("HardSigmoid",), (0.3,), (-0.2,)),
    "hard gates of an lstm": ("LSTM", ("HardSigmoid", "Relu", "Relu"), (0.15,), (0.45,)),
    "hard, other ways": (
        "LSTM",
        ("HardSigmoid", "Tanh", "Tanh", "HardSigmoid", "Softsign", "Softsign"),
        (0.15, 1 / 6),
        (0.45, 0.6),
    ),
    "two with numbers": ("GRU", ("HardSigmoid", "LeakyRelu"), (1 / 6, 0.3), (0.5,)),
    "same numbers": ("LSTM", ("Sigmoid", "Elu", "Elu"), (0.5, 0.5), ()),
    "both": ("GRU", ("Sigmoid", "Relu", "HardSigmoid", "Softsign"), (), ()),
    "both with numbers": (
        "GRU",
        ("HardSigmoid", "LeakyRelu", "HardSigmoid", "Elu"),
        (0.2, 0.3, 1 / 6, 0.7),
        (0.5, 0.5),
    ),
    "numbers for the second": ("RNN", ("Tanh", "LeakyRelu"), (0.4,), ()),
    "both lstm": (
        "LSTM",
        ("Sigmoid", "Tanh", "Tanh", "HardSigmoid", "Elu", "Elu"),
        (0.2, 0.5, 0.5),
        (0.5,),
    ),
}


def of_activations(name: str) -> Case:
    """A case with activations of its own."""
    op, kinds, alphas, betas = ACTIVATIONS[name]
    direction = "bidirectional" if len(kinds) > KINDS[op] else "forward"
    return Case(op, direction, activations=kinds, alphas=alphas, betas=betas)


REFUSED: dict[str, tuple[Case, str]] = {
    "clip": (
        Case(more={"clip": 3.0}),
        "has the attribute clip=3, which has no form on the NPU; train without it",
    ),
    "forget": (
        Case("LSTM", more={"input_forget": 1}),
        "has the attribute input_forget=1, which has no form on the NPU; train with a forget gate "
        "of its own",
    ),
    "cell and output": (
        Case("LSTM", activations=("Sigmoid", "Tanh", "Relu")),
        "has the attribute activations=['Sigmoid', 'Tanh', 'Relu']: Tanh for the cell and Relu "
        "for the output have no form on the NPU; train with one for both",
    ),
    "cell and output by numbers": (
        Case("LSTM", activations=("Sigmoid", "Elu", "Elu"), alphas=(0.5, 0.7)),
        "has the attribute activations=['Sigmoid', 'Elu', 'Elu'], of other parameters for the "
        "cell than for the output, which has no form on the NPU; train with one for both",
    ),
    "unknown": (
        Case("RNN", activations=("ScaledTanh",)),
        "has the activation 'ScaledTanh', which has no form on the NPU; expected one of Sigmoid, "
        "Tanh, Relu, Softsign, Softplus, HardSigmoid, LeakyRelu, Elu",
    ),
    "hard sigmoid": (
        Case("LSTM", activations=("Sigmoid", "HardSigmoid", "HardSigmoid"), alphas=(0.3, 0.3)),
        "has a HardSigmoid of alpha=0.3 and beta=0.5 for its output, which has no form on the NPU; "
        "expected 1/6 and 0.5 there",
    ),
    "too few": (
        Case("GRU", "bidirectional", activations=("Sigmoid", "Tanh")),
        "has 2 activations; expected 4",
    ),
    "direction": (
        Case(more={"direction": "sideways"}),
        "has the attribute direction='sideways'; expected forward, reverse or bidirectional",
    ),
}
"""Case, and the line that says why it has no form, behind the node's name."""
