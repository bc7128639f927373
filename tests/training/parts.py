"""Small real data, specs and a recorder in memory, for tests of the loop."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import JsonValue

from service.catalogue import Catalogue, Trainable
from service.datasets.base import Data, ImageData, TextData
from service.domain.components import Component
from service.domain.datasets import ImageFacts, SequenceUnit, TextFacts
from service.domain.events import EventType
from service.domain.findings import Found
from service.domain.jobs import (
    CheckpointKind,
    CheckpointSpec,
    DatasetSpec,
    JobSpec,
    Progress,
    RunInfo,
    TrainingSpec,
)
from service.domain.ports import CheckpointDraft, Command, MetricPoint
from service.training.loop import Outcome, train
from service.training.start import Saved

CATALOGUE = Catalogue.installed()
CPU = torch.device("cpu")
FOODS = ("rice", "noodles", "soup", "apples", "bread", "kimchi", "tofu")
PEOPLE = ("I", "you", "we", "they")


class Kept(NamedTuple):
    """A checkpoint as its bytes were when it was written."""

    kinds: Sequence[CheckpointKind]
    step: int
    epoch: int
    metrics: Mapping[str, float]
    weights: bytes
    state: bytes
    scheduled: bool


class MemoryRecorder:
    """Keeps what it is told; gives an order from the n-th time it is asked."""

    def __init__(self, orders: Mapping[int, Command] | None = None) -> None:
        self.orders = orders or {}
        self.asked = 0
        self.runs: list[RunInfo] = []
        self.preparations: list[bytes] = []
        self.points: list[MetricPoint] = []
        self.reported: list[Progress] = []
        self.drafts: list[Kept] = []
        self.events: list[tuple[EventType, dict[str, JsonValue]]] = []

    def started(self, run: RunInfo, preparation: bytes) -> None:
        self.runs.append(run)
        self.preparations.append(preparation)

    def metrics(self, points: Sequence[MetricPoint]) -> None:
        self.points.extend(points)

    def progress(self, progress: Progress) -> None:
        self.reported.append(progress)

    def event(self, happened: EventType, data: Mapping[str, JsonValue]) -> None:
        self.events.append((happened, dict(data)))

    def checkpoint(self, draft: CheckpointDraft) -> None:
        kinds, step, epoch, metrics, weights, state, scheduled = draft
        files = (b"".join(weights.pieces()), b"".join(state.pieces()))
        self.drafts.append(Kept(kinds, step, epoch, metrics, *files, scheduled))

    def command(self) -> Command | None:
        self.asked += 1
        given: list[Command] = [
            order for at, order in sorted(self.orders.items()) if at <= self.asked
        ]
        return given[-1] if given else None

    def series(self, name: str) -> dict[int, float]:
        """Return step → value of one series."""
        return {point.step: point.value for point in self.points if point.name == name}

    def findings(self) -> list[dict[str, JsonValue]]:
        """Return what the doctor found, in order."""
        return [data for happened, data in self.events if happened == "finding"]

    def found(self) -> list[Found]:
        """Name what the doctor found."""
        return [Found.of(data) for data in self.findings()]

    def exact_points(self, *, until: int | None = None) -> list[MetricPoint]:
        """Return the points that a resume must repeat, to a step."""
        return [
            point
            for point in self.points
            if not point.name.startswith("time/") and (until is None or point.step <= until)
        ]


def text_data(sequences: SequenceUnit = "lines") -> TextData:
    lines = [
        f"{person} {verb} {food} and {other}"
        for person in PEOPLE
        for verb in ("like", "eat")
        for food in FOODS
        for other in FOODS
    ]
    facts = TextFacts(
        sequences=sequences,
        lines=len(lines),
        words=5 * len(lines),
        distinct_words=14,
        vocabulary_sizes=[16, 16],
    )
    return TextData(facts=facts, lines=lines)


def image_data(count: int = 96, size: int = 8) -> ImageData:
    """Images whose class is the brightest quarter."""
    generator = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int64) % 4
    images = generator.integers(0, 120, size=(count, 1, size, size), dtype=np.uint8)
    half = size // 2
    for image, label in zip(images, labels, strict=True):
        top, left = half * (label // 2), half * (label % 2)
        image[:, top : top + half, left : left + half] += 100
    facts = ImageFacts(
        channels=1,
        height=size,
        width=size,
        classes=["a", "b", "c", "d"],
        examples=count,
        test_examples=0,
        examples_per_class=[count // 4] * 4,
    )
    return ImageData(facts=facts, images=images, labels=labels, test_images=None, test_labels=None)


def a_spec(
    data: Data,
    architecture: Mapping[str, Any],
    *,
    optimizer: Mapping[str, Any] | None = None,
    schedule: Mapping[str, Any] | None = None,
    **training: Any,
) -> JobSpec:
    """Make a resolved spec; `training` replaces single options of a short default run."""
    text = isinstance(data, TextData)
    options: dict[str, Any] = {
        "epochs": None if "max_steps" in training else 2,
        "max_steps": None,
        "batch_size": 32,
        "seed": 7,
        "device": "cpu",
        "precision": "float32",
        "gradient_clip": None,
        "early_stopping": None,
        "checkpoint": a_policy(),
        "max_seconds": None,
        "best_metric": "val_loss",
    }
    return JobSpec(
        model=None,
        task="next_word" if text else "image_classification",
        dataset=DatasetSpec(
            name="small", id="ds_1", type=data.facts.type, sha256="0" * 64, options={}
        ),
        architecture=_component(architecture),
        optimizer=_component(optimizer or {"type": "sgd", "lr": 0.1, "momentum": 0.9}),
        schedule=_component(schedule or {"type": "constant"}),
        training=TrainingSpec.model_validate({**options, **training}),
    )


def a_policy(every_steps: int | None = None) -> CheckpointSpec:
    return CheckpointSpec(every_steps=every_steps, keep_best=1, keep_latest=1, keep_periodic=20)


def build(spec: JobSpec, data: Data) -> Trainable:
    return CATALOGUE.build(spec, data)


def run(
    spec: JobSpec,
    data: Data,
    *,
    orders: Mapping[int, Command] | None = None,
    resume: Kept | None = None,
    recorder: MemoryRecorder | None = None,
    **options: Any,
) -> tuple[Outcome, MemoryRecorder, Trainable]:
    """Train a newly built model, as a new process would."""
    recorder = MemoryRecorder(orders) if recorder is None else recorder
    trainable = build(spec, data)
    torch.rand(17)  # a new process's generator is anywhere
    outcome = train(
        trainable,
        spec,
        recorder,
        device=CPU,
        resume=None if resume is None else Saved("ckpt_1", resume.weights, resume.state),
        **options,
    )
    return outcome, recorder, trainable


def _component(options: Mapping[str, Any]) -> Component:
    return Component.model_validate(options)
