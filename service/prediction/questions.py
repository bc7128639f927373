"""One question in an address: a text, or one input as JSON."""

from pydantic_core import from_json

from service.domain.predictions import Input
from service.domain.problems import invalid_field
from service.tasks.base import Task


def as_input(task: Task, question: str) -> Input:
    """Take a question for a text where the model reads texts, else for JSON. Raises Invalid."""
    if task.shape.kind in {"text", "text_classes"}:
        return question
    try:
        return from_json(question, allow_inf_nan=False)
    except ValueError:
        detail = "is no JSON, and this model reads no texts; send one input of /predict as JSON"
        raise invalid_field("/query/input", detail) from None
