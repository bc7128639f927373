"""A dataset: immutable, known by its SHA-256, described by facts that no one has to recompute."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue, RootModel

from service.domain.base import LATER, Incoming, Moment, Outgoing
from service.domain.text import Name, ShortText, Text

SequenceUnit = Literal["lines", "stream"]
Encoding = Literal["utf-8", "utf-16", "cp949"]
Delimiter = Literal[",", ";", "\t", "|"]
ColumnKind = Literal["number", "category", "date", "text"]


def _one_or_three(channels: int) -> int:
    if channels not in {1, 3}:
        message = "must be 1 (grey) or 3 (colour)"
        raise ValueError(message)
    return channels


# A Literal would take `true` for 1.
Channels = Annotated[int, Field(json_schema_extra={"enum": [1, 3]}), AfterValidator(_one_or_three)]


class UploadSpec(Incoming):
    """What all uploads have."""

    name: Name
    source: ShortText | None = None
    licence: ShortText | None = None


class CheckedUpload(UploadSpec):
    """What all uploads of text have: how it is read, and what becomes of lines that cannot be."""

    encoding: Annotated[Encoding | None, LATER] = Field(
        default=None, description="null: found out; a byte order mark is always understood."
    )
    on_error: Annotated[Literal["refuse", "skip"], LATER] = Field(
        default="refuse",
        description="skip: leave out the lines that cannot be read, and say how many and which.",
    )


class TextDatasetSpec(CheckedUpload):
    """The `spec` part of an uploaded text."""

    type: Literal["text"]
    sequences: SequenceUnit = Field(
        default="lines",
        description="`lines`: each line is a sequence of its own, from the initial state; "
        "`stream`: running text, the hidden state is carried on.",
    )


class CsvDatasetSpec(CheckedUpload):
    """What labelled texts and tables have in common: a file of rows (RFC 4180)."""

    delimiter: Delimiter | None = Field(default=None, description="null: found out.")
    quoting: bool | None = Field(
        default=None, description="Whether fields may stand in double quotes; null: found out."
    )
    header: bool | None = Field(
        default=None, description="Whether the first row names the columns; null: found out."
    )
    missing: list[ShortText] = Field(
        default=[],
        max_length=100,
        description='Spellings of "no value" besides the empty field and NA: `-9900`, `?`.',
    )
    split: ShortText | None = Field(
        default=None,
        description="A column that says `train` or `validation` for every row; never learned from.",
    )


class LabelledTextDatasetSpec(CsvDatasetSpec):
    """The `spec` part of an uploaded CSV or TSV of texts with their labels."""

    type: Literal["labelled_text"]
    text: ShortText | None = Field(default=None, description="Its column; null: found out.")
    label: ShortText | None = Field(default=None, description="Its column; null: found out.")


class TableDatasetSpec(CsvDatasetSpec):
    """The `spec` part of an uploaded table."""

    type: Literal["table"]
    target: ShortText | None = Field(
        default=None, description="The column to learn, if a job does not say; null: the last one."
    )
    series: bool = Field(
        default=False,
        description="The rows follow each other in time: the last ones validate, not some.",
    )
    kinds: dict[ShortText, ColumnKind] = Field(
        default={},
        description="What columns are, where it is not found out as meant: numbers that name a "
        "category.",
        examples=[{"grade": "category"}],
    )
    units: dict[ShortText, ShortText] = Field(
        default={}, description="Units of columns, shown with predictions.", examples=[{"p": "kW"}]
    )


class IdxDatasetSpec(UploadSpec):
    """The `spec` part of uploaded IDX images (the MNIST format), plain or gzip."""

    type: Literal["idx"]
    classes: list[ShortText] | None = Field(
        default=None, max_length=10_000, description="Names of the classes, label 0 first."
    )


class ImageFolderDatasetSpec(UploadSpec):
    """The `spec` part of an uploaded zip of pictures: one folder per class."""

    type: Literal["image_folder"]
    height: int = Field(default=28, ge=1, le=1024, description="Pixels; pictures are stretched.")
    width: int = Field(default=28, ge=1, le=1024, description="Pixels; pictures are stretched.")
    channels: Channels = Field(default=3, description="1: grey, 3: colour.")
    on_error: Literal["refuse", "skip"] = Field(
        default="refuse", description="skip: leave out files that are no pictures, and name them."
    )


AnyDatasetSpec = (
    TextDatasetSpec
    | LabelledTextDatasetSpec
    | TableDatasetSpec
    | IdxDatasetSpec
    | ImageFolderDatasetSpec
)
DatasetUploadSpec = Annotated[AnyDatasetSpec, Field(discriminator="type")]


class TextDatasetBody(TextDatasetSpec):
    """Small data in a JSON body."""

    text: Text = Field(description="The text itself, one sequence a line.")


class _Rows(Incoming):
    """Rows in a JSON body."""

    rows: list[JsonValue] = Field(
        min_length=1,
        description="Objects, whose keys name the columns, or lists of cells; null: no value.",
        examples=[[{"text": "I like it", "label": "good"}]],
    )


class LabelledTextDatasetBody(LabelledTextDatasetSpec, _Rows):
    """Small data in a JSON body."""


class TableDatasetBody(TableDatasetSpec, _Rows):
    """Small data in a JSON body."""


class DatasetBody(
    RootModel[
        Annotated[
            TextDatasetBody | LabelledTextDatasetBody | TableDatasetBody,
            Field(discriminator="type"),
        ]
    ]
):
    """Small data in a JSON body: a text, or rows."""

    free_fields: ClassVar[frozenset[str]] = frozenset({"rows"})


class Finding(Outgoing):
    """Something about the data that who uploaded them should know, and what to do about it."""

    level: Literal["error", "warning", "note"] = Field(
        description="error: it cannot be used as it is; warning: probably not meant so."
    )
    code: str = Field(examples=["ragged_row", "blank_around_label", "sentinel_suspected"])
    detail: str
    line: int | None = Field(default=None, description="Of the file; the first is 1.")
    column: str | None = None
    file: str | None = Field(default=None, description="The file of a form or in a zip.")
    excerpt: str | None = Field(default=None, description="What stands there, shortened.")
    count: int = Field(default=1, description="How often; line is where it is first.")


class CsvFormat(Outgoing):
    """How a file of rows is read."""

    encoding: Encoding
    delimiter: Delimiter
    quoting: bool
    header: bool
    missing: list[str]
    skip_errors: bool = False
    split: str | None = None


class Column(Outgoing):
    """A column of a table. A category lists its values, the most frequent first."""

    name: str
    kind: ColumnKind
    missing: int
    distinct: int
    minimum: float | None = Field(default=None, description="Numbers only.")
    maximum: float | None = Field(default=None, description="Numbers only.")
    values: list[str] = Field(default=[], description="Categories only.")
    unit: str | None = None


class TextFacts(Outgoing):
    """What is known of a text."""

    type: Literal["text"] = "text"
    sequences: SequenceUnit
    lines: int = Field(description="Lines of `file` that hold a word.")
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
    encoding: Encoding = "utf-8"
    test_lines: int = Field(
        default=0,
        description="Lines of `validation_file`, beyond those above; 0: a part is held out.",
    )


class LabelledTextFacts(Outgoing):
    """What is known of texts with labels."""

    type: Literal["labelled_text"] = "labelled_text"
    format: CsvFormat
    text: str = Field(description="The column of the texts.")
    label: str = Field(description="The column of the labels.")
    classes: list[str] = Field(description="Sorted.")
    examples: int
    test_examples: int = Field(
        description="Rows that the file or the split column holds out; 0: a part is held out."
    )
    examples_per_class: list[int] = Field(description="Of those that are not held out so.")
    words: int
    distinct_words: int
    longest: int = Field(description="Words of the longest text.")


class TableFacts(Outgoing):
    """What is known of a table."""

    type: Literal["table"] = "table"
    format: CsvFormat
    columns: list[Column]
    rows: int = Field(description="Of which `test_rows` are held out.")
    test_rows: int = Field(
        description="Rows that the file or the split column holds out; 0: a part is held out."
    )
    target: str
    series: bool


class ImageFacts(Outgoing):
    """What is known of a set of labelled images."""

    type: Literal["idx", "image_folder"] = "idx"
    channels: int
    height: int
    width: int
    classes: list[str]
    examples: int
    test_examples: int = Field(description="0: a part of the examples is held out instead.")
    examples_per_class: list[int]
    test_examples_per_class: list[int] = Field(
        default=[], description="Empty where a part of the examples is held out instead."
    )


AnyFacts = TextFacts | LabelledTextFacts | TableFacts | ImageFacts
Facts = Annotated[AnyFacts, Field(discriminator="type")]


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
    findings: list[Finding] = []
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
    findings: list[Finding] = Field(
        default=[], description="What was noticed when the data came in, by importance; up to 100."
    )
    source: str | None
    licence: str | None
    built_in: bool
    downloaded: bool = Field(
        default=True,
        description="False for a built-in dataset whose files, known by hash and size, are not all "
        "in the database yet: the first job that trains on it downloads them.",
    )
    created_at: Moment


class DatasetReport(Outgoing):
    """What an upload would become; nothing is stored (`?dry_run=true`)."""

    object: Literal["dataset_report"] = "dataset_report"
    name: str
    type: str
    accepted: bool = Field(description="Whether it would be taken in as it is.")
    sha256: str | None
    facts: Facts | None
    findings: list[Finding]


class DatasetList(Outgoing):
    """A page of datasets, newest first."""

    object: Literal["list"] = "list"
    data: list[Dataset]
    first_id: str | None
    last_id: str | None
    has_more: bool
