"""What the states of units that stay are worth as a target, beside the trained model's outputs.

Usage: python bench/state_distillation.py    (some minutes)

GRU(64) on MNIST, 12,000 images, 6 epochs; cut to 16 units and fine-tuned with itself as teacher, no
zeros, free values. Accuracy: Keras, float, 10,000 test images, one run; processor seconds: of the
whole compression, on this machine.
"""

import time

from rich.console import Console
from rich.table import Table
from unit_scores import trained

import unspool
from unspool import FineTuning, KernelSetting
from unspool.compression.fewer_units import unit_scores
from unspool.guide import mnist

UNITS = 16
WAYS = ((3, 0), (3, 0.3), (3, 1), (3, 3), (3, 10), (12, 0), (12, 1), (18, 0))
"""Epochs, and the weight of the states; the last two take about as long."""


def main() -> None:
    images = mnist.load()
    data = mnist.normalised(images.train_images[:12000])
    labels = images.train_labels[:12000].astype(int)
    test, classes = mnist.normalised(images.test_images), images.test_labels.astype(int)
    model = trained(data, labels)
    score = unit_scores(model, [data[:2000]], 0)
    table = Table("epochs", "weight of states", "accuracy, %", "processor s", box=None)
    for epochs, weight in WAYS:
        begun = time.process_time()
        smaller = unspool.compress(
            *(model, data, labels),
            setting=KernelSetting(0.0, None, UNITS),
            unit_scores=score,
            fine_tuning=FineTuning(epochs=epochs, state_distillation=weight),
        ).model
        took = time.process_time() - begun
        answers = smaller.predict(test, batch_size=500, verbose=0).argmax(-1)
        right = 100 * (answers == classes).mean()
        table.add_row(str(epochs), f"{weight:g}", f"{right:.2f}", f"{took:.0f}")
        print(epochs, weight, f"{right:.2f}", f"{took:.0f}", flush=True)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
