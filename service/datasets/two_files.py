"""The files of a text or of rows: one to learn from, and one that may validate."""

from collections.abc import Mapping
from typing import BinaryIO, Literal

from service.domain.problems import FieldError, Invalid, TooLarge

TRAINING, VALIDATION = "file", "validation_file"
ROLES = (TRAINING, VALIDATION)

_SAID = {"text": ("a text", "The text has"), "rows": ("such data", "The files have")}


def refuse_wrong_files(
    files: Mapping[str, BinaryIO], max_decoded_bytes: int, *, what: Literal["text", "rows"]
) -> None:
    """Raise Invalid for files that do not belong, TooLarge for more bytes than are taken."""
    whose, they_have = _SAID[what]
    errors = [
        FieldError(pointer=f"/{role}", detail=f"is no part of {whose}: use {' or '.join(ROLES)}")
        for role in files
        if role not in ROLES
    ]
    if TRAINING not in files:
        detail = f"is missing; add the {what} as this file"
        errors.append(FieldError(pointer=f"/{TRAINING}", detail=detail))
    if errors:
        detail = f"The files do not fit: {errors[0].pointer} {errors[0].detail}."
        raise Invalid(detail, errors=errors)
    size = 0
    for content in files.values():
        beginning = content.tell()
        size += content.seek(0, 2) - beginning
        content.seek(beginning)
    if size > max_decoded_bytes:
        raise TooLarge(f"{they_have} more than {max_decoded_bytes:,} bytes; send less.")
