"""Sessions that cannot be, and some that can."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case, delete

WORDS = "/v1/models/bad-words"
NO_IDS: list[Any] = ["", ".", "..", "x" * 101, "a\0b", 3, True, [], {"id": "a"}]


def predict(status: int, code: str | None, pointer: str | None = None, *, model: str = WORDS, **body: Any) -> dict[str, Any]:
    return {"status": status, "code": code, "pointer": pointer, "path": f"{model}/predict", "body": {"inputs": ["I like"], **body}}


def generate(status: int, code: str | None, pointer: str | None = None, *, model: str = WORDS, **body: Any) -> dict[str, Any]:
    return {"status": status, "code": code, "pointer": pointer, "path": f"{model}/generate", "body": {"max_tokens": 2, **body}}


SESSIONS = [
    *(Case(f"a session to ask in: {value!r}", **predict(422, "invalid_request", "/session", session=value)) for value in NO_IDS),
    *(Case(f"a session to write in: {value!r}", **generate(422, "invalid_request", "/session", session=value)) for value in NO_IDS),
    Case("two texts in a session", **predict(422, "invalid_request", "/inputs", inputs=["I", "like"], session="two")),
    Case("the nearest examples in a session", **predict(422, "invalid_request", "/evidence", session="near", evidence=1)),
    Case("a number in a session", **predict(422, "invalid_request", "/inputs/0", inputs=[3], session="number")),
    Case("a session that must exist, and has no name", **predict(422, "invalid_request", "/session_must_exist", session_must_exist=True)),
    Case("a session of no name to write in, which must exist", **generate(422, "invalid_request", "/session_must_exist", session_must_exist=True)),
    Case("a session that must exist: 1", **predict(422, "invalid_request", "/session_must_exist", session="a", session_must_exist=1)),
    Case("a session to ask in that is not there", **predict(404, "session_not_found", session="nowhere", session_must_exist=True)),
    Case("a session to write in that is not there", **generate(404, "session_not_found", session="nowhere", session_must_exist=True)),
    Case("pictures in a session", **predict(409, "model_keeps_no_session", model="/v1/models/bad-images", inputs=[[[0]]], session="a")),
    Case("rows in a session", **predict(409, "model_keeps_no_session", model="/v1/models/bad-rows", inputs=[{}], session="a")),
    Case("a text of a model of pictures, in a session", **generate(409, "model_cannot_write", model="/v1/models/bad-images", session="a")),
    Case("a session of a job not yet trained", **predict(409, "model_not_ready", model="/v1/models/{queued}", session="a")),
    Case("the picture of a text in a session", 422, "invalid_request", "/query/explain", path=f"{WORDS}/predict?explain=input", body={"inputs": ["I"], "session": "a"}),
    Case("forgetting a session with a slash that is not there", 404, "session_not_found", **delete(f"{WORDS}/sessions/a%2Fb")),
    Case("forgetting a session that is not there", 404, "session_not_found", **delete(f"{WORDS}/sessions/nowhere")),
    Case("forgetting a session with a long name", 422, "invalid_request", "/path/session", **delete(f"{WORDS}/sessions/{'x' * 101}")),
    Case("forgetting a session of a job not yet trained", 409, "model_not_ready", **delete("/v1/models/{queued}/sessions/a")),
]

SESSIONS_KEPT = [
    Case("a word in a session", **predict(200, None, session="a word")),
    Case("a text of nothing in a session", **predict(200, None, inputs=[""], session="대화 💥")),
    Case("a text written in a session", **generate(200, None, prompt="I like", session="written")),
    Case("a text after ten thousand words in a session", **predict(200, None, inputs=["I like " * 5000], session="long")),
    Case("forgetting a session", 204, None, **delete(f"{WORDS}/sessions/{{kept_session}}")),
]
