"""How much of a text is read at once, where a model sees only so many tokens."""

from typing import TypeVar

from service.domain.problems import invalid_field
from service.tasks.base import TaskOptions

OptionsT = TypeVar("OptionsT", bound=TaskOptions)
_LENGTH = "sequence_length"


def within_context(options: OptionsT, context: int | None) -> OptionsT:
    """Let the model see a whole context at once, and no text be longer, unless the client said so.

    Raises Invalid where the client asked for more than the model sees.
    """
    if context is None or _LENGTH not in type(options).model_fields:
        return options
    length: int | None = getattr(options, _LENGTH)
    asked = _LENGTH in options.model_fields_set
    if asked and length is not None and length > context:
        raise invalid_field(
            f"/dataset/{_LENGTH}",
            f"is more than the {context:,} tokens that the model sees at once: choose at most so "
            "many, or a larger /architecture/context",
        )
    if length is None or length > context:
        return options.model_copy(update={_LENGTH: context})
    return options
