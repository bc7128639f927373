"""What a trained model is worth, on the data that it never saw: told with its uncertainty."""

from typing import Literal

from pydantic import Field

from service.domain.base import Outgoing


class Interval(Outgoing):
    """A metric and where it lies with a probability of 95 %, if other data of the kind come."""

    value: float
    low: float
    high: float
    method: Literal["wilson", "bootstrap", "normal"]


class Confusion(Outgoing):
    """How often each class (row) was taken for each class (column)."""

    labels: list[str]
    counts: list[list[int]]


class Calibration(Outgoing):
    """Whether probabilities are what they say (Guo et al. 2017).

    The temperature divides the logits; it is fitted on the validation data, by their loss. The
    errors are the expected calibration error over 15 bins of equal width.
    """

    temperature: float
    error_before: float
    error_after: float
    examples: int = Field(description="Of which it was measured: of many data a part.")


class ClassReport(Outgoing):
    """One class: how much of what was called so is, how much of what is was called so."""

    label: str
    examples: int
    precision: float | None = Field(description="null: nothing was called so.")
    recall: float
    f1: float
    f1_interval: Interval | None = None


class Evaluation(Outgoing):
    """What the best checkpoint does on the validation data."""

    examples: int = Field(description="Of which it was measured; of texts the words.")
    intervals: dict[str, Interval] = Field(
        default={}, description="By metric. One that is no number, or not finite, is left out."
    )
    confusion: Confusion | None = Field(default=None, description="Up to 50 classes.")
    classes: list[ClassReport] = []
    error_quantiles: dict[str, float] = Field(
        default={}, description="Of the absolute error, in the unit of the target.", examples=["50"]
    )
    calibration: Calibration | None = None


def smaller_is_better(metric: str) -> bool:
    """Tell the direction of a metric by its name: losses, errors and perplexity shrink."""
    return metric.endswith(("loss", "perplexity", "mae", "rmse"))
