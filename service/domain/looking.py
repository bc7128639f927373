"""What a dataset looks like: its first examples, and what can be counted and measured of them."""

from typing import Literal

from pydantic import Field, JsonValue

from service.domain.base import Outgoing
from service.domain.datasets import ColumnKind


class DatasetPreview(Outgoing):
    """Some examples: of texts and tables the first, of pictures some of every class."""

    object: Literal["dataset_preview"] = "dataset_preview"
    name: str
    type: str
    rows: list[dict[str, JsonValue]]
    total: int = Field(description="Examples of the dataset; of a text its lines.")
    pictures: str | None = Field(
        default=None, description="Where the pictures of the rows are, as one PNG."
    )


class ClassCount(Outgoing):
    """How often a class is among what trains and what validates, with default options."""

    label: str
    training: int
    validation: int


class Bar(Outgoing):
    """A bar of a histogram: how many lie from `low` to `high`, both counted in."""

    low: int
    high: int
    count: int


class Coverage(Outgoing):
    """Which share of all words the most frequent ones are."""

    words: int
    share: float


class VocabularyStatistics(Outgoing):
    """The words of the examples in lower case."""

    words: int
    distinct: int
    once: int = Field(description="Distinct words that are there once.")
    coverage: list[Coverage]
    most_frequent: list[str]
    unknown_in_validation: float | None = Field(
        description="The share of the words to validate with that training never sees."
    )


class ValueCount(Outgoing):
    """A value of a category, and how often it is there."""

    value: str
    count: int


class ColumnStatistics(Outgoing):
    """A column of a table; the numbers are null where it has none."""

    name: str
    kind: ColumnKind
    unit: str | None
    missing: int
    distinct: int
    mean: float | None = None
    deviation: float | None = None
    quantiles: dict[str, float] = Field(default={}, description="By percent, 0 to 100.")
    correlation: float | None = Field(
        default=None, description="Pearson's, with the target where that is a number."
    )
    values: list[ValueCount] = Field(default=[], description="The 20 most frequent of a category.")


class ChannelStatistics(Outgoing):
    """The pixels of a channel, 0 to 255."""

    mean: float
    deviation: float


class DatasetStatistics(Outgoing):
    """What can be counted and measured; what does not fit the type is left empty."""

    object: Literal["dataset_statistics"] = "dataset_statistics"
    name: str
    type: str
    sha256: str
    source: str | None
    licence: str | None
    examples: int = Field(description="Of the dataset; of a text its lines.")
    examined: int = Field(description="Of which all below was measured: of many data a part.")
    classes: list[ClassCount] = []
    lengths: list[Bar] = Field(default=[], description="Words of an example.")
    vocabulary: VocabularyStatistics | None = None
    target: str | None = None
    columns: list[ColumnStatistics] = []
    pixels: list[ChannelStatistics] = []
