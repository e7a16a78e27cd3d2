"""What advice tells `unspool compress` of a trained model: labels it can use, a metric it has."""

from typing import Any

from unspool.frontend.heads import heads
from unspool.frontend.structure import losses
from unspool.report.commands import Training

_OF_VALUES = "--metric mae --max-metric-increase 2%"


def training_of(model: Any) -> Training:
    """How a trained Keras model can be fine-tuned and searched for, by its inputs and its losses.

    Without a loss there are no labels to learn, and a search measures the output of the only loss.
    """
    data = "--data X.npz" if len(model.inputs) > 1 else "--data X.npy"
    with_a_loss = [
        head for head, loss in zip(heads(model), losses(model), strict=True) if loss is not None
    ]
    if not with_a_loss:
        return Training(data, "")
    if len(with_a_loss) > 1:
        return Training(f"{data} --labels Y.npz", "")
    labels = f"{data} --labels Y.npy"
    return Training(labels, _OF_VALUES) if with_a_loss[0].kind == "values" else Training(labels)
