"""Whether two requests for a job ask for the same."""

import hashlib
import json

from service.domain.requests import JobRequest


def request_sha256(request: JobRequest) -> str:
    """Hash what a client said, however it was written down: order, spaces, bare names.

    What was not said counts as not said, also where it is the default: defaults may change. The
    `client_id` is what the job is found by, and no part of it.
    """
    said = request.model_dump(mode="json", exclude_unset=True, exclude={"client_id"})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
