"""Augmented images: by the seed and the place in the data alone, and only as far as asked."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# torch leaves tolist untyped.

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from service.tasks import image_classification
from service.tasks.augmentation import Augmentation
from service.tasks.base import Batch
from service.tasks.image_classification import ImageOptions
from tests.tasks.data import FirstPixel, some_images

FILL = torch.tensor([7], dtype=torch.uint8)


def images(count: int = 200, height: int = 5, width: int = 4) -> Tensor:
    numbers = torch.arange(count * height * width) % 251
    return numbers.to(torch.uint8).view(count, 1, height, width)


def augmented(
    augmentation: Augmentation, given: Tensor, *, seed: int = 0, epoch: int = 0, position: int = 0
) -> Tensor:
    return augmentation.apply(given, FILL, seed=seed, epoch=epoch, position=position)


@given(st.integers(0, 9), st.booleans(), st.integers(0, 3), st.integers(0, 1000))
def test_the_same_place_gives_the_same_images_and_others_do_not(
    shift: int, flip: bool, cutout: int, seed: int
) -> None:
    augmentation = Augmentation(shift, flip, cutout)
    one, again = (augmented(augmentation, images(), seed=seed) for _ in range(2))
    assert torch.equal(one, again)
    assert one.dtype == torch.uint8
    assert one.shape == images().shape
    if augmentation.changes():
        others = [{"epoch": 1}, {"position": 1}]
        assert all(
            not torch.equal(one, augmented(augmentation, images(), seed=seed, **other))
            for other in others
        )


def test_nothing_asked_changes_nothing() -> None:
    assert torch.equal(augmented(Augmentation(), images()), images())


def test_mirrored_are_about_half() -> None:
    changed = augmented(Augmentation(flip=True), images())
    mirrored = (changed == images().flip(3)).flatten(1).all(dim=1)
    same = (changed == images()).flatten(1).all(dim=1)
    assert bool((mirrored | same).all())
    assert 60 < int(mirrored.sum()) < 140


def test_a_shift_repeats_the_edge() -> None:
    given = images(50)
    padded = functional.pad(given.float(), (1, 1, 1, 1), mode="replicate").to(torch.uint8)
    expected = [
        [
            padded[n, :, row : row + 5, column : column + 4]
            for row in range(3)
            for column in range(3)
        ]
        for n in range(50)
    ]
    changed = augmented(Augmentation(shift=1), given)
    for image, possible in zip(changed, expected, strict=True):
        assert any(torch.equal(image, each) for each in possible)


def test_what_is_cut_out_is_a_square_of_the_fill() -> None:
    black = torch.zeros(300, 1, 8, 8, dtype=torch.uint8)
    cut = augmented(Augmentation(cutout=3), black) == 7
    sizes = cut.flatten(1).sum(dim=1)
    assert int(sizes.max()) == 9
    assert int(sizes.min()) >= 4  # at a corner a part lies outside


def test_only_training_is_augmented() -> None:
    data = some_images(40)
    plain = image_classification.prepare(data, ImageOptions())
    other = image_classification.prepare(data, ImageOptions(shift=2, flip=True))
    pairs = zip(plain.validation.in_order(8), other.validation.in_order(8), strict=True)
    assert all(torch.equal(one.inputs, same.inputs) for one, same in pairs)
    batches = [
        each.train.batch(epoch=0, position=0, batch_size=30, seed=0) for each in (plain, other)
    ]
    assert torch.equal(batches[0].targets, batches[1].targets)
    assert not torch.equal(batches[0].inputs, batches[1].inputs)


def test_balanced_classes_count_the_same() -> None:
    data = some_images(40)
    data.labels[:] = [0] * 30 + [1] * 10
    pixels = torch.zeros(1, *data.images.shape[1:], dtype=torch.uint8)
    factors: list[float] = []
    for label in (0, 1):
        batch = Batch(pixels, torch.tensor([label]), 1)
        losses = [
            image_classification.prepare(data, options).task.loss(FirstPixel(), batch, None)[0]
            for options in (ImageOptions(class_weights="balanced"), ImageOptions())
        ]
        factors.append((losses[0] / losses[1]).item())
    assert factors == pytest.approx([36 / (2 * 27), 36 / (2 * 9)])
