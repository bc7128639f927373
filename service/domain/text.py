"""The one type for strings: every text that enters is in NFC and can be stored everywhere.

PostgreSQL cannot store NUL, UTF-8 cannot carry a lone surrogate, and two spellings of one Korean or
accented word must be one word: Unicode Standard Annex 15.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
RESERVED_ALIASES = ("latest", "best")
_RESERVED_PREFIXES = ("job_", "ckpt_", "mdl_", "ds_")


def clean(text: str) -> str:
    """Return `text` in NFC. Raises ValueError for NUL and lone surrogates."""
    if "\0" in text:
        message = "holds a NUL character, which no text has; remove it"
        raise ValueError(message)
    if any("\ud800" <= character <= "\udfff" for character in text):
        message = "holds a lone surrogate, which is no character; send valid Unicode"
        raise ValueError(message)
    return unicodedata.normalize("NFC", text)


def check_name(name: str) -> str:
    """Return `name` if a model or dataset can be called so. Raises ValueError with the rule."""
    if not _NAME.fullmatch(name):
        message = (
            "is no name: begin with a letter or digit of any script, go on with letters, digits, "
            "'_', '.' or '-', 100 characters at most"
        )
        raise ValueError(message)
    if name.startswith(_RESERVED_PREFIXES):
        message = "is no name: job_, ckpt_, mdl_ and ds_ begin ids; choose another beginning"
        raise ValueError(message)
    return name


def check_alias(alias: str) -> str:
    """Return what a version can be called behind the @ of a model. Raises ValueError."""
    if alias.isdigit():
        message = "is all digits, which is the number of a version; add a letter"
        raise ValueError(message)
    if alias in RESERVED_ALIASES:
        message = "says something by itself: latest is the newest version, best a checkpoint of a "
        raise ValueError(message + "job; choose another")
    return alias


def check_client_id(client_id: str) -> str:
    """Return an id that a client gave. Raises ValueError for one that is lost in a path."""
    if client_id in {".", ".."}:  # RFC 3986, section 5.2.4: every client takes them out of a path
        message = "cannot be '.' or '..': no request can name it then; choose another"
        raise ValueError(message)
    return client_id


_NO_NUL = Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
_IS_NAME = Field(  # the rule of `check_name`, in the regular expressions of JSON Schema (ECMA-262)
    examples=["eating"],
    description="Letters, digits, '_', '.', '-'; Unicode; 1 to 100.",
    json_schema_extra={
        "pattern": r"^(?!job_|ckpt_|mdl_|ds_)[\p{L}\p{N}][\p{L}\p{N}_.-]{0,99}$",
    },
)

Text = Annotated[str, _NO_NUL, AfterValidator(clean)]
"""A string in NFC without NUL and lone surrogates."""

ShortText = Annotated[str, StringConstraints(max_length=512), _NO_NUL, AfterValidator(clean)]
"""A `Text` of at most 512 characters: labels, identifiers of the client, metadata."""

LongText = Annotated[str, StringConstraints(max_length=20_000), _NO_NUL, AfterValidator(clean)]
"""A `Text` of some pages: what people write about a model."""

ClientId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    Field(json_schema_extra={"pattern": r"^(?!\.{1,2}$)[^\u0000]*$"}),
    AfterValidator(clean),
    AfterValidator(check_client_id),
]
"""What a client calls its own job: a `ShortText` that can stand in a path."""

Name = Annotated[str, _IS_NAME, AfterValidator(clean), AfterValidator(check_name)]
"""What a model or a dataset is called."""

AliasName = Annotated[
    str,
    Field(
        examples=["champion"],
        json_schema_extra={
            "pattern": r"^(?!job_|ckpt_|mdl_|ds_|latest$|best$|\p{Nd}+$)"
            r"[\p{L}\p{N}][\p{L}\p{N}_.-]{0,99}$",
        },
    ),
    AfterValidator(clean),
    AfterValidator(check_name),
    AfterValidator(check_alias),
]
"""What a version of a model is called behind the @: a `Name` that is no number."""
