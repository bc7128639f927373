"""Previews and statistics, against numbers that one can count by hand."""

import tracemalloc
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.datasets import contact_sheet, idx, image_folder, preview, registry
from service.datasets.examples import of_every_class, spread
from service.datasets.pixels import count_values
from service.datasets.statistics import correlation, histogram, statistics
from service.domain.datasets import (
    Dataset,
    IdxDatasetSpec,
    ImageFacts,
    ImageFolderDatasetSpec,
    LabelledTextDatasetSpec,
    TableDatasetSpec,
    TextDatasetSpec,
)
from service.domain.looking import Bar, DatasetStatistics
from service.store.blobs import DatabaseBlobs
from service.store.datasets import add_dataset, get_facts
from service.store.engine import Database
from tests.builders import NOON
from tests.datasets.test_image_folder import a_picture, packed

TEXT = b"the sun is warm\nthe sea is deep\nthe sun sets\n"
TABLE = b"hours,colour,power\n1,red,10\n2,blue,20\n3,red,30\n,red,40\n"
TALKS = "q,label\n" + "".join(f"talk number {n} is,{'ab'[n % 2]}\n" for n in range(20))
PETS = {f"{kind}s/{n}.png": a_picture(20 * n) for kind in ("cat", "dog") for n in range(3)}


class Looker:
    """Stores a dataset and looks at it."""

    def __init__(self, database: Database, spec: Any, **files: bytes) -> None:
        self.source = DatabaseBlobs(database)
        opened = {role: BytesIO(content) for role, content in files.items()}
        new = registry.take_in(spec, opened, self.source)
        with database.begin() as session:
            self.dataset: Dataset = add_dataset(session, new, now=NOON)[0]
            self.facts = get_facts(session, spec.name)

    def rows(self, count: int = 10) -> list[dict[str, Any]]:
        return preview.preview(self.facts, self.source, count).rows

    def measured(self) -> DatasetStatistics:
        return statistics(self.dataset, self.facts, self.source)


@pytest.fixture
def words(sqlite_database: Database) -> Looker:
    spec = TextDatasetSpec(name="w", type="text", source="the sea", licence="CC0")
    return Looker(sqlite_database, spec, file=TEXT)


@pytest.fixture
def table(sqlite_database: Database) -> Looker:
    spec = TableDatasetSpec(name="t", type="table", target="power", units={"power": "kW"})
    return Looker(sqlite_database, spec, file=TABLE)


@pytest.fixture
def pets(sqlite_database: Database) -> Looker:
    spec = ImageFolderDatasetSpec(name="p", type="image_folder", height=4, width=4, channels=1)
    return Looker(sqlite_database, spec, file=packed(PETS))


def test_a_text_shows_its_first_lines(words: Looker) -> None:
    assert words.rows(2) == [{"text": "the sun is warm"}, {"text": "the sea is deep"}]


def test_words_are_counted(words: Looker) -> None:
    told = words.measured()
    assert (told.examples, told.examined) == (3, 3)
    assert (told.source, told.licence) == ("the sea", "CC0")
    assert told.lengths == [Bar(low=3, high=3, count=1), Bar(low=4, high=4, count=2)]
    assert told.vocabulary is not None
    assert (told.vocabulary.words, told.vocabulary.distinct, told.vocabulary.once) == (11, 7, 4)
    assert told.vocabulary.most_frequent[0] == "the"
    assert told.vocabulary.coverage[-1].share == 1
    assert told.vocabulary.unknown_in_validation is not None
    assert 0 < told.vocabulary.unknown_in_validation < 1


def test_labelled_texts_show_and_count_their_classes(sqlite_database: Database) -> None:
    spec = LabelledTextDatasetSpec(name="l", type="labelled_text", text="q", label="label")
    looker = Looker(sqlite_database, spec, file=TALKS.encode())
    assert looker.rows(1) == [{"text": "talk number 0 is", "label": "a"}]
    counted = [(each.label, each.training, each.validation) for each in looker.measured().classes]
    assert counted == [("a", 9, 1), ("b", 9, 1)]


def test_a_table_shows_numbers_and_what_is_missing(table: Looker) -> None:
    first, *_, last = table.rows()
    assert first == {"hours": 1.0, "colour": "red", "power": 10.0}
    assert last["hours"] is None


def test_columns_are_measured(table: Looker) -> None:
    hours, colour, power = table.measured().columns
    assert (hours.mean, hours.missing, hours.quantiles["50"]) == (2, 1, 2)
    assert hours.correlation == pytest.approx(1)
    assert (power.unit, power.deviation) == ("kW", pytest.approx(np.std([10, 20, 30, 40])))
    assert [(each.value, each.count) for each in colour.values] == [("red", 3), ("blue", 1)]
    assert colour.correlation is None


def test_pictures_are_shown_from_every_class(pets: Looker) -> None:
    assert [row["label"] for row in pets.rows(4)] == ["cats", "dogs", "cats", "dogs"]


