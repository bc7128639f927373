"""Answers that a model is not sure of, marked as such."""

from collections.abc import Sequence

from service.domain.predictions import Prediction
from service.domain.problems import invalid_field


def abstaining(predictions: Sequence[Prediction], *, below: float) -> list[Prediction]:
    """Mark each answer whose best candidate is less probable. Raises Invalid for values."""
    return [_marked(each, below) for each in predictions]


def _marked(prediction: Prediction, below: float) -> Prediction:
    if prediction.value is not None:
        detail = "is for classes and words, which have probabilities; this model gives values"
        raise invalid_field("/abstain_below", f"{detail}: leave it out")
    best = max((each.probability for each in prediction.candidates), default=0.0)
    return prediction.model_copy(update={"abstained": best < below})
