"""OpenAPI links: what of an answer goes into the next request, so that programs can find the way.

The job of a 202 can be read, paused and deleted by its id, a dataset by its name, a model asked.
"""

from typing import Any

Targets = dict[str, tuple[str, str]]
"""The next operation → its path parameter, and where the answer has its value."""

_JOB_READS = ("get_job", "get_metrics", "list_checkpoints", "get_certificate", "list_events")
_JOB_ACTIONS = ("pause_job", "resume_job", "cancel_job", "retry_job", "delete_job", "fork_job")
_OF_JOBS: Targets = dict.fromkeys((*_JOB_READS, *_JOB_ACTIONS), ("job_id", "id"))
_OF_NEW_JOBS: Targets = {**_OF_JOBS, "predict": ("model", "id")}
_OF_DATASETS: Targets = dict.fromkeys(("get_dataset", "delete_dataset"), ("name", "name"))

LINKS: dict[str, dict[str, Targets]] = {
    "create_job": {"202": _OF_NEW_JOBS},
    "put_job": {"202": _OF_NEW_JOBS, "200": _OF_NEW_JOBS},
    "pause_job": {"200": _OF_JOBS},
    "resume_job": {"200": _OF_JOBS},
    "cancel_job": {"200": _OF_JOBS},
    "retry_job": {"200": _OF_JOBS},
    "fork_job": {"202": _OF_NEW_JOBS},
    "create_dataset": {"201": _OF_DATASETS},  # 200 may be a report of what was not stored
    "promote_checkpoint": {
        "201": {
            "predict": ("model", "id"),
            "get_model": ("model", "id"),
            "list_versions": ("model", "model"),
        }
    },
    "get_model": {"200": dict.fromkeys(("predict", "list_versions"), ("model", "name"))},
}
"""Operation → status → what can be asked next."""


def add_links(document: dict[str, Any]) -> None:
    """Write the links into an OpenAPI document."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, targets in LINKS.get(operation["operationId"], {}).items():
                operation["responses"][status]["links"] = {
                    target: {
                        "operationId": target,
                        "parameters": {parameter: f"$response.body#/{pointer}"},
                    }
                    for target, (parameter, pointer) in targets.items()
                }
