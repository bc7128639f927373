"""`Prefer: wait` as RFC 7240 writes it."""

import pytest

from service.api.preferences import preferred_wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=30", 30),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("WAIT = 7; foo", 7),
        ("wait=600", 60),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("wait", 0),
        ("wait=99999999999999999999", 0),
    ],
)
def test_a_preference_is_bounded_and_nonsense_is_ignored(header: str | None, seconds: int) -> None:
    assert preferred_wait(header) == seconds
