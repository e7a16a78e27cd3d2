"""The model while it is fine-tuned: what it computes with, and what its loss is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from unspool.compression.distillation import Teacher
from unspool.compression.projection import Projection
from unspool.compression.states import States
from unspool.support._tensorflow import keras, tf


class Student(keras.Model):  # type: ignore[misc]
    """A model that computes with the projections of its kernels, and trains the latent weights.

    Called as the model is.

    Attributes:
        forward: runs in the model's place, with its variables; None where the model itself runs.
    """

    def __init__(
        self,
        model: Any,
        projections: Sequence[Projection],
        teacher: Teacher,
        lesson: "Lesson | None" = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: that is trained.
            projections: of its kernels.
            teacher: the trained model.
            lesson: on what it is compared with its teacher; on the samples where None.
        """
        super().__init__(name=model.name)
        self.model = model
        self.projections = list(projections)
        self.output_names = getattr(model, "output_names", None)  # of losses given by name
        self.teacher = teacher
        self.forward: Callable[[Any], Any] | None = None
        self.lesson = lesson or on_samples

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Run the model with projected kernels."""
        outputs, scope = self._run(inputs, training)
        for variable in self.model.non_trainable_variables:  # such as BatchNormalization's means
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)
        for loss in scope.losses:
            self.add_loss(loss)
        return outputs

    def answers(self, inputs: Any, model: Any = None) -> Any:
        """The outputs for inputs, as at inference, through which gradients flow.

        Args:
            inputs: as the model takes them.
            model: another one of the same variables, to run in its place.
        """
        return self._run(inputs, training=False, model=model)[0]

    def _run(self, inputs: Any, training: bool, model: Any = None) -> tuple[Any, Any]:
        """Outputs, and the scope that knows what became of variables, and losses."""
        projected = [
            (p.kernel.variable, p(tf.convert_to_tensor(p.kernel.variable), training=training))
            for p in self.projections
        ]
        with keras.StatelessScope(state_mapping=projected, collect_losses=True) as scope:
            if self.forward is None or model is not None:
                return (model or self.model)(inputs, training=training), scope
            return self._masked(self.forward(inputs), inputs), scope

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
            loss += self.teacher.weight * self.lesson(self, x, y_pred)
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
        return (self.lesson if training else on_samples)(self, x, y_pred)


Lesson: TypeAlias = Callable[[Student, Any, Any], Any]


def on_samples(student: Student, inputs: Any, outputs: Any) -> Any:
    """How far a student is from its teacher on samples, for which its outputs are known."""
    return student.teacher(inputs, outputs)


class OnMixtures:
    """How far a student is from its teacher on mixtures of two samples of a batch.

    What the teacher makes of a mixture is a question that no label answers, and no two are alike:
    so a small network can be trained long without learning its samples by heart (mixup, Zhang et
    al. 2018; with a teacher alone, Beyer et al. 2022, "A good teacher is patient and consistent").
    """

    def __init__(self, seed: int, compared: "Compared | None" = None) -> None:
        """Draw mixtures.

        Args:
            seed: draws shares.
            compared: what is compared; the outputs where None.
        """
        self._seeds = keras.random.SeedGenerator(seed)
        self._compared = compared or _by_outputs

    def __call__(self, student: Student, inputs: Any, outputs: Any) -> Any:
        """The distance; outputs for the samples themselves are not looked at."""
        flat = keras.tree.flatten(inputs)
        count = tf.shape(flat[0])[0]
        shares = keras.random.uniform((count,), dtype="float32", seed=self._seeds)
        mixed = keras.tree.map_structure(lambda tensor: _mixed(tensor, shares), inputs)
        return self._compared(student, mixed)


Compared: TypeAlias = Callable[[Student, Any], Any]
"""How far a student is from its teacher on inputs."""


def _by_outputs(student: Student, inputs: Any) -> Any:
    return student.teacher(inputs, student.answers(inputs))


def on_the_same(compared: Compared) -> Lesson:
    """A lesson on the samples themselves."""
    return lambda student, inputs, outputs: compared(student, inputs)


def by_states(states: States) -> Compared:
    """Compare outputs, and the states of the units that are left."""

    def compared(student: Student, inputs: Any) -> Any:
        right = states.of_trained(inputs, training=False)
        got = student.answers(inputs, states.of_student)
        outputs = student.teacher.distance(states.outputs(right), states.outputs(got))
        return outputs + states.distance(right, got)

    return compared


def _mixed(tensor: Any, shares: Any) -> Any:
    """Each sample of a batch, mixed with the one as far from the batch's other end."""
    shape = tf.concat([tf.shape(shares), [1] * (len(tensor.shape) - 1)], 0)
    weights = tf.cast(tf.reshape(shares, shape), tensor.dtype)
    return weights * tensor + (1 - weights) * tf.reverse(tensor, [0])
