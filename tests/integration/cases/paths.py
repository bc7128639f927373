"""Wrong paths, ids, queries, methods and doors."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from tests.integration.cases.base import Case

PATHS = [
    Case("a job that does not exist", 404, "job_not_found", method="GET", path="/v1/jobs/job_1"),
    Case("SQL for an id", 404, "job_not_found", method="GET", path="/v1/jobs/'%20OR%201=1--"),
    Case("NUL for an id", 422, "invalid_request", "/path/job_id", method="GET", path="/v1/jobs/job_%00"),
    Case("bytes for an id", 404, "job_not_found", method="GET", path="/v1/jobs/%ff%fe"),
    Case("slashes in an id", 404, "path_not_found", method="GET", path="/v1/jobs/a%2Fb/c"),
    Case("cancel of no job", 404, "job_not_found", path="/v1/jobs/job_1/cancel"),
    Case("delete of no job", 404, "job_not_found", method="DELETE", path="/v1/jobs/job_1"),
    Case("metrics of no job", 404, "job_not_found", method="GET", path="/v1/jobs/job_1/metrics"),
    Case("metrics with three points", 422, "invalid_request", "/query/max_points", method="GET", path="/v1/jobs/job_1/metrics?max_points=3"),
    Case("checkpoints of no job", 404, "job_not_found", method="GET", path="/v1/jobs/job_1/checkpoints"),
    Case("a limit of zero", 422, "invalid_request", "/query/limit", method="GET", path="/v1/jobs?limit=0"),
    Case("a limit that is no number", 422, "invalid_request", "/query/limit", method="GET", path="/v1/jobs?limit=ten"),
    Case("an unknown cursor", 400, "unknown_cursor", method="GET", path="/v1/jobs?after=job_1"),
    Case("an unknown status", 422, "invalid_request", "/query/status", method="GET", path="/v1/jobs?status=done"),
    Case("an unknown query parameter", 400, "unknown_parameter", method="GET", path="/v1/jobs?limt=3"),
    Case("an unknown query parameter of a plan", 400, "unknown_parameter", path="/v1/jobs?validate=true", body={}),
    Case("a NUL in a metadata filter", 422, "invalid_request", "/query/metadata.a", method="GET", path="/v1/jobs?metadata.a=%00"),
    Case("a NUL in the name of a metadata filter", 422, "invalid_request", "/query/metadata.\0", method="GET", path="/v1/jobs?metadata.%00=1"),
    Case("an unknown query parameter of the system", 400, "unknown_parameter", method="GET", path="/v1/system?x=1"),
    Case("a job without its id", 404, "path_not_found", method="GET", path="/v1/jobs/"),
    Case("an unknown path", 404, "path_not_found", method="GET", path="/v1/job"),
    Case("a wrong method", 405, "method_not_allowed", method="PUT", path="/v1/jobs"),
    Case("a model that does not exist", 404, "model_not_found", method="GET", path="/v1/models/nobody"),
    Case("a version that does not exist", 404, "model_not_found", method="GET", path="/v1/models/bad-images@99"),
    Case("a dataset that does not exist", 404, "dataset_not_found", method="GET", path="/v1/datasets/nothing"),
    Case("delete of a built-in dataset", 409, "dataset_built_in", method="DELETE", path="/v1/datasets/eating"),
    Case("delete of no dataset", 404, "dataset_not_found", method="DELETE", path="/v1/datasets/nothing"),
    Case("a foreign host", 403, "foreign_host", method="GET", path="/v1/jobs", headers={"Host": "example.org"}),
    Case("a foreign origin", 403, "foreign_origin", body={}, headers={"Origin": "https://example.org"}),
    Case("an origin that is no URL", 403, "foreign_origin", body={}, headers={"Origin": "http://["}),
    Case("a host that is none", 403, "foreign_host", method="GET", path="/v1/jobs", headers={"Host": "[bad"}),
    Case("a sandboxed page", 403, "foreign_origin", body={}, headers={"Origin": "null"}),
    Case("a cross-site fetch", 403, "foreign_origin", body={}, headers={"Sec-Fetch-Site": "cross-site"}),
]
