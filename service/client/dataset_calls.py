"""The calls of `/v1/datasets`, each defined once."""

from collections.abc import Mapping
from typing import Any

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
from service.client.verbs import delete, get, post
from service.domain.datasets import AnyDatasetSpec, Dataset, DatasetList, DatasetReport
from service.domain.looking import DatasetPreview, DatasetStatistics


def list_datasets(*, limit: int | None = None, after: str | None = None) -> Call[DatasetList]:
    """List one page of datasets, newest first."""
    return get("/v1/datasets", DatasetList, query={"limit": limit, "after": after})


def get_dataset(name: str) -> Call[Dataset]:
    """Read what is known of a dataset."""
    return get(path_of("datasets", name), Dataset)


def add_dataset(
    spec: AnyDatasetSpec | Mapping[str, Any], files: Mapping[str, File]
) -> Call[Dataset]:
    """Upload a dataset; the same bytes under the same name give the one that is there.

    Texts, labelled texts and tables have a `file` and may have a `validation_file`; a folder of
    images is a zip, `file`; IDX has `images`, `labels` and may have `test_images`,
    `test_labels`. Paths are streamed from the disk.
    """
    parts: Parts = {"spec": json_bytes(what_was_said(spec)).decode(), **files}
    key = key_of_a_call(None)
    return post("/v1/datasets", Dataset, parts=parts, repeatable=True, idempotency_key=key)


def check_dataset(
    spec: AnyDatasetSpec | Mapping[str, Any], files: Mapping[str, File]
) -> Call[DatasetReport]:
    """Tell what an upload would become and what was found in it; nothing is stored."""
    parts: Parts = {"spec": json_bytes(what_was_said(spec)).decode(), **files}
    query: Query = {"dry_run": "true"}
    return post("/v1/datasets", DatasetReport, parts=parts, query=query, repeatable=True)


def preview_dataset(name: str, *, rows: int | None = None) -> Call[DatasetPreview]:
    """Read the first rows of a dataset; of pictures their labels, some of every class."""
    return get(path_of("datasets", name, "preview"), DatasetPreview, query={"rows": rows})


def preview_pictures(name: str, *, rows: int | None = None) -> Call[bytes]:
    """Read the pictures of a preview, with their labels, as one PNG."""
    return Call(
        method="GET",
        path=path_of("datasets", name, "preview"),
        read=answers.read_bytes,
        repeatable=True,
        query={"rows": rows, "format": "png"},
        headers={"Accept": "image/png, application/problem+json"},
    )


def measure_dataset(name: str) -> Call[DatasetStatistics]:
    """Count and measure what a dataset holds."""
    return get(path_of("datasets", name, "statistics"), DatasetStatistics)


def delete_dataset(name: str) -> Call[None]:
    """Delete a dataset that no unfinished job uses."""
    return delete(path_of("datasets", name))
