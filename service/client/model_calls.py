"""The calls about models: their names, versions and aliases."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from service.client import answers
from service.client.call import (
    Call,
    File,
    Parts,
    Query,
    json_bytes,
    key_of_a_call,
    path_of,
    what_was_said,
)
from service.client.verbs import delete, get, post, send
from service.domain.cards import ModelCard
from service.domain.generations import GenerateRequest, Generation
from service.domain.models import Alias, Model, ModelList, ModelVersion, ModelVersionList
from service.domain.predictions import PredictionsOverTime
from service.domain.scores import ScoreResponse


def list_models(
    *,
    limit: int | None = None,
    after: str | None = None,
    task: str | None = None,
    tag: str | None = None,
) -> Call[ModelList]:
    """List one page of named models, newest first; `tag` is one that they have."""
    query = {"limit": limit, "after": after, "task": task, "tag": tag}
    return get("/v1/models", ModelList, query=query)


def get_model(name: str) -> Call[Model]:
    """Read a named model with its newest version."""
    return get(path_of("models", name), Model)


def get_model_version(reference: str) -> Call[ModelVersion]:
    """Read one version: `name@3`, `name@alias`, `name@latest` or `mdl_…`."""
    return get(path_of("models", reference), ModelVersion)


def list_model_versions(
    name: str, *, limit: int | None = None, after: str | None = None
) -> Call[ModelVersionList]:
    """List one page of a model's versions, newest first."""
    query = {"limit": limit, "after": after}
    return get(path_of("models", name, "versions"), ModelVersionList, query=query)


def get_model_card(reference: str) -> Call[ModelCard]:
    """Read what a version is made of and worth; a name is its newest version."""
    return get(path_of("models", reference, "card"), ModelCard)


def get_model_card_text(reference: str) -> Call[str]:
    """Read the card as Markdown, for people."""
    return Call(
        method="GET",
        path=path_of("models", reference, "card"),
        read=answers.read_text,
        repeatable=True,
        headers={"Accept": "text/markdown"},
    )


def promote_checkpoint(name: str, checkpoint: str) -> Call[ModelVersion]:
    """Serve a checkpoint of any job as the next version of a model; a new name makes a new one."""
    body: dict[str, JsonValue] = {"checkpoint": checkpoint}
    path, key = path_of("models", name, "versions"), key_of_a_call(None)
    return post(path, ModelVersion, body=body, repeatable=True, idempotency_key=key)


def import_model(file: File, name: str, *, description: str | None = None) -> Call[ModelVersion]:
    """Bring in a model that was downloaded elsewhere, as the next version of `name`.

    The same model under the same name gives the version that is there. A path is streamed.
    """
    spec: dict[str, JsonValue] = {"name": name}
    if description is not None:
        spec["description"] = description
    parts: Parts = {"spec": json_bytes(spec).decode(), "file": file}
    key = key_of_a_call(None)
    return post("/v1/models", ModelVersion, parts=parts, repeatable=True, idempotency_key=key)


def describe_model(
    name: str, *, description: str | None = None, tags: Sequence[str] | None = None
) -> Call[Model]:
    """Say what a model is for, and by which words it is found. What is not given stays."""
    given: dict[str, JsonValue] = {}
    if description is not None:
        given["description"] = description or None
    if tags is not None:
        given["tags"] = [*tags]
    return send("PATCH", path_of("models", name), Model, given)


def set_alias(name: str, alias: str, version: int) -> Call[Alias]:
    """Let `name@alias` stand for a version from now on."""
    return send("PUT", path_of("models", name, "aliases", alias), Alias, {"version": version})


def delete_alias(name: str, alias: str) -> Call[None]:
    """Forget an alias; its version stays."""
    return delete(path_of("models", name, "aliases", alias))


def delete_model(reference: str) -> Call[None]:
    """Delete a version (`name@3`, `mdl_…`) or all of a name; ConflictError if an alias is there."""
    return delete(path_of("models", reference))


def predictions_over_time(
    model: str, question: str, *, top_k: int | None = None, limit: int | None = None
) -> Call[PredictionsOverTime]:
    """Ask every kept checkpoint of a model's job the same: a text, or one input as JSON."""
    query: Query = {"input": question, "top_k": top_k, "limit": limit}
    return get(path_of("models", model, "predictions-over-time"), PredictionsOverTime, query=query)


def score(model: str, texts: Sequence[str]) -> Call[ScoreResponse]:
    """Ask how probable a model of texts finds each of these, token by token."""
    body: dict[str, JsonValue] = {"inputs": [*texts]}
    return post(path_of("models", model, "score"), ScoreResponse, body=body, repeatable=True)


def delete_session(model: str, session: str) -> Call[None]:
    """Forget what was read and written in a session of your key."""
    return delete(path_of("models", model, "sessions", session))


def generate(model: str, request: GenerateRequest | Mapping[str, Any]) -> Call[Generation]:
    """Let a model of texts write on; `request` has the prompt and how to choose the tokens.

    `stream_text` of the clients tells each token as it is found. In a session the call is not sent
    again by itself: it might have been done.
    """
    body = {**what_was_said(request), "stream": False}
    alone = body.get("session") is None
    return post(path_of("models", model, "generate"), Generation, body=body, repeatable=alone)
