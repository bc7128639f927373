"""What can be chosen about the rows of a table, for every task that learns from them."""

from typing import Annotated, Literal

from pydantic import Field

from service.datasets import splits
from service.domain.text import ShortText
from service.tasks.base import TaskOptions

Categorical = Literal["embedding", "one_hot"]
Period = Annotated[float, Field(gt=0, le=1e9)]


class TableOptions(TaskOptions):
    """What can be chosen about the rows of a job."""

    target: ShortText | None = Field(
        default=None,
        description="The column to learn; null: what the dataset says. Rows without it are left "
        "out.",
    )
    features: Annotated[list[ShortText], Field(min_length=1, max_length=10_000)] | None = Field(
        default=None,
        description="The columns to learn from; null: all of numbers, categories and dates that "
        "have more than one value, but the target, the split and the group.",
    )
    validation_fraction: float = Field(
        default=splits.VALIDATION_FRACTION,
        gt=0,
        lt=1,
        description="Part of the rows held out: of each class, of a series its end, with a group "
        "so many groups; not used where the dataset says itself which rows validate.",
    )
    group: ShortText | None = Field(
        default=None,
        description="A column, such as a patient or a station, whose equal values all train or "
        "all validate; not learned from.",
    )
    deduplicate: bool = Field(
        default=False,
        description="Let rows that are equal in all used columns count once; where the split is "
        "given, a row on both sides validates. (A split by fraction never parts equal rows.)",
    )
    categorical: Categorical = Field(
        default="embedding",
        description="What a category becomes: a learned vector, or a 0 or 1 for each value.",
    )
    cyclic: list[ShortText] | dict[ShortText, Period] | None = Field(
        default=None,
        description="Columns of numbers that come round, told as sine and cosine: names, of which "
        "hours, months, days of the week or year, minutes and directions tell their period, or "
        "{column: period}.",
        examples=[["hour", "month"], {"tide": 12.42}],
    )
