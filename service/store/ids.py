"""Ids: a prefix and a UUIDv7 (RFC 9562), so that their order is the order of time."""

import secrets
import sys
from typing import Literal

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid6 import uuid7

Prefix = Literal["job", "ds", "mdl", "ckpt", "wrk", "upl"]


def new_id(prefix: Prefix) -> str:
    """Make an id that sorts after all ids this process made before."""
    return f"{prefix}_{uuid7().hex}"


def new_lease_token() -> str:
    """Make the token of one attempt; nobody can guess it."""
    return secrets.token_hex(16)


def new_write_token() -> str:
    """Make the token of one write of a recorder, by which it is known to have been done."""
    return secrets.token_hex(8)
