"""The most probable answers, for every task that chooses among classes or words."""

from typing import cast

from torch import Tensor


def most_probable(logits: Tensor, *, top_k: int, skip: int = 0) -> list[list[tuple[int, float]]]:
    """Return per row the indices with the largest probabilities, best first.

    The first `skip` indices are left out of the answer, but keep their share of the probability.
    """
    probabilities = logits.double().softmax(dim=-1)[:, skip:]
    best = probabilities.topk(min(top_k, probabilities.shape[-1]), dim=-1)
    values = cast("list[list[float]]", best.values.tolist())  # pyright: ignore[reportUnknownMemberType]
    indices = cast("list[list[int]]", best.indices.tolist())  # pyright: ignore[reportUnknownMemberType]
    return [
        [(index + skip, value) for index, value in zip(row, shares, strict=True)]
        for row, shares in zip(indices, values, strict=True)
    ]
