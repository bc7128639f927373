"""Pictures that are unlike those of training are answered with a warning that says how."""

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from service.datasets import idx
from service.domain.datasets import ImageFacts
from service.tasks.image_classification import (
    ImageClassification,
    ImageOptions,
    prepare,
    restore,
)
from tests.datasets.files import an_idx_spec, opened


def digits(*, inverted: bool = False) -> NDArray[np.uint8]:
    """Draw strokes in the middle, light on black as MNIST has them, or dark on white."""
    drawn: list[NDArray[np.uint8]] = []
    for number in range(40):
        image = Image.new("L", (28, 28), 0)
        line = [(8 + number % 5, 6), (20 - number % 7, 22)]
        ImageDraw.Draw(image).line(line, fill=255, width=2 + number % 3)
        drawn.append(np.asarray(image.filter(ImageFilter.GaussianBlur(0.6))))
    images = np.stack(drawn)
    return 255 - images if inverted else images


def learned_from(images: NDArray[np.uint8]) -> ImageClassification:
    files = {
        "images": idx.encode(images),
        "labels": idx.encode((np.arange(len(images)) % 2).astype(np.uint8)),
    }
    facts = idx.check(opened(**files), an_idx_spec(), 1 << 30)
    assert isinstance(facts, ImageFacts)
    task = prepare(idx.load(files, facts), ImageOptions()).task
    assert isinstance(task, ImageClassification)
    return task


def a_file(image: Image.Image, kind: str = "PNG") -> bytes:
    written = BytesIO()
    image.save(written, kind)
    return written.getvalue()


def a_photograph(*, paper: int, ink: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """Take a picture of a stroke on paper: uneven light, noise, compression."""
    width, height = size
    light = np.linspace(paper - 25, paper + 10, width)[None].repeat(height, 0)
    page = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    stroke = [(width // 3, height // 5), (2 * width // 3, 4 * height // 5)]
    ImageDraw.Draw(page).line(stroke, fill=ink, width=width // 20)
    noise = np.random.default_rng(1).normal(0, 8, (height, width))
    pixels = (np.asarray(page.filter(ImageFilter.GaussianBlur(2))) + noise).clip(0, 255)
    return a_file(Image.fromarray(pixels.astype(np.uint8)).convert("RGB"), "JPEG")


def warnings(task: ImageClassification, given: Any) -> list[str]:
    return task.encode([given]).warnings[0]


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    return learned_from(digits())


def test_what_training_has_is_not_warned_of(task: ImageClassification) -> None:
    for image in digits():
        assert warnings(task, image.tolist()) == []


@pytest.mark.parametrize("paper", [250, 200, 140, 100])
def test_a_photograph_of_ink_on_paper_is_told(task: ImageClassification, paper: int) -> None:
    (warning,) = warnings(task, a_photograph(paper=paper, ink=20))

    assert warning.endswith("on paper of the other colour, invert it")


@pytest.mark.parametrize("paper", [0, 40])
def test_a_photograph_of_chalk_on_a_board_is_told(paper: int) -> None:
    task = learned_from(digits(inverted=True))

    (warning,) = warnings(task, a_photograph(paper=paper + 25, ink=240))

    assert "is dark" in warning
    assert "invert it" in warning


def test_chalk_is_what_a_model_of_light_on_dark_wants(task: ImageClassification) -> None:
    assert warnings(task, a_photograph(paper=25, ink=240)) == []


@pytest.mark.parametrize("brightness", [0, 90, 255])
def test_an_empty_picture_is_told(task: ImageClassification, brightness: int) -> None:
    (warning,) = warnings(task, [[brightness] * 28] * 28)

    assert "nothing on it" in warning


def test_a_picture_of_other_light_or_contrast_is_told(task: ImageClassification) -> None:
    noise = np.random.default_rng(2).integers(110, 130, (28, 28)).tolist()

    lighter, flat = warnings(task, noise)

    assert "is lighter (mean 1" in lighter
    assert "little contrast" in flat


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (Image.new("RGB", (28, 28), (200, 20, 20)), "in colour"),
        (Image.new("P", (28, 28), 1), None),
        (Image.new("RGB", (28, 28), (120, 110, 115)), None),
        (Image.new("L", (7, 7), 9), "its 7×7 pixels are stretched to 28×28"),
        (Image.new("L", (300, 90), 9), "of 300×90 pixels is squeezed to 28×28"),
        (Image.new("L", (300, 200), 9), None),
        (Image.new("RGBA", (28, 28), (255, 0, 0, 0)), None),
    ],
)
def test_what_is_lost_on_the_way_is_told(
    task: ImageClassification, picture: Image.Image, says: str | None
) -> None:
    told = [each for each in warnings(task, a_file(picture)) if "nothing on it" not in each]

    assert [says in each for each in told] == [True] if says else told == []


def test_a_model_of_colours_sees_colours() -> None:
    colours = np.random.default_rng(4).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    task = learned_from(colours)

    assert warnings(task, a_file(Image.fromarray(colours[3]))) == []


def test_a_model_of_an_older_release_judges_by_the_mean_alone(task: ImageClassification) -> None:
    kept = json.loads(task.preparation())
    assert restore(task.preparation()).preparation() == task.preparation()

    del kept["seen"]
    older = restore(json.dumps(kept).encode())

    assert warnings(older, [[90] * 28] * 28) == []
    (warning,) = warnings(older, a_photograph(paper=250, ink=20))
    assert "invert it" in warning
