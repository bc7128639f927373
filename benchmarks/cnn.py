"""The CNN of PyTorch's MNIST example against a plain loop over tensors that lie in memory.

Same network, data, epochs, batch size and threads. The baseline trains with Adadelta, as the
example does, without a DataLoader, which would cost up to another half. Ours is the service's own
`cnn` of the same layers with its own optimizer, in float32 and with the precision that it chooses.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import statistics
import time
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measuring import Silent, built_in, print_table, resolve
from service.catalogue import Catalogue
from service.datasets.base import ImageData
from service.domain.datasets import DatasetFacts
from service.domain.jobs import JobSpec
from service.training.loop import train

EPOCHS, BATCH = 3, 64
MEAN, DEVIATION = 0.2860, 0.3530  # of Fashion-MNIST
NETWORK = {
    "type": "cnn",
    "stem_channels": 32,
    "blocks": [{"channels": 64, "convolutions": 1}],
    "padding": "none",
    "batch_norm": False,
    "global_pool": "none",
    "hidden_sizes": [128],
    "dropout": 0.25,
}


class Trained(NamedTuple):
    """How fast, and how good on the 615 test images."""

    images_per_second: float
    accuracy: float


def cnn(rounds: int, threads: int) -> None:
    """Train in turns; print speeds and accuracies."""
    torch.set_num_threads(threads)
    facts, data = built_in("fashion-mnist-mini")
    assert isinstance(data, ImageData)
    trained: dict[str, list[Trained]] = {"plain loop": [], "ours": [], "ours, auto": []}
    for number in range(rounds + 1):
        for name in trained if number % 2 == 0 else reversed([*trained]):
            if name == "plain loop":
                found = _plain(data)
            else:
                found = _ours(_spec(facts, "auto" if "auto" in name else "float32"), data)
            if number:  # the first round warms up
                trained[name].append(found)
    print_table(
        f"CNN of the MNIST example, fashion-mnist-mini, {EPOCHS} epochs, batch {BATCH}, "
        f"{threads} threads",
        {name: [each.images_per_second for each in found] for name, found in trained.items()},
        unit="images/s",
        baseline="plain loop",
        extra={
            name: f"accuracy {statistics.median(each.accuracy for each in found):.3f}"
            for name, found in trained.items()
        },
    )


def network() -> nn.Sequential:
    """Build the example's network: images (batch, 1, 28, 28) to logits (batch, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def _plain(data: ImageData) -> Trained:
    assert data.test_images is not None
    assert data.test_labels is not None
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    images, labels = (
        _normalised(torch.from_numpy(data.images.copy())),
        torch.from_numpy(data.labels.copy()),
    )
    test, expected = _normalised(torch.from_numpy(data.test_images.copy())), data.test_labels
    right = 0
    began = time.perf_counter()
    for _ in range(EPOCHS):
        model.train()
        for rows in torch.split(torch.randperm(len(images)), BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            guesses = torch.cat([model(some).argmax(1) for some in torch.split(test, BATCH)])
            right = int((guesses == torch.from_numpy(expected.copy())).sum())
    took = time.perf_counter() - began
    return Trained(EPOCHS * len(images) / took, right / len(test))


def _normalised(images: Tensor) -> Tensor:
    return (images.float() / 255 - MEAN) / DEVIATION


def _spec(facts: DatasetFacts, precision: str) -> JobSpec:
    training = {"epochs": EPOCHS, "batch_size": BATCH, "device": "cpu", "precision": precision}
    return resolve(facts, architecture=NETWORK, training=training)


def _ours(spec: JobSpec, data: ImageData) -> Trained:
    """Train as the service does: reports, finite checks and checkpoints too."""
    trainable = Catalogue.installed().build(spec, data)
    recorder = Silent()
    began = time.perf_counter()
    train(trainable, spec, recorder, device=torch.device("cpu"))
    took = time.perf_counter() - began
    return Trained(EPOCHS * len(data.labels) / took, recorder.last["val_accuracy"])
