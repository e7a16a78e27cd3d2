"""What a deployment is asked for, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unspool.compilation.compiled import Compiled
from unspool.compilation.residency.keeping import Resident
from unspool.compilation.targets import Target
from unspool.quantization.calibration import Calibration
from unspool.remedies.remedy import Remedy
from unspool.runtime.measuring import Measured
from unspool.runtime.quality import OutputError
from unspool.runtime.scores import Accuracy, Regression
from unspool.runtime.verification import Simulation
from unspool.support import files
from unspool.support.files import AnyPath


@dataclass(frozen=True)
class Options:
    """Choices that both `deploy` and `deploy_stream` leave to the user.

    Attributes:
        target: what to compile for; ethos-u55-128 with Vela's defaults where None.
        calibration_method: how ranges are chosen, as `calibrate` takes it.
        activations: "int8" or "int16", as `quantize` takes it.
        allow_cpu: accept layers that the target's NPU does not run, as `unroll` takes it; an
            Embedding needs it on Ethos-U55 and U65, the U85 runs it.
        feature_scales: give each feature of the inputs a scale of its own, as
            `with_feature_scales` does; for models that were trained on raw units.
        resident_weights: KiB of SRAM for weights that are copied from flash once per inference, as
            `keep_resident` takes it; infinity for all weights that are read repeatedly, None to
            leave them in flash.
        remedy_seconds: how long to try remedies where the error is too large; 0 tries none.
        full_length: no sequence is ever padded: the masks of a model with Masking or `mask_zero`
            are left out, which makes the network smaller.
        refine: choose by the calibration data what each weight is rounded to, and by measured error
            how far the cell states of LSTMs reach: less error for more time.
        fed_back: input -> output, of states that the model takes and gives itself, as `unroll`
            takes it; those that its graph shows are found.

    Example:
        >>> options = unspool.Options(target=unspool.target("ethos-u65-256"), activations="int16")
        >>> options.calibration_method
        'mse'
    """

    target: Target | None = None
    calibration_method: str = "mse"
    activations: str = "int8"
    allow_cpu: bool = False
    feature_scales: bool = False
    resident_weights: float | None = None
    remedy_seconds: float = 60.0
    full_length: bool = False
    refine: bool = False
    fed_back: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """The results of each stage, and what was measured.

    Attributes:
        trained: the trained Keras model.
        deploy_model: the Keras model without loops.
        float_tflite: the deploy model converted, bytes of a float .tflite.
        calibration: the ranges.
        activations: "int8" or "int16".
        quantized_tflite: bytes of the quantized .tflite.
        compiled: the binary for the target, with Vela's estimates. With `resident_weights` the
            binary is the one with resident weights; the estimates are of the one without.
        resident: the weights that are kept in SRAM; None without `resident_weights`.
        measured: how good it is.
        remedies: what was tried against too large an error; empty where it is small enough.
        warnings: what is likely to go wrong with the calibration data, in a line each.
        seconds: stage -> wall-clock time that it took.
    """

    trained: Any
    deploy_model: Any
    float_tflite: bytes
    calibration: Calibration
    activations: str
    quantized_tflite: bytes
    compiled: Compiled
    resident: Resident | None
    measured: Measured
    remedies: tuple[Remedy, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def unroll_error(self) -> OutputError | None:
        """Outputs of the deploy model against the trained model's, both float."""
        return self.measured.unroll_error

    @property
    def quantization_error(self) -> OutputError | None:
        """Outputs of the quantized model, in TFLM where it has kernels for it, against the trained
        model's."""
        return self.measured.quantization_error

    @property
    def accuracies(self) -> tuple[Accuracy, ...]:
        """Of outputs that are classes: of the trained model in Keras, of the quantized model in
        LiteRT and in TFLM, of the binary in the simulator, all on the same test samples."""
        return self.measured.accuracies

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """The errors of outputs that are values, in the same runtimes on the same samples."""
        return self.measured.regressions

    @property
    def simulation(self) -> Simulation:
        """The binary compared with the quantized model, on the test samples or, if there are none,
        on the calibration samples."""
        return self.measured.simulation


def save(deployment: Deployment, folder: AnyPath) -> dict[str, int]:
    """Write the models to a folder; returns file name -> bytes.

    `model_float.tflite`, `model_int8.tflite` (or int16) and `model_vela.tflite`.
    """
    contents = {
        "model_float.tflite": deployment.float_tflite,
        f"model_{deployment.activations}.tflite": deployment.quantized_tflite,
        "model_vela.tflite": deployment.compiled.tflite,
    }
    for name, content in contents.items():
        files.write(Path(folder) / name, content)
    return {name: len(content) for name, content in contents.items()}
