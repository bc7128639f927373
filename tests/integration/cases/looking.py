"""Looks at datasets, right and wrong; with zips of pictures."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from tests.integration.cases.base import Case, get
from tests.integration.cases.folders import FOLDERS, FOLDERS_ANSWERED

LOOKS = [
    *FOLDERS,
    Case("a preview of nothing", 404, "dataset_not_found", **get("/v1/datasets/nothing/preview")),
    Case("statistics of nothing", 404, "dataset_not_found", **get("/v1/datasets/nothing/statistics")),
    Case("a preview of what is not downloaded", 409, "dataset_not_downloaded", **get("/v1/datasets/mnist/preview")),
    Case("statistics of what is not downloaded", 409, "dataset_not_downloaded", **get("/v1/datasets/mnist/statistics")),
    Case("a preview of no rows", 422, "invalid_request", "/query/rows", **get("/v1/datasets/eating/preview?rows=0")),
    Case("a preview of 101 rows", 422, "invalid_request", "/query/rows", **get("/v1/datasets/eating/preview?rows=101")),
    Case("a preview in another format", 422, "invalid_request", "/query/format", **get("/v1/datasets/digits/preview?format=jpeg")),
    Case("pictures of words", 422, "invalid_request", "/query/format", **get("/v1/datasets/eating/preview?format=png")),
    Case("a preview with an unknown parameter", 400, "unknown_parameter", **get("/v1/datasets/eating/preview?limit=3")),
    Case("statistics with a parameter", 400, "unknown_parameter", **get("/v1/datasets/eating/statistics?rows=3")),
]

LOOKS_ANSWERED = [
    *FOLDERS_ANSWERED,
    Case("a preview", 200, None, **get("/v1/datasets/eating/preview")),
    Case("a preview of pictures", 200, None, **get("/v1/datasets/digits/preview?rows=3")),
    Case("a contact sheet", 200, None, **get("/v1/datasets/digits/preview?format=png"), headers={"Accept": "image/png"}),
    Case("a contact sheet by its type", 200, None, **get("/v1/datasets/digits/preview"), headers={"Accept": "image/png"}),
    Case("statistics of words", 200, None, **get("/v1/datasets/eating/statistics")),
    Case("statistics of pictures", 200, None, **get("/v1/datasets/digits/statistics")),
]
