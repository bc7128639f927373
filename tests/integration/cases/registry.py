"""What people say about models, and aliases: wrong bodies and names, and what is right."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case

MODEL = "/v1/models/bad-champions"
ALIAS = f"{MODEL}/aliases/champion"


def describe(pointer: str | None, **body: Any) -> dict[str, Any]:
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "method": "PATCH", "path": MODEL, "body": body}


def alias(pointer: str | None, *, path: str = ALIAS, body: Any = None) -> dict[str, Any]:
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "method": "PUT", "path": path, "body": {"version": 1} if body is None else body}


def named(name: str) -> str:
    return f"{MODEL}/aliases/{name}"


DESCRIPTIONS: list[Any] = [3, True, [], {}]
TAGS: list[Any] = [3, "food", {}, True]
VERSIONS: list[Any] = [0, -1, 1.5, "1", True, None, [], 10**30]

REGISTRY = [
    *(Case(f"a description: {value!r}", **describe("/description", description=value)) for value in DESCRIPTIONS),
    Case("a description of a megabyte", **describe("/description", description="x" * 1_000_000)),
    Case("a NUL in a description", **describe("/description", description="a\0b")),
    *(Case(f"tags: {value!r}", **describe("/tags", tags=value)) for value in TAGS),
    Case("a tag that is a number", **describe("/tags/1", tags=["food", 3])),
    Case("a tag of 600 characters", **describe("/tags/0", tags=["x" * 600])),
    Case("too many tags", **describe("/tags", tags=[str(n) for n in range(51)])),
    Case("a version as what is said of a model", **describe("/latest", latest=3)),
    Case("a description of a version", 422, "invalid_request", "/path/model", method="PATCH", path=f"{MODEL}@1", body={}),
    Case("a description as plain text", 415, "unsupported_media_type", method="PATCH", path=MODEL, content=b"good", headers={"Content-Type": "text/plain"}),
    Case("a description that is no JSON", 400, "malformed_json", method="PATCH", path=MODEL, content=b"{", headers={"Content-Type": "application/json"}),
    *(Case(f"an alias for version {value!r}", **alias("/version", body={"version": value})) for value in VERSIONS),
    Case("an alias for nothing", **alias("/version", body={})),
    Case("an alias with more", **alias("/weight", body={"version": 1, "weight": 2})),
    Case("an alias that is a number", **alias("/path/alias", path=named("3"))),
    Case("an alias called latest", **alias("/path/alias", path=named("latest"))),
    Case("an alias called best", **alias("/path/alias", path=named("best"))),
    Case("an alias like an id", **alias("/path/alias", path=named("mdl_1"))),
    Case("an alias with an @", **alias("/path/alias", path=named("a%40b"))),
    Case("an alias of 101 characters", **alias("/path/alias", path=named("x" * 101))),
    Case("an alias of a version", **alias("/path/model", path=f"{MODEL}@1/aliases/champion")),
    Case("an alias for a version that does not exist", 404, "model_not_found", method="PUT", path=ALIAS, body={"version": 99}),
    Case("an alias as plain text", 415, "unsupported_media_type", method="PUT", path=ALIAS, content=b"1", headers={"Content-Type": "text/plain"}),
    Case("an alias that is no JSON", 400, "malformed_json", method="PUT", path=ALIAS, content=b"{", headers={"Content-Type": "application/json"}),
    Case("the next word of a version that was deleted", 404, "model_not_found", path="/v1/models/bad-champions@3/predict", body={"inputs": ["I"]}),
    Case("an alias for a version that was deleted", 404, "model_not_found", method="PUT", path=ALIAS, body={"version": 3}),
    Case("the next word of an alias that nobody gave", 404, "model_not_found", path="/v1/models/bad-champions@nobody/predict", body={"inputs": ["I"]}),
    Case("a job for the name of a model of another task", 409, "model_task_differs", body={"model": "bad-images", "dataset": "eating", "architecture": "rnn"}),
    Case("a plan for the name of a model of another task", 409, "model_task_differs", path="/v1/jobs?validate_only=true", body={"model": "bad-images", "dataset": "eating", "architecture": "rnn"}),
    Case("a fork for the name of a model of another task", 409, "model_task_differs", path="/v1/jobs/{succeeded}/fork", body={"patch": {"model": "bad-images", "training": {"max_steps": 5}}}),
    Case("predictions over time of rows in no JSON", 422, "invalid_request", "/query/input", method="GET", path="/v1/models/bad-rows/predictions-over-time?input=power"),
    Case("predictions over time of no rows", 422, "invalid_request", "/query/input", method="GET", path="/v1/models/bad-rows/predictions-over-time?input=[3]"),
    Case("predictions over time with a NUL", 422, "invalid_request", "/query/input", method="GET", path="/v1/models/bad-words/predictions-over-time?input=%00"),
    Case("predictions over no time", 422, "invalid_request", "/query/limit", method="GET", path="/v1/models/bad-words/predictions-over-time?limit=0"),
    Case("predictions over time of a job not yet trained", 409, "model_not_ready", method="GET", path="/v1/models/{queued}/predictions-over-time"),
    Case("the card of a job", 404, "model_not_found", method="GET", path="/v1/models/{succeeded}/card"),
    Case("the card of an alias that nobody gave", 404, "model_not_found", method="GET", path="/v1/models/bad-champions@nobody/card"),
    Case("models with a NUL for a tag", 422, "invalid_request", "/query/tag", method="GET", path="/v1/models?tag=%00"),
]

REGISTERED = [
    Case("predictions over time", 200, None, method="GET", path="/v1/models/bad-words/predictions-over-time?input=I%20like&limit=2"),
    Case("predictions over time of rows", 200, None, method="GET", path="/v1/models/bad-rows/predictions-over-time?input=%7B%22hour%22%3A3%2C%22sky%22%3A%22rain%22%2C%22day%22%3A%222026-01-01%22%2C%22wind%22%3A1.5%7D"),
    Case("a card", 200, None, method="GET", path="/v1/models/bad-images/card"),
    Case("a card by an alias", 200, None, method="GET", path="/v1/models/bad-champions@champion/card"),
    Case("a description", 200, None, method="PATCH", path=MODEL, body={"description": "맛있는 것", "tags": ["한국어", "food", "food"]}),
    Case("nothing said", 200, None, method="PATCH", path=MODEL, body={}),
    Case("a description taken away", 200, None, method="PATCH", path=MODEL, body={"description": None, "tags": None}),
    Case("a Korean alias", 200, None, method="PUT", path=named("우승자"), body={"version": 1}),
    Case("an alias forgotten", 204, None, method="DELETE", path=named("우승자")),
    Case("an alias moved to where it was", 200, None, method="PUT", path=ALIAS, body={"version": 1}),
    Case("a prediction by an alias", 200, None, path="/v1/models/bad-champions@champion/predict", body={"inputs": ["I like"]}),
    Case("a prediction by the newest version", 200, None, path="/v1/models/bad-champions@latest/predict", body={"inputs": ["I like"]}),
    Case("models with a tag", 200, None, method="GET", path="/v1/models?tag=nobody-has-it"),
    Case("a version deleted", 204, None, method="DELETE", path="/v1/models/bad-champions@2"),
]
