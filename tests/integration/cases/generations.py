"""Texts that cannot be written, and some that can."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import JSON, Case

WRONG: dict[str, list[Any]] = {
    "prompt": [3, None, [], ["I like"], True, "a\0b"],
    "max_tokens": [0, -1, 4097, 10**30, 1.5, "5", True, None],
    "temperature": [-0.1, 101, "1", None, True, []],
    "top_k": [0, -1, 1.5, "5", 10**30],
    "top_p": [0, 1.1, -1, "0.5", None],
    "repetition_penalty": [0, -1, 11, "1", None],
    "seed": [-1, 2**63, 1.5, "1", True],
    "stream": [None, 1, "true"],
}


def generate(pointer: str | None, **body: Any) -> dict[str, Any]:
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "path": "/v1/models/bad-words/generate", "body": {"prompt": "I like", **body}}


def written(**body: Any) -> dict[str, Any]:
    return {**generate(None, **{"max_tokens": 3, **body}), "status": 200, "code": None}


def score(pointer: str | None, inputs: Any, **more: Any) -> dict[str, Any]:
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "path": "/v1/models/bad-words/score", "body": {"inputs": inputs, **more}}


NO_TEXTS: list[Any] = [[], "I like", None, {}, 3]

GENERATIONS = [
    *(Case(f"texts to score: {value!r}", **score("/inputs", value)) for value in NO_TEXTS),
    Case("a number to score", **score("/inputs/1", ["I like", 3])),
    Case("a NUL to score", **score("/inputs/0", ["a\0b"])),
    Case("too many texts to score", **score("/inputs", ["I"] * 257)),
    Case("more than texts to score", **score("/top_k", ["I"], top_k=3)),
    Case("a score of a model of pictures", 409, "model_cannot_write", path="/v1/models/bad-images/score", body={"inputs": ["I"]}),
    Case("a score of a job not yet trained", 409, "model_not_ready", path="/v1/models/{queued}/score", body={"inputs": ["I"]}),
    Case("a score asked for as plain text", 415, "unsupported_media_type", path="/v1/models/bad-words/score", content=b"I like", headers={"Content-Type": "text/plain"}),
    Case("a score asked for in no JSON", 400, "malformed_json", path="/v1/models/bad-words/score", content=b"{", headers=JSON),
    *(Case(f"{name}: {value!r}", **generate(f"/{name}", **{name: value})) for name, values in WRONG.items() for value in values),
    Case("stop texts that are no list", **generate("/stop", stop=".")),
    Case("a stop text of nothing", **generate("/stop/0", stop=[""])),
    Case("a stop text that is a number", **generate("/stop/1", stop=[".", 3])),
    Case("a stop text of 600 characters", **generate("/stop/0", stop=["x" * 600])),
    Case("too many stop texts", **generate("/stop", stop=["."] * 17)),
    Case("an option of others", **generate("/n", n=3)),
    Case("a temperature that is no number", 422, "invalid_request", "/temperature", path="/v1/models/bad-words/generate", content=b'{"temperature": NaN}', headers=JSON),
    Case("a text of a model of pictures", 409, "model_cannot_write", path="/v1/models/bad-images/generate", body={}),
    Case("a text of a model of rows", 409, "model_cannot_write", path="/v1/models/bad-rows/generate", body={}),
    Case("a text of a job not yet trained", 409, "model_not_ready", path="/v1/models/{queued}/generate", body={}),
    Case("a text asked for as plain text", 415, "unsupported_media_type", path="/v1/models/bad-words/generate", content=b"I like", headers={"Content-Type": "text/plain"}),
    Case("a text asked for in no JSON", 400, "malformed_json", path="/v1/models/bad-words/generate", content=b"{", headers=JSON),
    Case("a text by GET", 405, "method_not_allowed", method="GET", path="/v1/models/bad-words/generate"),
]

WRITTEN = [
    Case("scores", 200, None, path="/v1/models/bad-words/score", body={"inputs": ["I like eating rice", "", "가나다"]}),
    Case("a text from nothing", **written(prompt="")),
    Case("a text after words that nobody knows", **written(prompt="가나다 💥")),
    Case("a text after ten thousand words", **written(prompt="I like " * 5000)),
    Case("the most probable text", **written(temperature=0)),
    Case("a text that says again what was said, at all costs", **written(repetition_penalty=5e-324, temperature=5e-324, max_tokens=20)),
    Case("a text with every option", **written(temperature=0.5, top_k=5, top_p=0.9, repetition_penalty=1.2, seed=2**63 - 1, stop=[".", "없다"])),
]
