"""What a model saw: the picture that became of what a client sent."""

from base64 import b64encode
from collections.abc import Sequence

from service.domain.predictions import Prediction
from service.domain.problems import invalid_field
from service.tasks.base import Encoded, Shows, Task

MAX_SHOWN = 32


def showing(predictions: Sequence[Prediction], task: Task, encoded: Encoded) -> list[Prediction]:
    """Put each picture, as the model saw it, beside its answer. Raises Invalid for other inputs."""
    if not isinstance(task, Shows):
        detail = "shows pictures, and this model reads none; leave it out"
        raise invalid_field("/query/explain", detail)
    if len(predictions) > MAX_SHOWN:
        detail = f"shows {MAX_SHOWN} pictures at once; ask for fewer"
        raise invalid_field("/query/explain", detail)
    return [
        each.model_copy(update={"seen": b64encode(task.shown(encoded, number)).decode()})
        for number, each in enumerate(predictions)
    ]
