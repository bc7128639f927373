"""Image classification: which of the classes does an image show?

Images are made grey or RGB and stretched once, where a job asks for it. Pixels stay bytes until
they are on the device; there they are normalised by the mean and standard deviation of each channel
over the training images. The baseline always guesses the class seen most.
"""

# pyright: reportUnknownMemberType=false
# torch leaves from_numpy untyped.

import json
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, prod
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from service.datasets import splits
from service.datasets.base import ImageData
from service.datasets.pictures import Size, as_image, as_png, resized
from service.datasets.pixels import count_values
from service.domain.base import LATER
from service.domain.datasets import ImageFacts
from service.domain.evaluations import Evaluation
from service.domain.jobs import Baseline
from service.domain.predictions import Input, Prediction
from service.domain.shapes import Axis, ImageShape
from service.tasks.augmentation import Augmentation
from service.tasks.base import Batch, Encoded, Prepared, TaskKind, TaskOptions
from service.tasks.classes import cross_entropy, loss_and_accuracy, name_classes
from service.tasks.evaluating import ClassEvidence
from service.tasks.image_inputs import read_images
from service.tasks.image_warnings import Seen, seen_in, warnings_about
from service.tasks.order import EpochOrder

MAX_SIDE = 512
"""Pixels that images may be stretched to."""

_INFER_AT_ONCE = 256
_STRETCHED_AT_ONCE = 1 << 20
"""Values of pixels; more take too long for the event loop, however few were sent."""

CHANNELS = {"grey": 1, "rgb": 3}


class ImageOptions(TaskOptions):
    """What can be chosen about the images of a job."""

    validation_fraction: float = Field(
        default=splits.VALIDATION_FRACTION,
        gt=0,
        lt=1,
        description="Part of each class held out; not used where the dataset has test files.",
    )
    shift: Annotated[int, LATER] = Field(
        default=0, ge=0, le=64, description="Pixels that images are moved by at most, in training."
    )
    flip: Annotated[bool, LATER] = Field(
        default=False, description="Mirror every other image in training; not for digits or text."
    )
    cutout: Annotated[int, LATER] = Field(
        default=0, ge=0, le=512, description="Side of a square that is covered, in training."
    )
    class_weights: Annotated[Literal["none", "balanced"], LATER] = Field(
        default="none",
        description="balanced: every class counts the same in the training loss, however rare.",
    )
    height: Annotated[int | None, LATER] = Field(
        default=None,
        ge=1,
        le=MAX_SIDE,
        description="Pixels that every image is stretched to, in training as in prediction; "
        "null: what the data have.",
    )
    width: Annotated[int | None, LATER] = Field(
        default=None, ge=1, le=MAX_SIDE, description="Pixels, as height."
    )
    colour: Annotated[Literal["grey", "rgb"] | None, LATER] = Field(
        default=None,
        description="What every image is turned to: grey has 1 channel, rgb has 3; null: the "
        "channels of the data.",
    )


class ImageExamples:
    """Images (count, channels, height, width) as bytes, and their labels."""

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        augmentation: Augmentation | None = None,
        fill: Sequence[float] = (),
    ) -> None:
        # Stored files are read-only buffers; torch wants what it may write to.
        self._images = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        self._labels = torch.from_numpy(np.array(labels))
        self._order = EpochOrder(len(labels))
        self._augmentation = augmentation or Augmentation()
        self._fill = torch.tensor([round(value) for value in fill], dtype=torch.uint8)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Count the batches of one epoch."""
        return ceil(len(self._labels) / batch_size)

    def batch(self, *, epoch: int, position: int, batch_size: int, seed: int) -> Batch:
        """Make batch `position` of an epoch."""
        chosen = self._order.batch(epoch=epoch, position=position, batch_size=batch_size, seed=seed)
        images = self._images[chosen]
        if self._augmentation.changes():
            images = self._augmentation.apply(
                images, self._fill, seed=seed, epoch=epoch, position=position
            )
        return Batch(images, self._labels[chosen], len(chosen))

    def at(self, chosen: Tensor) -> Batch:
        """Make a batch of these images, as they are."""
        return Batch(self._images[chosen], self._labels[chosen], len(chosen))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over all images as they stand in the file."""
        for first in range(0, len(self._labels), batch_size):
            labels = self._labels[first : first + batch_size]
            yield Batch(self._images[first : first + batch_size], labels, len(labels))


