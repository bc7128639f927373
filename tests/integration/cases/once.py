"""Requests that shall be done one time: wrong keys and ids of clients, and right ones that look odd."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from service.client.call import json_bytes
from tests.integration.cases.base import JSON, Case, raw

A_JOB: dict[str, Any] = {"dataset": "eating", "architecture": "rnn", "training": {"device": "mps"}}
TAKEN: dict[str, Any] = {"dataset": "bad-used", "architecture": "rnn", "training": {"device": "mps"}}
"""The job that `states` makes with the client_id and the key `bad-taken`."""


def key(value: str | bytes) -> dict[str, Any]:
    """Make a case of a job with an Idempotency-Key."""
    return {"body": A_JOB, "headers": {"Idempotency-Key": value}}


def put(client_id: str, **more: Any) -> dict[str, Any]:
    """Make a case of a job under an id of the client."""
    return {"method": "PUT", "path": f"/v1/jobs/by-client-id/{client_id}", **more}


def again(value: str) -> dict[str, Any]:
    """Make a case of what `states` has sent with a key, byte for byte."""
    content = json_bytes({**TAKEN, "client_id": "bad-taken"})
    return {"content": content, "headers": {**JSON, "Idempotency-Key": value}}


KEY = "/header/Idempotency-Key"
ONCE = [
    Case("an empty key", 400, "idempotency_key_malformed", KEY, **key("")),
    Case("an empty key in quotes", 400, "idempotency_key_malformed", KEY, **key('""')),
    Case("a key of 256 characters", 400, "idempotency_key_malformed", KEY, **key("x" * 256)),
    Case("a key of 10,000 characters", 400, "idempotency_key_malformed", KEY, **key("x" * 10_000)),
    Case("a key with a space", 400, "idempotency_key_malformed", KEY, **key("a b")),
    Case("a key with a tab", 400, "idempotency_key_malformed", KEY, **key("a\tb")),
    Case("a key with DEL", 400, "malformed_http", **key(b"a\x7fb")),
    Case("a key in Korean", 400, "idempotency_key_malformed", KEY, **key("열쇠".encode())),
    Case("a key with a quote that does not close", 400, "idempotency_key_malformed", KEY, **key('"a')),
    Case("a key with a parameter", 400, "idempotency_key_malformed", KEY, **key('"a";b=1')),
    Case("the same key with another body", 422, "idempotency_key_reused", KEY, **key("bad-taken")),
    Case("an upload with a key that is none", 400, "idempotency_key_malformed", KEY, path="/v1/datasets", **key("a b")),
    Case("a fork with a key that is none", 400, "idempotency_key_malformed", KEY, path="/v1/jobs/{queued}/fork", **key("a b")),

    Case("an id of 10,000 characters", 422, "invalid_request", "/path/client_id", **put("x" * 10_000, body=A_JOB)),
    Case("an empty id", 422, "invalid_request", "/path/client_id", **put("", body=A_JOB)),
    Case("another id in the body", 422, "invalid_request", "/client_id", **put("one", body={**A_JOB, "client_id": "two"})),
    Case("a number as id in the body", 422, "invalid_request", "/client_id", **put("1", body={**A_JOB, "client_id": 1})),
    Case("an id of another request", 409, "client_id_taken", **put("bad-taken", body=A_JOB)),
    Case("a posted job under an id that is taken", 409, "client_id_taken", body={**A_JOB, "client_id": "bad-taken"}),
    Case("a job under an id with an unknown dataset", 404, "dataset_not_found", **put("one", body={**A_JOB, "dataset": "nowhere"})),
    Case("a job under an id that is no JSON", 400, "malformed_json", **put("one", **raw(b"{"))),
    Case("a job under an id as plain text", 415, "unsupported_media_type", **put("one", content=b"x", headers={"Content-Type": "text/plain"})),
    Case("a plan of a job under an id", 400, "unknown_parameter", **put("one?validate_only=true", body=A_JOB)),
]

ONCE_ANSWERED = [
    Case("the same key with the same body", 202, None, **again("bad-taken")),
    Case("the same key in quotes", 202, None, **again('"bad-taken"')),
    Case("a job under an id", 202, None, **put("{new}", body=A_JOB)),
    Case("a job under an id in Korean with a slash", 202, None, **put("밤%2F{new}", body=A_JOB)),
    Case("a job under an id that this request took", 200, None, **put("bad-taken", body=TAKEN)),
]
