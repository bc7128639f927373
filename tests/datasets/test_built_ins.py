"""What is shipped: every dataset passes the checks of an upload and is what its docs say."""

from collections import Counter
from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO
from unicodedata import normalize

import numpy as np
import pytest

from service.datasets import idx, registry, splits
from service.datasets.base import (
    Data,
    Download,
    DownloadFile,
    LabelledTextData,
    TableData,
    TextData,
)
from service.datasets.builtin import eating, python_docs
from service.domain.datasets import DatasetFacts, DatasetFile, Facts, ImageFacts, TextFacts
from tests.datasets.files import a_text_spec, an_idx_spec, images_file, labels_file, opened

SHIPPED = (
    "eating",
    "python-docs",
    "digits",
    "fashion-mnist-mini",
    "korean-chat",
    "korean-talk",
    "shakespeare",
    "sms-spam",
    "solar",
)


class KeptBlobs:
    """A store in memory, for tests of what is written through it."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, content: BinaryIO) -> tuple[str, int]:
        data = content.read()
        name = f"{len(self.kept)}"
        self.kept[name] = data
        return name, len(data)

    def read(self, sha256: str) -> bytes:
        return self.kept[sha256]


def facts_of(name: str) -> Facts:
    built_in = registry.built_ins()[name]
    return registry.check(built_in.spec, opened(**built_in.files())).facts


def following(prompt: str) -> Counter[str]:
    """Count the words that follow a prompt in `eating`."""
    lines = (line for line in eating.sentences() if line.startswith(f"{prompt} "))
    return Counter(line.removeprefix(f"{prompt} ").split()[0] for line in lines)


def loaded(name: str) -> Data:
    """Take a dataset in and load it, as a job does."""
    blobs = KeptBlobs()
    new = registry.take_in_built_in(registry.built_ins()[name], blobs)
    facts = DatasetFacts(id="ds_1", name=name, sha256=new.sha256, facts=new.facts, files=new.files)
    return registry.load(facts, blobs)


def bare(text: str) -> bytes:
    """Return what of a text makes it the same for the fixed splits."""
    return "".join(normalize("NFC", text).lower().split()).encode()


def test_all_that_is_shipped_is_found() -> None:
    assert set(SHIPPED) <= set(registry.built_ins())


@pytest.mark.parametrize("name", SHIPPED)
def test_source_and_licence_are_named(name: str) -> None:
    built_in = registry.built_ins()[name]
    assert built_in.source
    assert built_in.licence


@pytest.mark.parametrize(("name", "packed"), [("fashion-mnist", 30_878_645), ("mnist", 11_594_722)])
def test_what_is_downloaded_is_known_beforehand(name: str, packed: int) -> None:
    download = registry.downloads()[name]
    new = registry.announcement(download)
    assert isinstance(new.facts, ImageFacts)
    assert (new.facts.examples, sum(new.facts.examples_per_class)) == (60_000, 60_000)
    assert (new.facts.test_examples, sum(new.facts.test_examples_per_class)) == (10_000, 10_000)
    assert [file.role for file in new.files] == ["images", "labels", "test_images", "test_labels"]
    assert sum(file.bytes for file in new.files) == packed
    assert all(len(file.sha256) == 64 for file in new.files)
    assert download.decoded_bytes == 70_000 * (28 * 28 + 1)
    assert new.source
    assert new.licence
    assert new.built_in


def test_a_dataset_is_the_same_downloaded_or_uploaded() -> None:
    blobs = KeptBlobs()
    files = {"images": images_file(4, 3, 3), "labels": labels_file(0, 1, 0, 1)}
    taken_in = registry.take_in(an_idx_spec(), opened(**files), blobs, built_in=True)
    download = Download(
        spec=an_idx_spec(),
        facts=taken_in.facts,
        mirrors=[],
        files=[
            DownloadFile(role=file.role, name="any", sha256=file.sha256, bytes=file.bytes)
            for file in reversed(taken_in.files)
        ],
    )
    assert registry.announcement(download) == taken_in


def test_what_is_taken_in_can_be_loaded_again() -> None:
    blobs = KeptBlobs()
    new = registry.take_in_built_in(registry.built_ins()["digits"], blobs)
    facts = DatasetFacts(
        id="ds_1", name=new.name, sha256=new.sha256, facts=new.facts, files=new.files
    )
    data = registry.load(facts, blobs)
    assert new.built_in
    assert data.facts == new.facts


def test_eating_has_enough_distinct_sentences_in_both_languages() -> None:
    sentences = set(eating.sentences())
    korean = {line for line in sentences if any("가" <= letter <= "힣" for letter in line)}
    assert len(sentences) >= 2000
    assert len(korean) >= 1000
    assert len(sentences - korean) >= 1000


@pytest.mark.parametrize(
    ("prompt", "favourite", "rare"),
    [("I like eating", "pizza", "tofu"), ("내가 즐겨 먹는 것은", "피자입니다", "두부입니다")],
)
def test_foods_have_a_distribution_with_favourites(prompt: str, favourite: str, rare: str) -> None:
    counted = following(prompt)
    assert len(counted) == len(eating.FOODS)
    assert counted.most_common(1)[0][0] == favourite
    assert counted[favourite] >= 3 * counted[rare] > 0


def test_a_meal_has_its_own_foods() -> None:
    assert following("I eat cereal for") == Counter(breakfast=2)
    assert not following("나는 아침에 피자를")
    assert following("나는 저녁에 피자를")


@pytest.mark.parametrize("line", ["나는 커피를 좋아합니다", "나는 국를 좋아합니다"])
def test_particles_fit_the_last_letter(line: str) -> None:
    assert line not in eating.sentences()
    assert "나는 국을 좋아합니다" in eating.sentences()
    assert "나는 아침에 커피를 마십니다" in eating.sentences()


def test_the_order_of_eating_is_fixed() -> None:
    assert eating.sentences() == eating.sentences()
    assert eating.sentences() != sorted(eating.sentences())


def test_python_docs_is_running_english() -> None:
    facts = facts_of("python-docs")
    assert isinstance(facts, TextFacts)
    assert facts.sequences == "stream"
    assert 45_000 < facts.words < 90_000
    lines = python_docs.BUILT_IN.files()["file"].decode().splitlines()
    assert len(set(lines)) == len(lines)
    assert not any("::=" in line or "====" in line for line in lines)


def test_markup_leaves_running_text() -> None:
    topic = (
        'The "if" statement\n****\n\nAn *item* is\nread **once**.\n\n   a ::= b\n\n   * x, and\n'
    )
    assert python_docs.running_text(topic) == [
        "The if statement",
        "An item is read once.",
        "x, and",
    ]


def test_digits_are_the_1797_of_uci() -> None:
    facts = facts_of("digits")
    assert isinstance(facts, ImageFacts)
    assert (facts.examples, facts.height, facts.width, len(facts.classes)) == (1797, 8, 8, 10)
    data = idx.load(registry.built_ins()["digits"].files(), facts)
    assert data.images.max() == 255
    # The first digit of the published file, a zero, begins so: 0 0 5 13 9 1 0 0.
    assert data.images[0, 0, 0].tolist() == [0, 0, 80, 208, 144, 16, 0, 0]
    assert data.labels[:10].tolist() == list(range(10))


def test_fashion_mnist_mini_has_test_images_and_named_classes() -> None:
    facts = facts_of("fashion-mnist-mini")
    assert isinstance(facts, ImageFacts)
    assert (facts.examples, facts.test_examples) == (3000, 615)
    data = idx.load(registry.built_ins()["fashion-mnist-mini"].files(), facts)
    assert facts.classes[int(data.labels[0])] == "Ankle boot"
    assert np.bincount(data.labels).tolist() == facts.examples_per_class


@pytest.mark.parametrize(
    ("name", "classes", "examples", "fraction"),
    [
        ("sms-spam", ["ham", "spam"], 4459, 0.2),
        ("korean-chat", ["everyday", "love", "parting"], 11_823, 0.1),
    ],
)
def test_texts_are_split_by_label_with_all_copies_on_one_side(
    name: str, classes: list[str], examples: int, fraction: float
) -> None:
    data = loaded(name)
    assert isinstance(data, LabelledTextData)
    assert data.facts.classes == classes
    assert len(data.texts) == examples
    keys = [bare(text) for text in data.texts]
    assert data.held_out is not None
    assert (data.held_out == splits.stratified(data.labels, keys, fraction)).all()
    sides = zip(keys, data.held_out.tolist(), strict=True)
    assert len(set(sides)) == len(set(keys))


def test_korean_talk_is_the_sentences_of_korean_chat_in_their_order() -> None:
    data = loaded("korean-talk")
    assert isinstance(data, TextData)
    assert data.lines[:4] == [
        "12시 땡!",
        "하루가 또 가네요.",
        "1지망 학교 떨어졌어",
        "위로해 드립니다.",
    ]
    assert data.facts.lines == 2 * 11_823


def test_shakespeare_is_a_megabyte_of_running_text() -> None:
    data = loaded("shakespeare")
    assert isinstance(data, TextData)
    assert data.lines[:2] == ["First Citizen:", "Before we proceed any further, hear me speak."]
    assert data.facts.sequences == "stream"
    assert len(registry.built_ins()["shakespeare"].files()["file"]) == 1_115_394


def test_sms_spam_keeps_the_quotes_that_people_write() -> None:
    data = loaded("sms-spam")
    assert isinstance(data, LabelledTextData)
    assert 'A boy was late 2 home. His father: "POWER OF FRNDSHIP"' in data.texts
    assert any(text.startswith('"Getting tickets') for text in data.texts)
    assert np.bincount(data.labels).tolist() == [3874, 585]


def test_every_tenth_day_of_solar_validates_as_a_whole() -> None:
    data = loaded("solar")
    assert isinstance(data, TableData)
    assert data.held_out is not None
    days = data.held_out.reshape(365, 24)
    assert (days == days[:, :1]).all()
    assert np.flatnonzero(days[:, 0]).tolist() == list(range(9, 365, 10))
    assert set(np.asarray(data.columns["month"])[data.held_out]) == set(range(1, 13))
    assert {column.name: column.unit for column in data.facts.columns}["power_kw"] == "kW"


def test_options_and_bytes_make_the_hash_but_not_the_name() -> None:
    files = [DatasetFile(role="file", sha256="ab", bytes=1)]
    lines = registry.options_of(a_text_spec(source="mine"))
    stream = registry.options_of(a_text_spec(sequences="stream"))
    assert lines == {"sequences": "lines"}
    assert registry.dataset_sha256("text", lines, files) != registry.dataset_sha256(
        "text", stream, files
    )


@pytest.mark.parametrize("files", [{}, {"file": b"a\nb", "images": b""}])
def test_a_text_is_one_file(files: Mapping[str, bytes]) -> None:
    from service.domain.problems import Invalid

    with pytest.raises(Invalid, match="do not fit"):
        registry.check(a_text_spec(), {role: BytesIO(data) for role, data in files.items()})