def test_pixels_and_classes_are_measured(pets: Looker) -> None:
    told = pets.measured()
    assert told.pixels[0].mean == pytest.approx(20)
    assert told.pixels[0].deviation == pytest.approx(np.std([0, 20, 40]))
    assert [(each.training, each.validation) for each in told.classes] == [(2, 1), (2, 1)]


def test_pictures_of_a_test_folder_validate(sqlite_database: Database) -> None:
    spec = ImageFolderDatasetSpec(name="p", type="image_folder", height=4, width=4, channels=1)
    entries = {f"train/{path}": content for path, content in PETS.items()}
    entries["test/dogs/9.png"] = a_picture(9)
    told = Looker(sqlite_database, spec, file=packed(entries)).measured().classes or []
    assert [(each.training, each.validation) for each in told] == [(3, 0), (3, 1)]


def test_the_sheet_shows_the_pictures_of_the_rows(pets: Looker) -> None:
    drawn = Image.open(BytesIO(preview.sheet(pets.facts, pets.source, 4)))
    assert drawn.format == "PNG"
    cell = contact_sheet.SMALLEST + 6
    seen = [drawn.getpixel((10 + place * cell, 10)) for place in range(4)]
    assert seen == [(0,) * 3, (0,) * 3, (20,) * 3, (20,) * 3]


def test_idx_is_looked_at_too(sqlite_database: Database) -> None:
    images = np.arange(20, dtype=np.uint8).repeat(9).reshape(20, 3, 3)
    labels = (np.arange(20) % 2).astype(np.uint8)
    files = {"images": idx.encode(images), "labels": idx.encode(labels)}
    looker = Looker(sqlite_database, IdxDatasetSpec(name="i", type="idx"), **files)
    assert [row["index"] for row in looker.rows(3)] == [0, 1, 2]
    assert looker.measured().pixels[0].mean == pytest.approx(9.5)


@pytest.mark.parametrize("shape", [(1, 200, 30), (3, 1, 1), (2, 8, 8), (4, 64, 64)])
def test_pictures_of_any_size_and_channels_are_drawn(shape: tuple[int, ...]) -> None:
    images = [np.zeros(shape, dtype=np.uint8)] * 23
    drawn = Image.open(BytesIO(contact_sheet.draw(images, [0] * 23, ["a very long label " * 9])))
    assert drawn.width <= 10 * (contact_sheet.LARGEST + 6) + 6


@pytest.mark.parametrize("label", ["고양이", "chaton câlin", "кот", "猫", "고양이\n둘째 줄"])
def test_a_label_that_the_font_lacks_letters_of_is_told_by_its_number(label: str) -> None:
    image = np.zeros((1, 8, 8), dtype=np.uint8)

    def drawn(name: str) -> bytes:
        return contact_sheet.draw([image], [2], ["a", "b", name])

    assert drawn(label) == drawn("#2")
    assert drawn("(cat) & 'dog' ~ 10%, {a}") != drawn("#2")


def test_a_row_of_pictures_tells_the_number_of_its_class(pets: Looker) -> None:
    assert [row["class"] for row in pets.rows(4)] == [0, 1, 0, 1]


def test_places_are_spread_and_every_class_has_its_turn() -> None:
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(2, 4) == [0, 1]
    assert of_every_class([0, 0, 0, 1, 2], 4) == [0, 3, 4, 1]


def test_a_histogram_counts_everything_once() -> None:
    lengths = np.random.default_rng(0).integers(3, 900, 500)
    bars = histogram(lengths)
    assert len(bars) <= 20
    assert sum(bar.count for bar in bars) == 500
    assert all(one.high + 1 == other.low for one, other in pairwise(bars))


def test_what_does_not_vary_has_no_correlation() -> None:
    assert correlation(np.ones(3), np.arange(3.0)) is None
    assert correlation(np.arange(3.0), -np.arange(3.0)) == pytest.approx(-1)


def test_only_the_pictures_that_are_looked_at_are_decoded() -> None:
    spec = ImageFolderDatasetSpec(name="p", type="image_folder", height=4, width=4)
    content = packed(PETS)
    facts = registry.check(spec, {"file": BytesIO(content)}).facts
    assert isinstance(facts, ImageFacts)
    images, labels, places = image_folder.sample(content, facts, [1, 4])
    assert (len(images), labels.tolist(), places) == (2, [0, 1], [1, 4])


def test_values_are_counted_in_little_memory_and_in_every_channel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 1500, 1500)).astype(np.uint8)
    tracemalloc.start()
    counts = count_values(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1500 * 1500
    for channel in range(2):
        assert counts[channel].tolist() == np.bincount(images[:, channel].ravel()).tolist()


def test_of_large_pictures_fewer_are_looked_at(sqlite_database: Database) -> None:
    spec = ImageFolderDatasetSpec(name="p", type="image_folder", height=1024, width=1024)
    many = {f"{'ab'[n % 2]}/{n}.png": a_picture(n) for n in range(44)}
    told = Looker(sqlite_database, spec, file=packed(many)).measured()
    assert (told.examples, told.examined) == (44, (128 << 20) // (3 * 1024 * 1024))
