"""A session: one text that a client asks about, or lets a model write on, call after call."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo

from service.domain.base import Outgoing
from service.domain.text import check_client_id, clean

SessionId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    Field(json_schema_extra={"pattern": r"^(?!\.{1,2}$)[^\u0000]*$"}),
    AfterValidator(clean),
    AfterValidator(check_client_id),
]
"""What a client calls a session: a text that can stand in a path."""


def _of_a_session(must_exist: bool, info: ValidationInfo) -> bool:
    if must_exist and "session" in info.data and info.data["session"] is None:
        message = "is about a session, and none is named; name it in session, or leave this out"
        raise ValueError(message)
    return must_exist


InSession = Annotated[
    SessionId | None,
    Field(
        description="Only models of next words: go on behind all that was read and written under "
        "this id, by this key and with these weights. It is kept in the memory of one process, "
        "for some minutes after its last use."
    ),
]
MustExist = Annotated[
    bool,
    Field(description="404 where there is no such session, instead of beginning it."),
    AfterValidator(_of_a_session),
]


class SessionState(Outgoing):
    """A session after a call."""

    id: str
    started: bool = Field(
        description="Whether this call began it: nothing was known under this id, or no more."
    )
    tokens: int = Field(description="Read and written since it began.")
    expires_after_seconds: float = Field(description="It is forgotten when it rests for so long.")
