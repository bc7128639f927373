"""Every operation, and what may be wrong around any of them: method, host, query, path, length."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from collections.abc import Iterator

from tests.integration.cases.base import Case

OPERATIONS = [
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/v1/system"),
    ("GET", "/v1/architectures"),
    ("GET", "/v1/optimizers"),
    ("GET", "/v1/schedules"),
    ("GET", "/v1/tasks"),
    ("GET", "/v1/recipes"),
    ("GET", "/v1/recipes/{recipe}"),
    ("GET", "/v1/datasets"),
    ("POST", "/v1/datasets"),
    ("GET", "/v1/datasets/{name}"),
    ("DELETE", "/v1/datasets/{name}"),
    ("GET", "/v1/datasets/{name}/preview"),
    ("GET", "/v1/datasets/{name}/statistics"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("PUT", "/v1/jobs/by-client-id/{client_id}"),
    ("GET", "/v1/jobs/{job_id}"),
    ("DELETE", "/v1/jobs/{job_id}"),
    ("POST", "/v1/jobs/{job_id}/cancel"),
    ("POST", "/v1/jobs/{job_id}/pause"),
    ("POST", "/v1/jobs/{job_id}/resume"),
    ("POST", "/v1/jobs/{job_id}/retry"),
    ("POST", "/v1/jobs/{job_id}/fork"),
    ("GET", "/v1/jobs/{job_id}/metrics"),
    ("GET", "/v1/jobs/{job_id}/checkpoints"),
    ("GET", "/v1/jobs/{job_id}/certificate"),
    ("GET", "/v1/jobs/{job_id}/events"),
    ("GET", "/v1/models"),
    ("POST", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/models/{model}/versions"),
    ("GET", "/v1/models/{model}/card"),
    ("GET", "/v1/models/{model}/download"),
    ("GET", "/v1/models/{model}/predictions-over-time"),
    ("POST", "/v1/models/{model}/versions"),
    ("POST", "/v1/models/{model}/predict"),
    ("POST", "/v1/models/{model}/generate"),
    ("POST", "/v1/models/{model}/score"),
    ("DELETE", "/v1/models/{model}/sessions/{session}"),
    ("PATCH", "/v1/models/{model}"),
    ("DELETE", "/v1/models/{model}"),
    ("PUT", "/v1/models/{model}/aliases/{alias}"),
    ("DELETE", "/v1/models/{model}/aliases/{alias}"),
]
NOBODY = {"job_id": "job_1", "name": "nothing", "model": "nobody", "client_id": "nobody", "recipe": "nothing", "alias": "champion", "session": "nothing"}
NOT_FOUND = {"job_id": "job_not_found", "name": "dataset_not_found", "model": "model_not_found", "recipe": "recipe_not_found"}
A_JOB = {"dataset": "eating", "architecture": "rnn"}
PUT_JOB = "/v1/jobs/by-client-id/{client_id}"
VERSIONS = "/v1/models/{model}/versions"
A_BODY = {"/v1/jobs": A_JOB, PUT_JOB: A_JOB, "/v1/jobs/{job_id}/fork": {}, VERSIONS: {"checkpoint": "ckpt_1"}, "/v1/models/{model}/predict": {"inputs": [""]}, "/v1/models/{model}": {}, "/v1/models/{model}/generate": {}, "/v1/models/{model}/score": {"inputs": [""]}, "/v1/models/{model}/aliases/{alias}": {"version": 1}}
NUL = dict.fromkeys(NOBODY, "%00")
LONG = dict.fromkeys(NOBODY, "x" * 600)


def _edges() -> Iterator[Case]:
    for method, template in OPERATIONS:
        name, path = f"{method} {template}", template.format_map(NOBODY)
        body = A_BODY.get(template) if method not in {"GET", "DELETE"} else None
        yield Case(f"a foreign host: {name}", 403, "foreign_host", method=method, path=path, headers={"Host": "example.org"})
        if not template.startswith("/v1/"):
            continue
        yield Case(f"an unknown query parameter: {name}", 400, "unknown_parameter", method=method, path=f"{path}?limt=3", body=body)
        yield Case(f"a length beyond the limit: {name}", 413, "body_too_large", method=method, path=path, declared=10**12)
        if "{" in template:
            parameter = template.partition("{")[2].partition("}")[0]
            if parameter in NOT_FOUND:
                missing = NOT_FOUND[parameter] if (method, template) != ("POST", VERSIONS) else "checkpoint_not_found"
                yield Case(f"nobody: {name}", 404, missing, method=method, path=path, body=body)
            yield Case(f"NUL: {name}", 422, "invalid_request", f"/path/{parameter}", method=method, path=template.format_map(NUL), body=body)
            yield Case(f"600 characters: {name}", 422, "invalid_request", f"/path/{parameter}", method=method, path=template.format_map(LONG), body=body)


WITH_SLASHES = {PUT_JOB, "/v1/models/{model}/sessions/{session}"}
"""Paths that end with an id, of which a slash at the end is a part."""


def _methods() -> Iterator[Case]:
    for template in dict.fromkeys(template for _, template in OPERATIONS):
        path = template.format_map(NOBODY)
        if ("PATCH", template) not in OPERATIONS:
            yield Case(f"PATCH {template}", 405, "method_not_allowed", method="PATCH", path=path)
        if template.startswith("/v1/") and template not in WITH_SLASHES:
            yield Case(f"slash at the end: {template}", 404, "path_not_found", method="GET", path=f"{path}/")


EDGES = [*_edges(), *_methods()]
