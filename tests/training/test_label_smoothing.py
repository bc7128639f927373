"""Label smoothing: in the loss that is trained, by its formula, and nowhere else."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from service.datasets.base import Data
from service.tasks.base import Batch
from service.tasks.classes import cross_entropy
from tests.training.parts import a_spec, build, image_data, run, text_data

MLP: dict[str, Any] = {"type": "mlp", "hidden_sizes": [8]}
RNN: dict[str, Any] = {"type": "rnn", "hidden_size": 8}
CASES: list[tuple[dict[str, Any], Data]] = [(MLP, image_data()), (RNN, text_data())]


def by_hand(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Return (1 - s) · -log p(true) + s · the mean of -log p over all classes, of each example."""
    logs = logits.double().log_softmax(dim=-1)
    true = logs.gather(-1, targets[..., None])[..., 0]
    return -(1 - smoothing) * true - smoothing * logs.mean(dim=-1)


def test_the_loss_wants_a_part_of_all_classes() -> None:
    logits, targets = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])

    plain = cross_entropy(logits, targets, None, label_smoothing=0.2)
    weighted = cross_entropy(logits, targets, [0.5, 1, 2, 3], label_smoothing=0.2)

    each = by_hand(logits, targets, 0.2)
    weights = torch.tensor([0.5, 1, 2, 3])[targets]
    assert plain.item() == pytest.approx(each.mean().item(), rel=1e-5)
    assert weighted.item() == pytest.approx((each * weights).mean().item(), rel=1e-5)


@pytest.mark.parametrize(("architecture", "data"), CASES)
def test_tasks_smooth_what_they_train(architecture: dict[str, Any], data: Data) -> None:
    built = build(a_spec(data, architecture), data)
    batch: Batch = built.train.batch(epoch=0, position=0, batch_size=8, seed=0)

    plain, smoothed, most = (
        built.task.loss(built.model, batch, None, label_smoothing=each)[0].item()
        for each in (0.0, 0.3, 0.6)
    )

    assert smoothed != plain
    assert most - plain == pytest.approx(2 * (smoothed - plain), rel=1e-3)
    everywhere = plain + (smoothed - plain) / 0.3  # the mean of -log p: that of even odds at least
    assert everywhere >= torch.tensor(_outputs(built.model)).log().item()


@pytest.mark.parametrize(("architecture", "data"), CASES)
def test_validation_is_not_smoothed(architecture: dict[str, Any], data: Data) -> None:
    still = {"type": "sgd", "lr": 1e-30}
    smoothed, plain = (
        run(a_spec(data, architecture, optimizer=still, label_smoothing=each), data)[1]
        for each in (0.3, 0.0)
    )

    assert smoothed.series("val_loss") == plain.series("val_loss")
    assert smoothed.series("train_loss") != plain.series("train_loss")


def _outputs(model: nn.Module) -> int:
    return [*model.parameters()][-1].shape[0]
