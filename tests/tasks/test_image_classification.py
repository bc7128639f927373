"""Image classification: splits, normalisation, answers, with a model whose answers are known."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# torch leaves tolist untyped.

import base64
from io import BytesIO
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import JsonValue

from service.domain.predictions import Input, LabelCandidate
from service.domain.problems import Invalid
from service.domain.shapes import ImageShape
from service.tasks import image_classification
from service.tasks.base import Batch
from service.tasks.image_classification import ImageClassification, ImageOptions
from tests.tasks.data import FirstPixel, some_images

ROWS: list[JsonValue] = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 255]]


def a_task(*shape: int) -> ImageClassification:
    data = some_images(shape=shape or (4, 3))
    task = image_classification.prepare(data, ImageOptions()).task
    return cast("ImageClassification", task)


def a_png(pixels: list[JsonValue]) -> bytes:
    written = BytesIO()
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(written, "PNG")
    return written.getvalue()


@given(st.integers(4, 60), st.integers(1, 70), st.integers(0, 5), st.sampled_from([0.1, 0.5]))
def test_every_image_is_in_one_batch_of_an_epoch_or_validates(
    count: int, batch_size: int, epoch: int, fraction: float
) -> None:
    data = some_images(count)
    options = ImageOptions(validation_fraction=fraction)
    prepared = image_classification.prepare(data, options)
    steps = prepared.train.steps_per_epoch(batch_size)
    batches = [
        prepared.train.batch(epoch=epoch, position=position, batch_size=batch_size, seed=3)
        for position in range(steps)
    ]
    batches += prepared.validation.in_order(batch_size)
    seen = torch.cat([batch.inputs[:, 0, 0, 0] for batch in batches])
    assert sorted(seen.tolist()) == list(range(count))
    assert steps == image_classification.steps_per_epoch(data.facts, options, batch_size)
    assert all(batch.weight == len(batch.inputs) for batch in batches)


def test_test_files_validate_where_there_are_some() -> None:
    data = some_images(10, test_count=4)
    prepared = image_classification.prepare(data, ImageOptions())
    assert sum(batch.weight for batch in prepared.train.in_order(3)) == 10
    assert sum(batch.weight for batch in prepared.validation.in_order(3)) == 4
    assert image_classification.steps_per_epoch(data.facts, ImageOptions(), 3) == 4


def test_the_model_sees_normalised_pixels_of_each_channel() -> None:
    data = some_images(20, (4, 3, 2), test_count=2)
    prepared = image_classification.prepare(data, ImageOptions())
    seen: list[torch.Tensor] = []

    class Remembering(FirstPixel):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return super().forward(images)

    (batch,) = prepared.train.in_order(20)
    prepared.task.loss(Remembering(), batch, None)
    assert seen[0].shape == (20, 2, 4, 3)
    first = seen[0][:, 0]
    assert first.mean().item() == pytest.approx(0, abs=1e-5)
    assert first.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert seen[0][:, 1].abs().max().item() == 0  # a channel of one value is 0, not NaN


def test_a_task_is_restored_from_its_preparation() -> None:
    task = a_task()
    again = image_classification.restore(task.preparation())
    assert again.preparation() == task.preparation()
    assert again.shape == task.shape


def test_the_majority_class_is_that_of_training() -> None:
    baseline = image_classification.majority_class(np.array([1, 1, 0]), np.array([0, 0, 1, 0]))
    assert baseline.name == "majority_class"
    assert baseline.metrics == {"val_accuracy": 0.25}


def test_metrics_do_not_depend_on_the_batch_size() -> None:
    prepared = image_classification.prepare(some_images(), ImageOptions())
    measured = [
        prepared.task.evaluate(FirstPixel(), prepared.validation.in_order(size))
        for size in (1, 3, 100)
    ]
    assert measured[0] == pytest.approx(measured[2])
    assert measured[1] == pytest.approx(measured[2])
    assert set(measured[0]) == set(image_classification.TASK.metrics)


def test_accuracy_is_the_share_of_right_answers() -> None:
    pixels = torch.tensor([255, 255, 0, 0], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 1, 4, 3)
    batch = Batch(pixels, torch.tensor([1, 0, 0, 0]), 4)
    assert a_task().evaluate(FirstPixel(), iter([batch]))["val_accuracy"] == 0.75


def test_a_picture_means_the_same_in_every_form() -> None:
    png = a_png(ROWS)
    b64 = base64.b64encode(png).decode()
    floats = [[float(cast("int", pixel)) for pixel in cast("list[JsonValue]", row)] for row in ROWS]
    forms: list[Input] = [
        ROWS,
        cast("JsonValue", floats),
        {"b64": b64},
        {"b64": f"data:image/png;base64,{b64[:20]}\n{b64[20:]}"},
        png,
    ]
    encoded = a_task().encode(forms)
    assert encoded.tensor.shape == (5, 1, 4, 3)
    assert all(image.tolist() == [ROWS] for image in encoded.tensor)


def test_pixels_with_channels_come_channel_by_channel() -> None:
    pixels: list[JsonValue] = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    encoded = a_task(2, 2, 2).encode([pixels])
    assert encoded.tensor.tolist() == [[[[1, 3], [5, 7]], [[2, 4], [6, 8]]]]


def test_an_answer_names_the_classes() -> None:
    task = a_task()
    encoded = task.encode([[[255, 0, 0], *ROWS[1:]], ROWS])
    bright, dark = task.decode(
        task.infer(FirstPixel(), encoded), encoded, top_k=5, special_tokens=False
    )
    labels = [
        [
            candidate.label
            for candidate in answer.candidates
            if isinstance(candidate, LabelCandidate)
        ]
        for answer in (bright, dark)
    ]
    assert labels == [["yes", "no"], ["no", "yes"]]
    assert sum(candidate.probability for candidate in bright.candidates) == pytest.approx(1)


def changed(row: int, column: int, value: JsonValue) -> list[JsonValue]:
    rows = [list(cast("list[JsonValue]", one)) for one in ROWS]
    rows[row][column] = value
    return cast("list[JsonValue]", rows)


@pytest.mark.parametrize(
    ("value", "pointer", "says"),
    [
        (ROWS[:3], "/inputs/1", "3 items instead of 4"),
        ([*ROWS[:3], [1, 2]], "/inputs/1/3", "2 items instead of 3"),
        ([*ROWS[:3], 7], "/inputs/1/3", "no list"),
        (changed(2, 1, 256), "/inputs/1/2/1", "0 (black) to 255"),
        (changed(2, 1, -1), "/inputs/1/2/1", "0 (black) to 255"),
        (changed(2, 1, 0.5), "/inputs/1/2/1", "not fractions"),
        (changed(2, 1, True), "/inputs/1/2/1", "no pixel"),
        (changed(2, 1, "7"), "/inputs/1/2/1", "no pixel"),
        (changed(2, 1, None), "/inputs/1/2/1", "no pixel"),
        (changed(2, 1, 10**400), "/inputs/1/2/1", "no pixel"),
        (changed(2, 1, [1]), "/inputs/1/2/1", "no pixel"),
        ([[[pixel] for pixel in row] for row in ([0, 1, 2],) * 4], "/inputs/1/0/0", "no pixel"),
        ([], "/inputs/1", "4 rows of 3 pixels"),
        ("text", "/inputs/1", "no image"),
        (3, "/inputs/1", "no image"),
        ({"b64": "%"}, "/inputs/1/b64", "no base64"),
        ({"b64": 3}, "/inputs/1/b64", "no base64"),
        ({"b64": "aGFsbG8="}, "/inputs/1/b64", "no picture"),
        ({"url": "http://"}, "/inputs/1", "other fields"),
        (b"not an image", "/inputs/1", "no picture"),
    ],
)
def test_a_wrong_input_is_named_with_what_to_send(value: Input, pointer: str, says: str) -> None:
    with pytest.raises(Invalid) as raised:
        a_task().encode([ROWS, value])
    assert raised.value.errors[0].pointer == pointer
    assert says in raised.value.errors[0].detail


def test_all_wrong_inputs_are_named_at_once() -> None:
    with pytest.raises(Invalid) as raised:
        a_task().encode([3, ROWS, {"b64": ""}])
    assert [error.pointer for error in raised.value.errors] == ["/inputs/0", "/inputs/2/b64"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(JSON | st.binary(max_size=20))
def test_any_input_is_pixels_or_a_problem(value: Input) -> None:
    try:
        encoded = a_task().encode([value])
    except Invalid as invalid:
        outcome = bool(invalid.errors)
    else:
        outcome = encoded.tensor.shape == (1, 1, 4, 3)
    assert outcome


def test_many_small_files_do_not_unpack_to_pixels_without_bound() -> None:
    stream = BytesIO()
    Image.new("1", (7000, 7000)).save(stream, format="PNG")
    pictures: list[Input] = [stream.getvalue()] * 4

    with pytest.raises(Invalid) as refused:
        a_task().encode(pictures)

    assert [error.pointer for error in refused.value.errors] == ["/inputs/2", "/inputs/3"]


def a_flat_picture(brightness: int, *, channels: int = 1) -> list[JsonValue]:
    colours: list[JsonValue] = [brightness] * channels
    pixel: JsonValue = colours if channels > 1 else brightness
    row: list[JsonValue] = [pixel] * 4
    return [row] * 4


def trained_on(*means: float) -> ImageClassification:
    """A task whose training images have this mean brightness, by channel."""
    shape = ImageShape(channels=len(means), height=4, width=4, classes=2)
    return ImageClassification(shape, ["a", "b"], list(means), [50.0] * len(means))


@pytest.mark.parametrize(("usual", "here"), [(30.0, 240), (220.0, 20), (70.0, 200)])
def test_a_picture_of_the_other_colour_of_paper_is_told(usual: float, here: int) -> None:
    [[warning]] = trained_on(usual).encode([a_flat_picture(here)]).warnings

    assert "invert it" in warning
    assert f"mean {here} of 255" in warning


@pytest.mark.parametrize(
    ("usual", "here"),
    [(30.0, 35), (70.0, 120), (128.0, 250), (128.0, 5), (100.0, 100)],
)
def test_a_picture_that_would_be_no_nearer_inverted_is_not_warned_of(
    usual: float, here: int
) -> None:
    assert trained_on(usual).encode([a_flat_picture(here)]).warnings == [[]]


def test_colours_are_not_judged_by_their_brightness() -> None:
    task = trained_on(10.0, 10.0, 10.0)

    assert task.encode([a_flat_picture(250, channels=3)]).warnings == [[]]


@pytest.mark.parametrize("channels", [1, 3])
def test_what_the_model_sees_can_be_looked_at(channels: int) -> None:
    task = trained_on(*[90.0] * channels)
    encoded = task.encode(
        [a_flat_picture(10, channels=channels), a_flat_picture(99, channels=channels)]
    )

    with Image.open(BytesIO(task.shown(encoded, 1))) as picture:
        pixels = np.asarray(picture)

    assert pixels.shape == ((4, 4) if channels == 1 else (4, 4, 3))
    assert (pixels == 99).all()
