"""The commands that advice gives, and what their arguments are made of."""

from dataclasses import dataclass
from itertools import chain
from shlex import join

from unspool.compilation import vela_config
from unspool.compilation.targets import Target
from unspool.remedies.remedy import Remedy

AWARE = "--quantization-aware"


@dataclass(frozen=True)
class Training:
    """What `unspool compress` is told of a trained model.

    Attributes:
        data: options for samples and labels, with the user's files to be filled in.
        search: options that make it search for a smaller model; empty where a search has no one
            output to measure.
    """

    data: str = "--data X.npy --labels Y.npy"
    search: str = "--max-accuracy-drop 0.2"


_OF_CLASSES = Training()


@dataclass(frozen=True)
class Request:
    """The files and commands that advice refers to.

    Attributes:
        quantized: path of the quantized .tflite file.
        out: folder of the report; commands write to folders inside it.
        model: path of the trained model; empty where only the .tflite is known.
        again: the command that made the report, to be run again with other options.
        options: of it, that `unspool compress` takes, too.
        activations: "int8" or "int16"; empty where it is not known.
        time_steps: of a sequence, where the binary takes them all at once but could be called for
            some after the other; else 0.
        chunk: the fewest time steps that a call of a stream takes; None where the model cannot be
            fed one.
        config: path of the trained model's layers in JSON; empty where its file has them.
        training: what fine-tuning is told of the trained model.
    """

    quantized: str
    out: str
    model: str = ""
    again: str = ""
    options: tuple[str, ...] = ()
    activations: str = ""
    time_steps: int = 0
    chunk: int | None = 1
    config: str = ""
    training: Training = _OF_CLASSES


def for_remedy(remedy: Remedy, request: Request) -> str:
    """The command that applies a remedy; empty where the report was not made by a command."""
    option, value = remedy.choice
    if option == "quantization_aware":
        return compress(request, AWARE)
    if not request.again:
        return ""
    return f"{request.again} --{option.replace('_', '-')} {value}".rstrip()


def compress(request: Request, option: str) -> str:
    """The command that compresses the trained model, and deploys it as it was."""
    barred = {"--feature-scales"} if option == AWARE else set()  # it has one scale for each input
    options = join(word for word in request.options if word not in barred)
    data = request.training.data
    return " ".join(filter(None, ["unspool compress", model(request), data, options, option]))


def flag(name: str, limit: float) -> str:
    """The option for a limit of a budget."""
    option = f"--{name.replace('_', '-')}"
    return option if name == "no_cpu" else f"{option} {limit:g}"


def model(request: Request) -> str:
    """The trained model as a command takes it, or where it is unknown a name to be replaced."""
    config = ["--config", request.config] if request.config else []
    return join([request.model, *config]) if request.model else "MODEL.keras"


def target_options(target: Target) -> str:
    """The options that name a target."""
    options = {
        "--target": target.accelerator,
        "--system-config": target.system_config,
        "--memory-mode": target.memory_mode,
    }
    if target.config != vela_config.arm_config():
        options["--vela-config"] = str(target.config)
    return join(chain.from_iterable(options.items()))
