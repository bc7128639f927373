"""What a request prefers: `Prefer: wait=30` (RFC 7240)."""

import re

MAX_WAIT_SECONDS = 60
_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", re.IGNORECASE)


def preferred_wait(prefer: str | None) -> int:
    """Return how many seconds the client is ready to wait: 0 to 60; what is no wait is ignored."""
    for preference in (prefer or "").split(","):
        found = _WAIT.fullmatch(preference.partition(";")[0])
        if found:
            return min(int(found[1]), MAX_WAIT_SECONDS)
    return 0
