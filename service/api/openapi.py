"""The OpenAPI document: FastAPI's own, with the bodies that this service reads by itself."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from service.api.datasets import DatasetSpec
from service.api.problems import MEDIA_TYPE, ProblemDetails
from service.catalogue import Catalogue
from service.domain.datasets import TextDatasetBody
from service.domain.predictions import PredictRequest

REFERENCE = "#/components/schemas/{model}"


def install(app: FastAPI, catalogue: Catalogue) -> None:
    """Let the application answer /openapi.json with the full document."""

    @cache
    def document() -> dict[str, Any]:
        return _document(app, catalogue)

    app.openapi = document


def _document(app: FastAPI, catalogue: Catalogue) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    models: list[type[BaseModel]] = [
        catalogue.job_request,
        TextDatasetBody,
        DatasetSpec,
        PredictRequest,
        ProblemDetails,
    ]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template=REFERENCE
    )
    known = found.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in schemas["$defs"].items():
        known.setdefault(name, schema)
    _show_examples(found, catalogue.examples())
    _document_the_edges(found)
    return found


def _show_examples(found: dict[str, Any], examples: Mapping[str, dict[str, JsonValue]]) -> None:
    """Show a worked job for every architecture."""
    body = found["paths"]["/v1/jobs"]["post"]["requestBody"]
    body["content"]["application/json"]["examples"] = {
        name: {"summary": f"Train `{name}`", "value": example} for name, example in examples.items()
    }


def _document_the_edges(found: dict[str, Any]) -> None:
    """Any path may turn a request away at the door, be too busy, or fail: always as a problem."""
    schema = {"$ref": REFERENCE.format(model=ProblemDetails.__name__)}
    content = {MEDIA_TYPE: {"schema": schema}}
    for path in found["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            if "422" in responses:  # instead of the framework's own
                responses["422"] = {"description": "Wrong fields", "content": content}
            responses.setdefault("403", {"description": "Forbidden", "content": content})
            responses.setdefault("default", {"description": "Any problem", "content": content})
    for unused in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(unused, None)
