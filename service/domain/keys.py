"""API keys: who may do what. The service keeps their digests; whoever calls holds the keys.

A key is long and random, so one round of SHA-256 is enough: there is no dictionary to try.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Scope = Literal["predict", "train", "admin"]
"""`predict` reads models and asks them; `train` does all work; `admin` also takes away.

Each includes the ones before.
"""

SCOPES: Mapping[str, Scope] = {"predict": "predict", "train": "train", "admin": "admin"}

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[\w.-]{1,64}")
_KEY = re.compile(r"[!-~]+")  # what a header can carry, without spaces


class ApiKey(NamedTuple):
    """A key as the service knows it."""

    name: str
    scope: Scope
    digest: bytes

    def may(self, scope: Scope) -> bool:
        """Tell whether the key's scope includes `scope`."""
        ranks = [*SCOPES]
        return ranks.index(self.scope) >= ranks.index(scope)


def digest(key: str) -> bytes:
    """Return what the service keeps of a key."""
    return hashlib.sha256(key.encode()).digest()


def parse_keys(text: str) -> list[ApiKey]:
    """Read `name:scope:key,…`, each key plain or `sha256:…`. Raises ValueError without the key."""
    keys = [_parse(number, entry) for number, entry in enumerate(text.split(","), start=1)]
    if len({key.name for key in keys}) < len(keys):
        message = "give every key a name of its own: the log tells callers apart by it"
        raise ValueError(message)
    if len({key.digest for key in keys}) < len(keys):
        message = "give every name a key of its own: two entries hold the same one"
        raise ValueError(message)
    return keys


def find_key(keys: Sequence[ApiKey], given: str) -> ApiKey | None:
    """Find the key that a caller holds, in a time that tells nothing about it."""
    given_digest = digest(given)
    found = None
    for key in keys:  # to the end, always
        if hmac.compare_digest(key.digest, given_digest):
            found = key
    return found


def _parse(number: int, entry: str) -> ApiKey:
    name, first, rest = entry.strip().partition(":")
    scope, second, key = rest.partition(":")
    if not (first and second and key):
        message = f"write entry {number} as name:scope:key; `trainyard keys new` makes one"
        raise ValueError(message)
    if not _NAME.fullmatch(name):
        message = f"the name of entry {number} may have letters, digits, `_`, `.` and `-`"
        raise ValueError(message)
    known = SCOPES.get(scope)
    if known is None:
        message = f"the scope of entry {number} must be one of {', '.join(SCOPES)}"
        raise ValueError(message)
    if key.startswith("sha256:"):
        match = _DIGEST.fullmatch(key)
        if match is None:
            message = f"behind sha256: entry {number} needs 64 hexadecimal digits in lower case"
            raise ValueError(message)
        if match[1] == digest("").hex():
            message = f"entry {number} holds the hash of nothing, which everybody has"
            raise ValueError(message)
        return ApiKey(name, known, bytes.fromhex(match[1]))
    if not _KEY.fullmatch(key):
        message = f"the key of entry {number} may have printable ASCII without spaces only"
        raise ValueError(message)
    return ApiKey(name, known, digest(key))
