"""The document that /docs shows: every endpoint explained, every body with worked examples."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from fastapi import FastAPI

from service.catalogue import Catalogue
from service.domain import validation
from service.domain.predictions import PredictRequest


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_endpoint_is_explained(document: dict[str, Any]) -> None:
    silent = [name for name, operation in operations(document) if not operation.get("description")]
    assert silent == []


def test_every_path_parameter_has_an_example(document: dict[str, Any]) -> None:
    bare = [
        (name, parameter["name"])
        for name, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
        and not parameter["schema"].get("examples")
        and not parameter.get("examples")
        and not parameter.get("example")
    ]
    assert bare == []


def test_every_json_body_has_worked_examples(document: dict[str, Any]) -> None:
    bodies = {
        name: operation["requestBody"]["content"]["application/json"]
        for name, operation in operations(document)
        if "application/json" in operation.get("requestBody", {"content": {}})["content"]
    }
    assert set(bodies) == {
        "POST /v1/jobs",
        "PUT /v1/jobs/by-client-id/{client_id}",
        "POST /v1/jobs/{job_id}/fork",
        "POST /v1/datasets",
        "POST /v1/models/{model}/versions",
        "POST /v1/models/{model}/predict",
        "POST /v1/models/{model}/generate",
        "POST /v1/models/{model}/score",
        "PATCH /v1/models/{model}",
        "PUT /v1/models/{model}/aliases/{alias}",
    }
    assert all(body["examples"] for body in bodies.values())


def test_every_architecture_has_an_example_that_is_accepted(
    document: dict[str, Any], catalogue: Catalogue
) -> None:
    body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["examples"]) == {info.type for info in catalogue.infos("architecture")}
    for example in body["examples"].values():
        raw = json.dumps(example["value"]).encode()
        assert validation.parse(catalogue.job_request, raw).architecture


def test_the_examples_of_predictions_are_accepted(document: dict[str, Any]) -> None:
    path = document["paths"]["/v1/models/{model}/predict"]["post"]
    for example in path["requestBody"]["content"]["application/json"]["examples"].values():
        assert validation.parse(PredictRequest, json.dumps(example["value"]).encode())


def test_errors_are_documented_as_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                assert list(response["content"]) == ["application/problem+json"], (name, status)


def test_links_lead_to_parameters_of_operations(document: dict[str, Any]) -> None:
    named = {operation["operationId"]: operation for _, operation in operations(document)}
    assert len(named) == len([*operations(document)])
    for name, operation in operations(document):
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                wanted = {each["name"] for each in named[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= wanted, name


def test_the_spec_of_an_upload_is_documented_as_what_is_taken(document: dict[str, Any]) -> None:
    form = document["paths"]["/v1/datasets"]["post"]["requestBody"]["content"]
    reference = form["multipart/form-data"]["schema"]["properties"]["spec"]["$ref"]
    spec = document["components"]["schemas"][reference.rpartition("/")[2]]
    assert set(spec["discriminator"]["mapping"]) == {
        "text",
        "labelled_text",
        "table",
        "idx",
        "image_folder",
    }


def test_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    references = set(find_references(document))
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= known


def find_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            if key == "$ref":
                yield inner
            yield from find_references(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from find_references(inner)
