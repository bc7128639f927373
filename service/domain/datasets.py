"""A dataset: immutable, known by its SHA-256, described by facts that no one has to recompute."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from service.domain.base import Incoming, Moment, Outgoing
from service.domain.text import Name, ShortText, Text

SequenceUnit = Literal["lines", "stream"]


class TextDatasetSpec(Incoming):
    """The `spec` part of an uploaded text."""

    name: Name
    type: Literal["text"]
    sequences: SequenceUnit = Field(
        default="lines",
        description="`lines`: each line is a sequence of its own, from the initial state; "
        "`stream`: running text, the hidden state is carried on.",
    )
    source: ShortText | None = None
    licence: ShortText | None = None


class IdxDatasetSpec(Incoming):
    """The `spec` part of uploaded IDX images (the MNIST format), plain or gzip."""

    name: Name
    type: Literal["idx"]
    classes: list[ShortText] | None = Field(
        default=None, max_length=10_000, description="Names of the classes, label 0 first."
    )
    source: ShortText | None = None
    licence: ShortText | None = None


DatasetUploadSpec = Annotated[TextDatasetSpec | IdxDatasetSpec, Field(discriminator="type")]


class TextDatasetBody(TextDatasetSpec):
    """Small data in a JSON body."""

    text: Text = Field(description="The text itself, one sequence a line.")


class TextFacts(Outgoing):
    """What is known of a text."""

    type: Literal["text"] = "text"
    sequences: SequenceUnit
    lines: int = Field(description="Lines that hold a word.")
    words: int
    distinct_words: int
    vocabulary_sizes: list[int] = Field(
        description="Size of the vocabulary for a minimum count of 1, 2, … with default options."
    )
    training_examples: int | None = Field(
        default=None,
        description="What an epoch goes through with default options: of `lines` the sequences "
        "(long lines are cut), of a `stream` the words to predict.",
    )


class ImageFacts(Outgoing):
    """What is known of a set of labelled images."""

    type: Literal["idx"] = "idx"
    channels: int
    height: int
    width: int
    classes: list[str]
    examples: int
    test_examples: int = Field(description="0: a part of the examples is held out instead.")
    examples_per_class: list[int]


Facts = Annotated[TextFacts | ImageFacts, Field(discriminator="type")]


class DatasetFile(Outgoing):
    """One stored file of a dataset."""

    role: str = Field(examples=["file", "images", "labels", "test_images", "test_labels"])
    sha256: str
    bytes: int


class DatasetFacts(Outgoing):
    """What the catalogue needs to know of a dataset to resolve a job."""

    id: str
    name: str
    sha256: str
    facts: Facts
    files: list[DatasetFile]


class NewDataset(Outgoing):
    """A checked dataset whose files are already stored."""

    name: str
    sha256: str
    options: dict[str, JsonValue]
    facts: Facts
    files: list[DatasetFile]
    source: str | None = None
    licence: str | None = None
    built_in: bool = False


class Dataset(Outgoing):
    """A dataset as clients see it."""

    id: str
    object: Literal["dataset"] = "dataset"
    name: str
    type: str
    sha256: str
    bytes: int
    facts: Facts
    files: list[DatasetFile]
    options: dict[str, JsonValue]
    source: str | None
    licence: str | None
    built_in: bool
    downloaded: bool = Field(
        default=True,
        description="False for a built-in dataset whose files, known by hash and size, are not all "
        "in the database yet: the first job that trains on it downloads them.",
    )
    created_at: Moment


class DatasetList(Outgoing):
    """A page of datasets, newest first."""

    object: Literal["list"] = "list"
    data: list[Dataset]
    first_id: str | None
    last_id: str | None
    has_more: bool
