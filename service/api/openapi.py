"""The OpenAPI document: FastAPI's own, with the bodies that this service reads by itself."""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from service.api.datasets import UploadSpec
from service.api.links import add_links
from service.api.problems import ProblemDetails, problem_responses
from service.catalogue import Catalogue
from service.domain.bundles import ImportSpec
from service.domain.datasets import DatasetBody
from service.domain.generations import GenerateRequest
from service.domain.models import AliasRequest, ModelChange, PromotionRequest
from service.domain.predictions import PredictRequest
from service.domain.requests import ForkRequest
from service.domain.scores import ScoreRequest

REFERENCE = "#/components/schemas/{model}"


def install(app: FastAPI, catalogue: Catalogue) -> None:
    """Let the application answer /openapi.json with the full document."""

    @cache
    def document() -> dict[str, Any]:
        return _document(app, catalogue)

    app.openapi = document


def operation_id(route: APIRoute) -> str:
    """Name an operation as its function: links and generated clients use the names."""
    return route.name


def _document(app: FastAPI, catalogue: Catalogue) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    models: list[type[BaseModel]] = [
        catalogue.job_request,
        DatasetBody,
        UploadSpec,
        PredictRequest,
        ForkRequest,
        PromotionRequest,
        ModelChange,
        AliasRequest,
        GenerateRequest,
        ScoreRequest,
        ImportSpec,
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
    add_links(found)
    return found


def _show_examples(found: dict[str, Any], examples: Mapping[str, dict[str, JsonValue]]) -> None:
    """Show a worked job for every architecture."""
    shown = {
        name: {"summary": f"Train `{name}`", "value": example} for name, example in examples.items()
    }
    for method, path in (("post", "/v1/jobs"), ("put", "/v1/jobs/by-client-id/{client_id}")):
        body = found["paths"][path][method]["requestBody"]
        body["content"]["application/json"]["examples"] = shown


def _document_the_edges(found: dict[str, Any]) -> None:
    """Add what any path of its kind may answer, whatever it does: always a problem."""
    for path, operations in found["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            if "422" in responses:  # the framework's own, where a path documents none
                responses.pop("422")
                responses.update(_problems(422))
            for status, response in _problems(*_edges(path, operation)).items():
                responses.setdefault(status, response)
            responses["default"] = {**_problems(500)["500"], "description": "Any problem"}
    for unused in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(unused, None)


def _edges(path: str, operation: dict[str, Any]) -> Iterator[int]:
    """Name the statuses that come from around a path: doors, limits, a busy database."""
    yield HTTPStatus.FORBIDDEN
    if "security" in operation:
        yield HTTPStatus.UNAUTHORIZED
    if path.startswith("/v1/"):
        yield HTTPStatus.BAD_REQUEST  # a query parameter that is not documented
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.SERVICE_UNAVAILABLE
    if "requestBody" in operation:
        yield HTTPStatus.REQUEST_TIMEOUT


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(int(status)): each for status, each in problem_responses(*statuses).items()}
