"""What tasks share that choose among classes: the loss, its metrics, and how answers are told."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from service.domain.predictions import LabelCandidate, Prediction
from service.tasks.base import Encoded
from service.tasks.candidates import most_probable


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Sequence[float] | None,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean over the examples, each weighted by its class if weights are given.

    Unlike torch's own weights, these do not divide by the weights of the batch: their mean over
    the training examples is 1. With label smoothing s the target is (1 - s) of the true class and s
    of all classes alike (Szegedy et al. 2016).
    """
    if weights is None:
        return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)
    losses = functional.cross_entropy(
        logits, targets, reduction="none", label_smoothing=label_smoothing
    )
    return (losses * torch.tensor(weights, device=logits.device)[targets]).mean()


def loss_and_accuracy(answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Return the mean loss and the share of right answers, of batches of (logits, targets)."""
    totals = torch.zeros(2, dtype=torch.float64)
    count = 0
    for logits, targets in answers:
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        hits = (logits.argmax(dim=-1) == targets).sum()
        added = torch.stack([loss.double(), hits.double()])
        totals = totals.to(added.device) + added
        count += len(targets)
    loss, hits = totals / max(count, 1)
    return {"val_loss": loss.item(), "val_accuracy": hits.item()}


def name_classes(
    logits: Tensor, encoded: Encoded, classes: Sequence[str], *, top_k: int
) -> list[Prediction]:
    """Name the most probable classes of each input, with what was noticed about it."""
    return [
        Prediction(
            candidates=[
                LabelCandidate(
                    label=classes[each.place], probability=each.probability, logprob=each.logprob
                )
                for each in row
            ],
            unknown=encoded.unknown[number],
            warnings=encoded.warnings[number],
        )
        for number, row in enumerate(most_probable(logits, top_k=top_k))
    ]
