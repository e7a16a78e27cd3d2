"""The model while it is fine-tuned: what it computes with, and what its loss is."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unspool.compression.distillation import Teacher
from unspool.compression.projection import Projection
from unspool.support._tensorflow import keras, tf


class Student(keras.Model):  # type: ignore[misc]
    """A model that computes with the projections of its kernels, and trains the latent weights.

    Called as the model is.
    """

    def __init__(
        self,
        model: Any,
        projections: Sequence[Projection],
        teacher: Teacher,
        forward: Callable[[Any], Any] | None = None,
    ) -> None:
        """Wrap a model; `forward`, if given, runs in its place, with its variables."""
        super().__init__(name=model.name)
        self.model = model
        self.projections = list(projections)
        self.output_names = getattr(model, "output_names", None)  # of losses given by name
        self.teacher = teacher
        self.forward = forward

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Run the model with projected kernels."""
        projected = [
            (p.kernel.variable, p(tf.convert_to_tensor(p.kernel.variable), training=training))
            for p in self.projections
        ]
        with keras.StatelessScope(state_mapping=projected, collect_losses=True) as scope:
            if self.forward is None:
                outputs = self.model(inputs, training=training)
            else:
                outputs = self._masked(self.forward(inputs), inputs)
        for variable in self.model.non_trainable_variables:  # such as BatchNormalization's means
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)
        for loss in scope.losses:
            self.add_loss(loss)
        return outputs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss that the model is compiled with, and in training the distance beside it."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training and self.teacher.weight:
            loss += self.teacher.weight * self.teacher(x, y_pred)
        return loss

    def _masked(self, outputs: Any, inputs: Any) -> Any:
        """Outputs of a deploy graph with the model's masks, for a loss to leave padding out."""
        flat = keras.tree.flatten(outputs)
        if any(len(output.shape) > 2 for output in flat):
            # Of the model only what the masks need is left in TensorFlow's graph.
            known = keras.tree.flatten(self.model(inputs, training=False))
            for output, own in zip(flat, known, strict=True):
                output._keras_mask = getattr(own, "_keras_mask", None)
        return outputs

    def projected_weights(self) -> list[np.ndarray]:
        """The model's weights, in Keras's order, as it computes with them."""
        projected = {
            id(p.kernel.variable): p(tf.convert_to_tensor(p.kernel.variable))
            for p in self.projections
        }
        return [np.array(projected.get(id(v), v)) for v in self.model.weights]


class Imitator(Student):
    """A student without labels: how far it is from its teacher is all of its loss."""

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The distance alone, in training as in validation: no regularizer counts."""
        return self.teacher(x, y_pred)
