"""The nearest training examples: where they stand, and that each is nearest to itself."""

import gc
import weakref
from base64 import b64decode
from io import BytesIO
from sys import getsizeof
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter
from torch.nn import functional

from service.catalogue import Catalogue, building
from service.catalogue.discovery import discover
from service.catalogue.resolving import read_options
from service.datasets import idx, registry
from service.datasets.base import Data, ImageData, TextData
from service.domain.components import Component
from service.domain.datasets import (
    AnyDatasetSpec,
    DatasetFacts,
    DatasetFile,
    DatasetUploadSpec,
    ImageFacts,
)
from service.domain.evidence import Neighbour
from service.domain.predictions import Input
from service.prediction.evidence import (
    MAX_FILE_BYTES,
    MAX_PIXEL_BYTES,
    EvidenceNotAvailable,
    refuse_large,
)
from service.prediction.hidden import NoLastLayer, read_by_last_layer
from service.prediction.training_examples import TrainingExamples, gather, read_input
from service.store.engine import Database
from service.tasks.image_classification import ImageExamples
from service.tasks.sequences import LineExamples
from tests.api.workshop import Workshop

INSTALLED = discover()
SPECS: TypeAdapter[AnyDatasetSpec] = TypeAdapter(DatasetUploadSpec)
SKIES = ("clear", "rain", "fog")
TABLE = "hour,sky,power\n" + "".join(
    f"{number % 24},{SKIES[number % 3]},{number * 1.5}\n" for number in range(60)
)
LABELLED = "text,label\n" + "".join(
    f"thing {number} is {'very ' * (number % 5)}good,{'yn'[number % 2]}\n" for number in range(60)
)
PIXELS = np.random.default_rng(3).integers(0, 256, (40, 8, 8), dtype=np.uint8)
FILES: dict[str, dict[str, bytes]] = {
    "text": {
        "file": "\n".join(
            f"{who} like eating {food} with {other}"
            for who in ("i", "you", "we")
            for food in ("rice", "soup", "bread")
            for other in ("tea", "milk", "water", "juice")
        ).encode()
    },
    "labelled_text": {"file": LABELLED.encode()},
    "table": {"file": TABLE.encode()},
    "idx": {
        "images": idx.encode(PIXELS),
        "labels": idx.encode((np.arange(40) % 2).astype(np.uint8)),
    },
}
CHOICES = [
    (task, kind, options, architecture)
    for task, kind, options, shape in (
        ("next_word", "text", {}, "text"),
        ("next_word", "text", {"sequences": "stream"}, "text"),
        ("next_word", "text", {"tokenizer": "char"}, "text"),
        ("text_classification", "labelled_text", {"sequence_length": 64}, "text_classes"),
        ("regression", "table", {"target": "power"}, "rows"),
        ("classification", "table", {"target": "sky"}, "rows"),
        ("image_classification", "idx", {}, "images"),
    )
    for architecture, part in INSTALLED.architectures.items()
    if shape in part.fits
]


