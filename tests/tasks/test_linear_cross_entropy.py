"""The loss that holds no logits against the plain one, in value and in every gradient."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from service.architectures import lstm
from service.architectures.base import Output
from service.architectures.lstm import LstmConfig
from service.architectures.recurrent import Recurrent
from service.domain.shapes import TextShape
from service.tasks import linear_cross_entropy as module
from service.tasks import next_word
from service.tasks.base import Batch
from service.tasks.linear_cross_entropy import linear_cross_entropy
from service.tasks.next_word import NextWordOptions
from tests.tasks.data import a_text

IGNORED = -100
WIDTH = 5


Inputs = tuple[Tensor, Tensor, Tensor]


def tensors(words: int, size: int, *, dtype: torch.dtype = torch.float64) -> Inputs:
    """Return hidden, matrix and bias."""
    generator = torch.Generator().manual_seed(words * 1000 + size)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    return drawn(words, WIDTH), drawn(size, WIDTH), drawn(size)


def plain(
    hidden: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float
) -> Tensor:
    logits = functional.linear(hidden, matrix, bias)
    return functional.cross_entropy(
        logits, targets, ignore_index=IGNORED, label_smoothing=smoothing
    )


def ours(hidden: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return linear_cross_entropy(
        hidden, Output(matrix, bias), targets, ignored=IGNORED, label_smoothing=smoothing
    )


def gradients(
    loss: Callable[..., Tensor], inputs: Inputs, targets: Tensor, smoothing: float
) -> tuple[Tensor, ...]:
    value = loss(*inputs, targets, smoothing)
    return (value.detach(), *torch.autograd.grad(3 * value, inputs))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts of four words, so that a few words are several parts."""
    monkeypatch.setattr(module, "_LEAST_ROWS", 4)
    monkeypatch.setattr(module, "_LOGITS_AT_ONCE", 1)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(2, 9).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.lists(st.sampled_from([IGNORED, *range(size)]), min_size=1, max_size=11),
        )
    ),
    st.sampled_from([0.0, 0.1, 1.0]),
)
def test_value_and_gradients_are_those_of_the_plain_loss(
    drawn: tuple[int, list[int]], smoothing: float
) -> None:
    size, words = drawn
    targets = torch.tensor(words)
    if (targets == IGNORED).all():
        return  # a mean over nothing
    inputs = tensors(len(words), size)

    found = gradients(ours, inputs, targets, smoothing)

    for one, other in zip(found, gradients(plain, inputs, targets, smoothing), strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradients_are_those_of_finite_differences() -> None:
    targets = torch.tensor([3, IGNORED, 0, 3, 1, 2])

    def loss(hidden: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        return ours(hidden, matrix, bias, targets, 0.1)

    assert torch.autograd.gradcheck(loss, tensors(6, 4))


def test_an_output_without_a_bias_has_none() -> None:
    hidden, matrix, _ = tensors(6, 4)
    targets = torch.tensor([3, 1, 0, 3, 1, 2])

    loss = linear_cross_entropy(hidden, Output(matrix, None), targets, ignored=IGNORED)

    torch.testing.assert_close(loss, functional.cross_entropy(hidden @ matrix.t(), targets))
    loss.backward()
    assert hidden.grad is not None


def test_few_logits_are_not_parted_and_have_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, inputs = torch.tensor([3, IGNORED, 0]), tensors(3, 4)
    parted = gradients(ours, inputs, targets, 0.1)
    monkeypatch.setattr(module, "_LOGITS_AT_ONCE", 12)
    monkeypatch.setattr(module, "_by_parts", None)

    whole = gradients(ours, inputs, targets, 0.1)

    torch.testing.assert_close(whole, parted)


def test_words_without_a_target_get_no_gradient() -> None:
    hidden, matrix, bias = tensors(3, 4)

    ours(hidden, matrix, bias, torch.tensor([1, IGNORED, 2]), 0.0).backward()

    assert hidden.grad is not None
    assert hidden.grad.abs().sum(dim=1).gt(0).tolist() == [True, False, True]


def test_a_hopeless_model_has_a_finite_loss_with_gradients() -> None:
    hidden, matrix, bias = tensors(2, 4, dtype=torch.float32)
    certain = torch.tensor([0.0, 1000.0, 0.0, 0.0])

    found = gradients(ours, (hidden, matrix, bias + certain), torch.tensor([0, 1]), 0.0)

    assert all(each.isfinite().all() for each in found)
    assert found[0] > 100


def test_products_in_bfloat16_are_near_and_sums_stay_in_float32() -> None:
    inputs = tensors(9, 6, dtype=torch.float32)
    targets = torch.arange(9) % 6

    def low(hidden: Tensor, matrix: Tensor, bias: Tensor, targets: Tensor, _: float) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return ours(hidden, matrix, bias, targets, 0.0)

    found = gradients(low, inputs, targets, 0.0)

    for one, other in zip(found, gradients(plain, inputs, targets, 0.0), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.05, rtol=0.05)
        assert not torch.equal(one, other)


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor has that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


def test_never_are_all_logits_held() -> None:
    words, size = 64, 50
    inputs, targets = tensors(words, size), torch.arange(words) % size

    with Largest() as largest:
        ours(*inputs, targets, 0.0).backward()
    with Largest() as of_plain:
        plain(*inputs, targets, 0.0).backward()

    assert of_plain.numbers == words * size
    assert largest.numbers == max(words, size) * WIDTH


def test_the_task_takes_it_for_models_whose_last_layer_stands_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = LstmConfig(hidden_size=WIDTH, embedding_size=4)
    model = lstm.build(config, TextShape(vocabulary_size=100))
    assert isinstance(model, Recurrent)
    task = next_word.prepare(a_text(sequences="stream"), NextWordOptions()).task
    targets = torch.tensor([[3, 5, IGNORED], [2, 1, 4]])
    logits, state = model(targets.clamp(min=0), model.initial_state(2))
    expected = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    monkeypatch.setattr(model, "forward", None)  # which gives logits

    loss, carry = task.loss(model, Batch(targets.clamp(min=0), targets, 5), None)

    torch.testing.assert_close(loss, expected)
    assert carry is not None
    assert torch.equal(carry, state)
