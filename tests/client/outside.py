"""What stands for the service: answers as they are prepared, and remembers what was asked."""

from typing import Any

import httpx


class Outside:
    """Gives the prepared answers one after the other, the last one for ever.

    An answer is a body, a whole response, or an error of the connection.
    """

    def __init__(self, *answers: Any, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = [*answers]
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=answer.content
            )
        if answer is None:
            return httpx.Response(self._status)
        return httpx.Response(self._status, json=answer)

    @property
    def asked(self) -> httpx.Request:
        """The newest request."""
        return self.requests[-1]


def a_problem(
    status: int = 503, *, code: str = "database_busy", retry_after: str | None = "1", **members: Any
) -> httpx.Response:
    """A problem as the service tells it."""
    body = {"type": f"/problems/{code}", "detail": "Not now.", "code": code, **members}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return httpx.Response(status, json=body, headers=headers)
