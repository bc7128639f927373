"""What schemathesis does to the document before it begins, and to the requests of its journeys."""
# pyright: reportUnknownMemberType=false
# schemathesis leaves the functions that its decorator takes untyped.

from typing import Any, cast
from uuid import uuid4

import schemathesis

Case = schemathesis.Case[Any]

TEXT = "the sun is warm\nthe sea is deep\nthe sea is warm\n"
A_JOB: dict[str, Any] = {
    "dataset": "eating",
    "architecture": "rnn",
    "training": {},
    "client_id": None,
}


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Hide the answer `default` from it: with that one, every status would be documented."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("default", None)


@schemathesis.hook
def filter_query(context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Leave out one value where a list belongs: in an address, `name=1` is the list of "1"."""
    return not isinstance((query or {}).get("name", []), str | int | float)


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: Case) -> Case:
    """Let valid requests of a journey create something, so that there is what to go on with.

    By chance an architecture seldom fits a dataset, and a name is taken the second time. A key that
    comes a second time would bring back a job that is deleted. Elsewhere what chance brings is left
    alone.
    """
    meta = case.meta
    if meta is None or meta.phase.name != "stateful" or not meta.generation.mode.is_positive:
        return case
    case.headers.pop("Idempotency-Key", None)
    if case.media_type == "application/json" and isinstance(case.body, dict):
        body = cast("dict[str, Any]", case.body)
        if case.operation.label == "POST /v1/jobs":
            case.body = {**body, **A_JOB}
            case.query = {}
        elif case.operation.label == "POST /v1/datasets":
            case.body = {**body, "text": TEXT, "name": f"journey-{uuid4()}"}
    return case
