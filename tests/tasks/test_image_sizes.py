"""Images that a job stretches or turns grey: the same in training and in prediction."""

import base64
import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from service.datasets import pictures
from service.datasets.pictures import Size
from service.domain.base import resolved_options
from service.domain.predictions import Input
from service.tasks import image_classification
from service.tasks.base import Prepared
from service.tasks.image_classification import ImageOptions
from tests.tasks.data import some_images

PHOTOS = (6, 4, 3)
SHAPES = [(6, 4), PHOTOS, (6, 4, 2), (6, 4, 4)]
SMALL = ImageOptions(height=3, width=5, colour="grey")


def prepared(options: ImageOptions, shape: tuple[int, ...] = PHOTOS, count: int = 40) -> Prepared:
    return image_classification.prepare(some_images(count, shape), options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("options", "size"),
    [
        (ImageOptions(), None),
        (SMALL, (1, 3, 5)),
        (ImageOptions(height=9, width=1, colour="rgb"), (3, 9, 1)),
    ],
)
def test_what_is_trained_on_has_the_shape_that_a_model_is_built_for(
    shape: tuple[int, ...], options: ImageOptions, size: tuple[int, ...] | None
) -> None:
    made = prepared(options, shape)
    (batch,) = made.train.in_order(1000)
    told = image_classification.shape(some_images(shape=shape).facts, options)
    assert made.task.shape == told
    assert batch.inputs.shape[1:] == (told.channels, told.height, told.width)
    assert size is None or batch.inputs.shape[1:] == size


@pytest.mark.parametrize("shape", [(6, 4), PHOTOS])
@pytest.mark.parametrize("options", [SMALL, ImageOptions(colour="rgb"), ImageOptions(width=9)])
def test_a_prediction_sees_what_training_saw(shape: tuple[int, ...], options: ImageOptions) -> None:
    data = some_images(10, shape, test_count=1)
    noise = np.random.default_rng(0).integers(0, 256, data.images.shape).astype(np.uint8)
    data = replace(data, images=noise)
    made = image_classification.prepare(data, options)
    (batch,) = made.train.in_order(10)
    pixels = data.images[7].transpose(1, 2, 0).reshape(shape)
    written = BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    inputs: list[Input] = [
        pixels.tolist(),
        written.getvalue(),
        {"b64": base64.b64encode(written.getvalue()).decode()},
    ]
    for task in (made.task, image_classification.restore(made.task.preparation())):
        for encoded in task.encode(inputs).tensor:
            assert torch.equal(encoded, batch.inputs[7])


def test_a_picture_of_any_size_becomes_first_what_the_data_were() -> None:
    options, wide = ImageOptions(height=2, width=2), BytesIO()
    Image.effect_noise((50, 20), 90).save(wide, "PNG")
    encoded = prepared(options, (6, 4)).task.encode([wide.getvalue()])
    as_data = pictures.read(wide.getvalue(), channels=1, height=6, width=4)
    assert (
        encoded.tensor.numpy().tolist() == pictures.resized(as_data[None], Size(1, 2, 2)).tolist()
    )


def test_without_options_a_model_keeps_nothing_of_them() -> None:
    kept = json.loads(prepared(ImageOptions()).task.preparation())
    assert set(kept) == {"shape", "classes", "mean", "standard_deviation", "seen"}
    assert set(resolved_options(ImageOptions())) == {"validation_fraction"}


def test_normalisation_is_of_the_pixels_that_are_trained_on() -> None:
    pixels = np.array([[0, 200], [0, 200]], dtype=np.uint8)
    data = some_images(10, (2, 2), test_count=1)
    data = replace(data, images=np.broadcast_to(pixels, (10, 1, 2, 2)))
    task = image_classification.prepare(data, ImageOptions(height=1, width=1)).task
    assert json.loads(task.preparation())["mean"] == [100]


def test_many_images_are_resized_as_one_is() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1000, 3, 4, 4)).astype(np.uint8)
    size = Size(1, 3, 3)
    at_once = pictures.resized(images, size)
    one_by_one = [pictures.resized(image[None], size)[0] for image in images]
    assert np.array_equal(at_once, np.stack(one_by_one))


def test_the_memory_of_the_images_is_counted() -> None:
    facts = some_images(10, PHOTOS).facts
    large = ImageOptions(height=512, width=512)
    assert image_classification.data_bytes(facts, large) == 10 * 3 * (6 * 4 + 512 * 512)


@pytest.mark.parametrize("options", [{"height": 0}, {"width": 513}, {"colour": "gray"}])
def test_a_size_or_colour_there_is_not_is_refused(options: dict[str, int | str]) -> None:
    with pytest.raises(ValidationError):
        ImageOptions.model_validate(options)