class Files:
    """Where a dataset reads its files from; their hash is what they are called."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def read(self, sha256: str) -> bytes:
        return self._files[sha256]


def data_of(kind: str, files: dict[str, bytes] | None = None, **options: Any) -> Data:
    files = FILES[kind] if files is None else files
    spec = SPECS.validate_python({"type": kind, "name": "d", **options})
    facts = registry.check(spec, {role: BytesIO(each) for role, each in files.items()}).facts
    listed = [DatasetFile(role=role, sha256=role, bytes=1) for role in files]
    known = DatasetFacts(id="ds_1", name="d", sha256="0", facts=facts, files=listed)
    return registry.load(known, Files(files))


class Model:
    """A new model of some data, and the examples that it would have been trained on."""

    def __init__(
        self, task: str, data: Data, options: dict[str, Any], architecture: str, most: int = 10**6
    ) -> None:
        kind = INSTALLED.tasks[task]
        prepared = kind.prepare(data, read_options(kind.options, options, "/dataset"))
        self.task = prepared.task
        component = Component.model_validate({"type": architecture})
        self.model = building.seeded_model(INSTALLED, component, self.task.shape, seed=1).eval()
        self.found: TrainingExamples = gather(
            data, prepared, self.task, self.model, target=options.get("target"), most=most
        )
        self.vectors = self.found.read(self.model, 0, self.found.count)

    def shown(self) -> list[Neighbour]:
        return [self.found.shown(number) for number in range(len(self.vectors))]

    def distances(self, given: Input) -> torch.Tensor:
        encoded = self.task.encode([given])
        vector = read_input(self.task, self.model, encoded, 0)
        return (self.vectors - vector).square().sum(dim=1).sqrt()


def as_input(shown: Neighbour, task: str) -> Input:
    """Ask about a training example, by what is shown of it."""
    if shown.picture is not None:
        return b64decode(shown.picture)
    assert shown.excerpt is not None
    if task not in {"regression", "classification"}:
        return shown.excerpt
    cells = dict(cell.split("=") for cell in shown.excerpt.split(", "))
    return {name: cell if name == "sky" else float(cell) for name, cell in cells.items()}


@pytest.mark.parametrize(("task", "kind", "options", "architecture"), CHOICES)
def test_a_training_example_is_its_own_nearest_neighbour(
    task: str, kind: str, options: dict[str, Any], architecture: str
) -> None:
    model = Model(task, data_of(kind), options, architecture)

    for number in range(0, len(model.vectors), len(model.vectors) // 7):
        distances = model.distances(as_input(model.found.shown(number), task))

        assert distances[number] < 1e-5
        assert distances[number] <= distances.min() + 1e-5
        assert distances.max() > 1e-3


def test_a_model_without_a_last_layer_has_no_evidence() -> None:
    with pytest.raises(NoLastLayer):
        read_by_last_layer(lambda: functional.relu(torch.ones(3)))


def test_lines_are_those_of_the_file_though_some_are_left_out() -> None:
    broken = TABLE.replace("5,fog,7.5\n", "\n5,fog\n5,fog,7.5\n")
    data = data_of("table", {"file": broken.encode()}, on_error="skip")

    shown = Model("regression", data, {"target": "power"}, "mlp").shown()

    lines = broken.split("\n")
    for each in shown:
        assert each.line is not None
        hour, sky, power = lines[each.line - 1].split(",")
        assert (each.excerpt, each.value) == (f"hour={hour}, sky={sky}", float(power))
    assert len(shown) == 54  # a tenth validates


def test_words_are_shown_on_their_line_with_what_followed() -> None:
    text = "\n\n".join(f"{first} b c d e f" for first in "klmnopqrst")
    data = data_of("text", {"file": text.encode()})

    shown = Model("next_word", data, {}, "rnn").shown()

    lines = text.split("\n")
    for each in shown:
        assert each.line is not None
        assert each.token is not None
        expected = lines[each.line - 1] + " <eos>"
        assert expected.startswith(f"{each.excerpt} {each.token}")
    assert len({each.line for each in shown}) == 9
    assert len(shown) == 9 * 6


def test_of_one_long_line_only_what_trained_is_searched() -> None:
    words = [f"w{number}" for number in range(400)]
    data = data_of("text", {"file": " ".join(words).encode()}, sequences="stream")

    model = Model("next_word", data, {}, "lstm")

    followed = [each.token for each in model.shown()]
    assert followed[-1] in {"<eos>", "w359"}
    assert {"w1", "w200", "w358"} <= {*followed}
    assert not {*words[360:]} & {*followed}


def test_of_many_examples_some_are_taken_evenly_and_always_the_same() -> None:
    data = data_of("labelled_text")

    some, again = (Model("text_classification", data, {}, "mlp", most=10) for _ in range(2))

    lines = [each.line or 0 for each in some.shown()]
    assert (len(lines), some.found.examples) == (10, 54)
    assert lines == sorted(lines)
    assert max(lines) > 50
    assert lines == [each.line for each in again.shown()]
    assert torch.equal(some.vectors, again.vectors)


KEPT: list[tuple[str, str, dict[str, Any], str]] = [
    ("next_word", "text", {}, "rnn"),
    ("text_classification", "labelled_text", {"sequence_length": 64}, "mlp"),
    ("regression", "table", {"target": "power"}, "mlp"),
    ("image_classification", "idx", {}, "mlp"),
]


@pytest.mark.parametrize(("task", "kind", "options", "architecture"), KEPT)
def test_what_is_shown_keeps_no_dataset_and_is_counted(
    task: str, kind: str, options: dict[str, Any], architecture: str
) -> None:
    data = data_of(kind)
    model = Model(task, data, options, architecture)
    shown, held, before = model.found.shown, model.found.bytes, model.shown()
    dataset, learned = weakref.ref(data), weakref.ref(model.task)

    del data, model
    gc.collect()

    assert (dataset(), learned()) == (None, None)
    assert [shown(number) for number in range(len(before))] == before
    texts = sum(getsizeof(each.excerpt) for each in before if each.excerpt)
    assert held > (texts or PIXELS[0].size * len(before))


@pytest.mark.parametrize(("kind", "most"), [("table", MAX_FILE_BYTES), ("text", MAX_FILE_BYTES)])
def test_a_dataset_too_large_to_be_read_beside_requests_is_not_searched(
    kind: str, most: int
) -> None:
    facts = data_of(kind).facts

    def with_bytes(count: int) -> DatasetFacts:
        files = [DatasetFile(role="file", sha256="0", bytes=count)]
        return DatasetFacts(id="ds_1", name="large", sha256="0", facts=facts, files=files)

    refuse_large(with_bytes(most))
    with pytest.raises(EvidenceNotAvailable, match="'large' has 67,108,865 bytes"):
        refuse_large(with_bytes(most + 1))


def test_pictures_are_counted_as_they_are_decoded() -> None:
    facts = data_of("idx").facts
    assert isinstance(facts, ImageFacts)
    many = facts.model_copy(update={"examples": MAX_PIXEL_BYTES // 64 + 1})
    files = [DatasetFile(role="images", sha256="0", bytes=1)]

    with pytest.raises(EvidenceNotAvailable):
        refuse_large(DatasetFacts(id="ds_1", name="d", sha256="0", facts=many, files=files))


@pytest.fixture
def workshop(database: Database) -> Workshop:
    return Workshop(database, Catalogue.installed())


def predicted(workshop: Workshop, model: str, query: str = "", **body: Any) -> dict[str, Any]:
    answer = workshop.post(f"/v1/models/{model}/predict{query}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_comes_with_its_evidence(workshop: Workshop) -> None:
    workshop.a_trained_job(model="kitchen-words")

    answer = predicted(workshop, "kitchen-words", inputs=["I cook", "we"], evidence=3)

    first, second = (each["evidence"] for each in answer["predictions"])
    assert (first[0]["excerpt"], round(first[0]["distance"], 4)) == ("i cook", 0)
    assert (second[0]["excerpt"], round(second[0]["distance"], 4)) == ("we", 0)
    assert [len(first), len(second)] == [3, 3]
    assert first[0]["token"] in {"rice", "bread", "apples", "soup"}
    searched = answer["evidence"]
    assert (searched["dataset"], searched["distance"]) == ("kitchen", "euclidean")
    assert 0 < searched["examples_searched"] <= searched["examples"]
    by_query = predicted(workshop, "kitchen-words", "?evidence=3", inputs=["I cook", "we"])
    assert by_query["predictions"] == answer["predictions"]
    plain = predicted(workshop, "kitchen-words", inputs=["I cook"])
    assert (plain["evidence"], plain["predictions"][0]["evidence"]) == (None, None)


def test_pictures_come_as_the_model_sees_them(workshop: Workshop) -> None:
    spec = '{"name": "noise", "type": "idx"}'
    files = [("spec", (None, spec)), *((role, (role, each)) for role, each in FILES["idx"].items())]
    assert workshop.raw("POST", "/v1/datasets", files=files).status_code == 201
    workshop.a_trained_job(
        dataset={"name": "noise", "height": 6, "width": 6}, architecture="mlp", model="noise"
    )

    answer = predicted(workshop, "noise", inputs=[PIXELS[7].tolist()], evidence=2)

    nearest = answer["predictions"][0]["evidence"][0]
    assert (nearest["index"], nearest["label"]) == (7, "1")
    assert nearest["distance"] == pytest.approx(0, abs=1e-4)
    assert Image.open(BytesIO(b64decode(nearest["picture"]))).size == (6, 6)


def datasets_in_memory() -> int:
    gc.collect()
    kinds = {TextData, LineExamples, ImageData, ImageExamples}
    return sum(type(each) in kinds for each in gc.get_objects())


def test_a_dataset_is_not_kept_behind_its_evidence(workshop: Workshop) -> None:
    workshop.a_trained_job(model="unkept")
    before = datasets_in_memory()

    predicted(workshop, "unkept", inputs=["I cook"], evidence=3)

    assert datasets_in_memory() == before


def test_without_its_dataset_or_its_job_a_model_has_no_evidence(workshop: Workshop) -> None:
    workshop.add_text("gone", [f"say {number} words" for number in range(40)])
    job = workshop.a_trained_job(model="gone", dataset="gone")
    kept = workshop.a_trained_job(model="kept")
    workshop.delete("/v1/datasets/gone")
    workshop.delete(f"/v1/jobs/{kept.id}")

    for model, missing in (("gone", "The dataset 'gone'"), ("kept", "The job")):
        answer = workshop.post(f"/v1/models/{model}/predict?evidence=1", {"inputs": ["say"]})

        assert (answer.status_code, answer.json()["code"]) == (409, "evidence_not_available")
        assert missing in answer.json()["detail"]
    assert job.status == "succeeded"