class ImageClassification:
    """The task with its classes and the normalisation of its pixels."""

    def __init__(
        self,
        shape: ImageShape,
        classes: list[str],
        mean: list[float],
        deviation: list[float],
        *,
        sent_as: Size | None = None,
        weights: list[float] | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.shape = shape
        self._size = Size(shape.channels, shape.height, shape.width)
        self._sent_as = sent_as or self._size  # what the data have, before they are stretched
        self.most_at_once = (
            None if self._sent_as == self._size else _STRETCHED_AT_ONCE // prod(self._size)
        )
        self._classes = classes
        self._mean = mean
        self._deviation = deviation
        # Made once: of a small model's answer, each tensor that is made takes a noticeable part.
        self._scale = torch.tensor([mean, deviation]).view(2, -1, 1, 1)
        self._seen = seen  # None in models of older releases
        self._weights = weights  # of the training loss alone: predictions need none

    @property
    def names(self) -> Mapping[Axis, Sequence[str]]:
        """The labels of the classes."""
        return {"classes": self._classes}

    def preparation(self) -> bytes:
        """Return sizes, classes and normalisation as JSON."""
        prepared = {
            "shape": self.shape.model_dump(),
            "classes": self._classes,
            "mean": self._mean,
            "standard_deviation": self._deviation,
        }
        if self._sent_as != self._size:
            prepared["sent_as"] = self._sent_as._asdict()
        if self._seen is not None:
            prepared["seen"] = self._seen._asdict()
        return json.dumps(prepared, ensure_ascii=False, sort_keys=True).encode()

    def loss(
        self,
        model: nn.Module,
        batch: Batch,
        carry: Tensor | None,
        *,
        label_smoothing: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the mean cross-entropy over the images, weighted if asked; no state to carry."""
        del carry
        logits = self._logits(model, batch.inputs)
        smoothed = cross_entropy(
            logits, batch.targets, self._weights, label_smoothing=label_smoothing
        )
        return smoothed, None

    def evaluate(self, model: nn.Module, batches: Iterator[Batch]) -> dict[str, float]:
        """Return the mean loss and the share of right answers."""
        with torch.inference_mode():
            answers = ((self._logits(model, batch.inputs), batch.targets) for batch in batches)
            return loss_and_accuracy(answers)

    def assess(self, model: nn.Module, batches: Iterator[Batch]) -> Evaluation:
        """Tell what the model is worth, class by class."""
        evidence = ClassEvidence(self._classes)
        with torch.inference_mode():
            for batch in batches:
                evidence.add(self._logits(model, batch.inputs), batch.targets)
        return evidence.evaluation()

    def encode(self, inputs: Sequence[Input]) -> Encoded:
        """Make pixels of what a client sent: what the data were, then what training made of it."""
        noticed: list[list[str]] = [[] for _ in inputs]
        images = resized(read_images(inputs, self._sent_as, noticed), self._size)
        return Encoded(
            tensor=torch.from_numpy(images),
            lengths=[1] * len(images),
            unknown=[[] for _ in images],
            warnings=[
                [*remarks, *warnings_about(image, self._mean, self._seen)]
                for image, remarks in zip(images, noticed, strict=True)
            ],
        )

    def shown(self, encoded: Encoded, number: int) -> bytes:
        """Draw an input as the model sees it, before normalisation: a PNG."""
        return as_png(as_image(encoded.tensor[number].numpy()))

    def infer(self, model: nn.Module, encoded: Encoded) -> Tensor:
        """Return the logits (input, classes)."""
        device = next(model.parameters()).device
        with torch.inference_mode():
            parts = torch.split(encoded.tensor, _INFER_AT_ONCE)
            logits = [self._logits(model, part.to(device)).float().cpu() for part in parts]
        return torch.cat(logits)

    def decode(
        self, logits: Tensor, encoded: Encoded, *, top_k: int, special_tokens: bool
    ) -> list[Prediction]:
        """Name the most probable classes."""
        del special_tokens  # classes have none
        return name_classes(logits, encoded, self._classes, top_k=top_k)

    def _logits(self, model: nn.Module, pixels: Tensor) -> Tensor:
        mean, deviation = self._scale.to(pixels.device)
        return cast("Tensor", model((pixels.float() - mean) / deviation))


def prepare(data: ImageData, options: ImageOptions) -> Prepared:
    """Resize and split the images, unless test files do, and measure the normalisation."""
    size, sent_as = _size(data.facts, options), _size(data.facts, ImageOptions())
    images, labels = resized(data.images, size), data.labels
    if data.test_images is not None and data.test_labels is not None:
        validation_images, validation_labels = resized(data.test_images, size), data.test_labels
        places = np.arange(len(labels))
    else:
        held_out = splits.validation_images(labels, options.validation_fraction)
        validation_images, validation_labels = images[held_out], labels[held_out]
        images, labels = images[~held_out], labels[~held_out]
        places = np.flatnonzero(~held_out)
    mean, deviation = _normalisation(images)
    classes = list(data.facts.classes)
    task = ImageClassification(
        shape(data.facts, options),
        classes,
        mean,
        deviation,
        sent_as=sent_as,
        weights=_weights(labels, len(classes)) if options.class_weights == "balanced" else None,
        seen=seen_in(images),
    )
    augmentation = Augmentation(options.shift, options.flip, options.cutout)
    return Prepared(
        task,
        ImageExamples(images, labels, augmentation, mean),
        ImageExamples(validation_images, validation_labels),
        majority_class(labels, validation_labels),
        places,
    )


def restore(preparation: bytes) -> ImageClassification:
    """Make the task again, as it was prepared."""
    prepared = json.loads(preparation)
    sent_as, seen = prepared.get("sent_as"), prepared.get("seen")
    return ImageClassification(
        ImageShape.model_validate(prepared["shape"]),
        prepared["classes"],
        prepared["mean"],
        prepared["standard_deviation"],
        sent_as=Size(**sent_as) if sent_as else None,
        seen=Seen(**seen) if seen else None,
    )


def shape(facts: ImageFacts, options: ImageOptions) -> ImageShape:
    """Tell the shape that images have when they were resized."""
    return ImageShape(**_size(facts, options)._asdict(), classes=len(facts.classes))


def steps_per_epoch(facts: ImageFacts, options: ImageOptions, batch_size: int) -> int:
    """Tell the batches of an epoch, exactly."""
    examples = facts.examples
    if not facts.test_examples:
        fraction = options.validation_fraction
        examples -= sum(splits.held_out(count, fraction) for count in facts.examples_per_class)
    return ceil(examples / batch_size)


def data_bytes(facts: ImageFacts, options: ImageOptions) -> int:
    """Count the bytes of the images, as they are read and as they are trained on."""
    sizes = _size(facts, ImageOptions()), _size(facts, options)
    return (facts.examples + facts.test_examples) * sum(map(prod, sizes))


def majority_class(labels: NDArray[np.int64], validation: NDArray[np.int64]) -> Baseline:
    """Always guess the class that training has most often."""
    most_frequent = np.bincount(labels).argmax()
    accuracy = float((validation == most_frequent).mean())
    return Baseline(name="majority_class", metrics={"val_accuracy": accuracy})


TASK: TaskKind[ImageOptions] = TaskKind(
    name="image_classification",
    summary="Tells which class an image shows.",
    data=("idx", "image_folder"),
    options=ImageOptions,
    smooths=True,
    best_metric="val_accuracy",
    metrics=("val_loss", "val_accuracy"),
    shape=shape,
    steps_per_epoch=steps_per_epoch,
    prepare=cast("Any", prepare),
    restore=restore,
    data_bytes=data_bytes,
)


def _size(facts: ImageFacts, options: ImageOptions) -> Size:
    """Tell what images are stretched to; without options, what the data have."""
    return Size(
        channels=facts.channels if options.colour is None else CHANNELS[options.colour],
        height=options.height or facts.height,
        width=options.width or facts.width,
    )


def _weights(labels: NDArray[np.int64], classes: int) -> list[float]:
    """Let every class count the same, and an image 1 on average; absent classes have no loss."""
    counts = np.bincount(labels, minlength=classes)
    there = int((counts > 0).sum())
    return (len(labels) / (there * np.maximum(counts, 1))).tolist()


def _normalisation(images: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel, from how often each value occurs."""
    values = np.arange(256, dtype=np.float64)
    means: list[float] = []
    deviations: list[float] = []
    for counts in count_values(images):
        mean = float(np.average(values, weights=counts))
        variance = float(np.average((values - mean) ** 2, weights=counts))
        means.append(mean)
        deviations.append(max(variance**0.5, 1.0))  # a channel of one value stays finite
    return means, deviations
