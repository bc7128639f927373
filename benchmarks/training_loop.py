"""Our training loop against a plain Dataset + DataLoader recipe, on the MNIST example's network.

Same network, optimizer, data, batch size and thread count; runs alternate, so that both see the
same machine. Validation after each epoch is in the time of both.

    python benchmarks/training_loop.py [--pairs 5] [--epochs 3] [--threads 2]
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from benchmarks.cnn import DEVIATION, MEAN, network
from benchmarks.measuring import Silent, built_in, print_table, resolve
from service.catalogue import Catalogue
from service.datasets.base import ImageData
from service.domain.datasets import DatasetFacts
from service.training.loop import train

BATCH_SIZE = 64


class Outcome(NamedTuple):
    """How fast, and how good on the 615 test images."""

    images_per_second: float
    accuracy: float


class Images(Dataset[tuple[Tensor, int]]):
    """One image at a time, made a tensor and normalised when asked for, as tutorials do."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.tensor(self.images[index]).float().div(255)
        return (image - MEAN) / DEVIATION, int(self.labels[index])


def plain(data: ImageData, epochs: int) -> Outcome:
    """Train with a Dataset and a DataLoader, as most people would write it."""
    assert data.test_images is not None
    assert data.test_labels is not None
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    loader = DataLoader(Images(data.images, data.labels), batch_size=BATCH_SIZE, shuffle=True)
    test = DataLoader(Images(data.test_images, data.test_labels), batch_size=BATCH_SIZE)
    correct = 0
    started = time.perf_counter()
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            correct = sum(int((model(x).argmax(1) == y).sum()) for x, y in test)
    seconds = time.perf_counter() - started
    return Outcome(epochs * len(data.labels) / seconds, correct / len(data.test_labels))


def ours(facts: DatasetFacts, data: ImageData, epochs: int) -> Outcome:
    """Train the same network with the service's loop: reports, finite checks, checkpoints too."""
    training = {"epochs": epochs, "batch_size": BATCH_SIZE, "device": "cpu"}
    spec = resolve(facts, architecture={"type": "cnn"}, training=training)
    trainable = Catalogue.installed().build(spec, data)
    torch.manual_seed(0)
    model = network()
    adadelta = torch.optim.Adadelta(model.parameters(), lr=1.0)
    trainable = trainable._replace(
        model=model, optimizer=adadelta, schedule=LambdaLR(adadelta, lambda _: 1.0)
    )
    recorder = Silent()
    started = time.perf_counter()
    train(trainable, spec, recorder, device=torch.device("cpu"))
    seconds = time.perf_counter() - started
    return Outcome(epochs * len(data.labels) / seconds, recorder.last["val_accuracy"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    facts, data = built_in("fashion-mnist-mini")
    assert isinstance(data, ImageData)
    recipes: dict[str, Callable[[ImageData, int], Outcome]] = {
        "plain": plain,
        "ours": partial(ours, facts),
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in recipes}
    for recipe in recipes.values():
        recipe(data, 1)  # warm-up
    for pair in range(arguments.pairs):
        order = list(recipes) if pair % 2 == 0 else list(reversed(recipes))
        for name in order:
            outcomes[name].append(recipes[name](data, arguments.epochs))
    speeds = {name: [each.images_per_second for each in outcomes[name]] for name in recipes}
    print_table(
        f"MNIST example's CNN on fashion-mnist-mini, {arguments.epochs} epochs, "
        f"batch {BATCH_SIZE}, {arguments.threads} threads, {arguments.pairs} alternating pairs",
        speeds,
        unit="images/s",
        baseline="plain",
        extra={
            name: f"accuracy {float(np.median([each.accuracy for each in outcomes[name]])):.3f}"
            for name in recipes
        },
    )


if __name__ == "__main__":
    main()
