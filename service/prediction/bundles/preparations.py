"""What `preparation.json` of somebody else may hold: enough that no prediction can fail on it.

The service believes its own; these are the rules for what comes from elsewhere. A list may have
millions of items, so none is looked at behind the first that is wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.datasets.words import SPECIAL
from service.tasks.image_classification import CHANNELS, MAX_SIDE
from service.tasks.regression import Target
from service.tasks.table_features import (
    MAX_NUMBERS,
    CategoryFeature,
    CyclicFeature,
    Feature,
    Features,
)

MOST_VALUES = 4 * 1024 * 1024
"""Of one image, in all of its channels. No side has a limit of its own: a signal may be an image of
one row. What a job stretches images to has one."""

MOST_CHANNELS = 4
MOST_TOKENS = 4096
MOST_WORDS = 1_000_000
"""In a vocabulary: a job may ask for no more. Merges are learned with it, and are no more."""

MOST_CLASSES = 10_000

MOST_PARTS = 5_000_000
"""Commas and brackets: a million words, and as many merges, have four million. In memory an
empty list is twenty times as long as it is written, and a short number ten times."""

_MOST_BRACKETS = 100_000
_MOST_BRACKETS_OF_A_TOKENIZER = 1_100_000

_Side = Annotated[int, Field(ge=1)]
_Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
_Mean = Annotated[float, Field(ge=0, le=255)]
_Deviation = Annotated[float, Field(gt=0)]
_Words = Annotated[list[str], Field(max_length=MOST_WORDS, fail_fast=True)]
_Merges = Annotated[list[tuple[str, str]], Field(max_length=MOST_WORDS, fail_fast=True)]
_Names = Annotated[list[str], Field(min_length=1, max_length=MOST_CLASSES, fail_fast=True)]
_Numbers = Annotated[list[float], Field(fail_fast=True)]


class Preparation(BaseModel):
    """Strict: what is not known is refused, for a task would read it unseen."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Tokenizer(Preparation):
    name: Literal["word", "char", "bpe"]
    merges: _Merges | None = None

    @model_validator(mode="after")
    def _has_its_merges(self) -> Self:
        if (self.merges is None) is (self.name == "bpe"):
            message = "merges are what bpe has, and no other"
            raise ValueError(message)
        return self


class _Texts(Preparation):
    vocabulary: _Words
    lowercase: bool
    tokenizer: _Tokenizer
    longest: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _holds_what_a_tokenizer_needs(self) -> Self:
        known = {*self.vocabulary}
        if tuple(self.vocabulary[: len(SPECIAL)]) != SPECIAL:
            message = f"the vocabulary begins with {' and '.join(SPECIAL)}"
            raise ValueError(message)
        if len(known) != len(self.vocabulary):
            message = "no word is in the vocabulary twice"
            raise ValueError(message)
        for left, right in self.tokenizer.merges or []:
            if not {left, right, left + right} <= known:
                message = "every piece of a merge is in the vocabulary"
                raise ValueError(message)
        return self


class NextWord(_Texts):
    """Of models that say which word is next."""

    tokenizer: _Tokenizer = _Tokenizer(name="word")
    sequences: Literal["lines", "stream"]


class TextClassification(_Texts):
    """Of models that tell classes of texts."""

    classes: _Names
    weights: _Numbers | None
    looked_for: int | None
    sequence_length: Annotated[int, Field(ge=1, le=MOST_TOKENS)]


class _Size(Preparation):
    channels: _Channels
    height: _Side
    width: _Side

    @model_validator(mode="after")
    def _has_few_values(self) -> Self:
        if self.channels * self.height * self.width > MOST_VALUES:
            message = f"an image has at most {MOST_VALUES:,} values"
            raise ValueError(message)
        return self


class _ImageShape(_Size):
    kind: Literal["images"]
    classes: int


class _Seen(Preparation):
    edge: float
    darkest: float
    lightest: float
    flattest: float


class ImageClassification(Preparation):
    """Of models that tell what is in a picture."""

    shape: _ImageShape
    classes: _Names
    mean: Annotated[list[_Mean], Field(fail_fast=True)]
    standard_deviation: Annotated[list[_Deviation], Field(fail_fast=True)]
    sent_as: _Size | None = None
    seen: _Seen | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.classes) != self.shape.classes:
            message = "there are as many classes as the shape says"
            raise ValueError(message)
        if {len(self.mean), len(self.standard_deviation)} != {self.shape.channels}:
            message = "every channel has a mean and a standard deviation"
            raise ValueError(message)
        if self.sent_as is not None:
            _refuse_what_no_job_makes(self.sent_as, self.shape)
        return self


def _refuse_what_no_job_makes(sent_as: _Size, made: _Size) -> None:
    """Raise ValueError, unless each size is that of the data or one that a job may ask for."""
    sides = (sent_as.height, made.height), (sent_as.width, made.width)
    if any(made != given and made > MAX_SIDE for given, made in sides):
        message = f"images are stretched to {MAX_SIDE} pixels at most"
        raise ValueError(message)
    if made.channels not in {sent_as.channels, *CHANNELS.values()}:
        message = "images are made grey or RGB, or keep their channels"
        raise ValueError(message)


class _Rows(Features):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    features: Annotated[list[Feature], Field(fail_fast=True)]
    missing: _Numbers = []

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        if not self.features:
            message = "a row has a column at least"
            raise ValueError(message)
        if len({each.column for each in self.features}) < len(self.features):
            message = "no column is there twice"
            raise ValueError(message)
        for each in self.features:
            if isinstance(each, CyclicFeature) and each.period <= 0:
                message = "what comes round has a period above 0"
                raise ValueError(message)
            if isinstance(each, CategoryFeature) and each.size < 1:
                message = "a category has a value at least"
                raise ValueError(message)
        if sum(map(_numbers_of, self.features)) > MAX_NUMBERS:
            message = f"a row has at most {MAX_NUMBERS:,} numbers"
            raise ValueError(message)
        return self


def _numbers_of(feature: Feature) -> int:
    """Count the numbers of a column; a category may have too many to give each its name."""
    if isinstance(feature, CategoryFeature):
        return feature.size if feature.one_hot else 0
    return len(feature.names)


class Classification(_Rows):
    """Of models that tell the class of a row."""

    target: str
    classes: _Names
    weights: _Numbers | None


class Regression(_Rows):
    """Of models that tell a number of a row."""

    target: Target
    series: bool


PREPARATIONS: Mapping[str, type[BaseModel]] = {
    "next_word": NextWord,
    "text_classification": TextClassification,
    "image_classification": ImageClassification,
    "classification": Classification,
    "regression": Regression,
}


def most_brackets(model: type[BaseModel]) -> int:
    """Tell how many lists and objects there may be: every merge is one, and every column."""
    return _MOST_BRACKETS_OF_A_TOKENIZER if issubclass(model, _Texts) else _MOST_BRACKETS


def longest_text(preparation: Any) -> int | None:
    """Tell how many tokens of a text are read; None: as many as there are."""
    return preparation.sequence_length if isinstance(preparation, TextClassification) else None


def names_of(preparation: Any) -> Sequence[str]:
    """Return the classes, if there are any."""
    return getattr(preparation, "classes", ())
