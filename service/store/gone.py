"""Bytes that go while they are about to be read: a job that trains replaces its checkpoints."""

from collections.abc import Callable
from typing import TypeVar

from service.store.errors import BlobGone

ResultT = TypeVar("ResultT")

ATTEMPTS = 5


def again_when_gone(find: Callable[[], ResultT]) -> ResultT:
    """Find something with its bytes, anew when they have gone meanwhile. Raises BlobGone."""
    for _ in range(ATTEMPTS - 1):
        try:
            return find()
        except BlobGone:
            continue
    return find()
