"""Models that leave, and models that come."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from tests.integration.cases.base import Case, get

BUNDLES = [
    Case("the download of an alias that nobody gave", 404, "model_not_found", **get("/v1/models/bad-champions@nobody/download")),
    Case("the download of a job not yet trained", 409, "model_not_ready", **get("/v1/models/{queued}/download")),
]

BUNDLES_TAKEN = [
    Case("a download", 200, None, **get("/v1/models/bad-words/download")),
    Case("a download by an alias", 200, None, **get("/v1/models/bad-champions@champion/download")),
    Case("the download of a job", 200, None, **get("/v1/models/{succeeded}/download")),
    Case("the download of a checkpoint", 200, None, **get("/v1/models/{checkpoint}/download")),
    Case("a download that has not changed", 304, None, **get("/v1/models/bad-words/download"), headers={"If-None-Match": "*"}),
]
