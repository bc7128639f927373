"""Ways to begin from what exists: forks, promoted checkpoints, jobs with a model's weights."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case, raw

LONGER: dict[str, Any] = {"training": {"max_steps": 9, "device": "mps"}}


def fork(job: str = "{succeeded}", **body: Any) -> dict[str, Any]:
    """Make a case of a fork; the job has 2 steps."""
    return {"path": f"/v1/jobs/{job}/fork", "body": body}


def patched(pointer: str, **patch: Any) -> dict[str, Any]:
    """Make a case of a fork with a patch that is wrong."""
    return {"status": 422, "code": "invalid_request", "pointer": f"/patch{pointer}", **fork(patch=patch)}


def promote(name: str, checkpoint: Any = "{checkpoint}", **more: Any) -> dict[str, Any]:
    """Make a case of a promotion."""
    return {"path": f"/v1/models/{name}/versions", "body": {"checkpoint": checkpoint, **more}}


def initialized(reference: Any, **changes: Any) -> dict[str, Any]:
    """Make a case of a job that begins with a model."""
    return {"body": {"dataset": "eating", "architecture": "rnn", "training": {"device": "mps"}, "initialize_from": reference, **changes}}


BEGINNINGS = [
    Case("a fork of nothing that was trained", 409, "model_not_ready", **fork("{queued}")),
    Case("a fork of a job that left nothing", 409, "model_never_trained", **fork("{cancelled}")),
    Case("a fork of a deleted checkpoint", 404, "checkpoint_not_found", **fork(checkpoint="ckpt_0198c0de")),
    Case("a fork of a job as a checkpoint", 404, "checkpoint_not_found", **fork(checkpoint="{succeeded}")),
    Case("a fork of the checkpoint of another job", 422, "invalid_request", "/checkpoint", **fork("{queued}", checkpoint="{checkpoint}")),
    Case("a fork of a checkpoint that is a number", 422, "invalid_request", "/checkpoint", **fork(checkpoint=3)),
    Case("a fork with a patch that is a list", 422, "invalid_request", "/patch", **fork(patch=[])),
    Case("a fork with a patch that is null", 422, "invalid_request", "/patch", **fork(patch=None)),
    Case("a fork with a patch that is a string", 422, "invalid_request", "/patch", **fork(patch="{}")),
    Case("a fork with an unknown field", 422, "invalid_request", "/pach", **fork(pach={})),
    Case("a fork that is a list", 422, "invalid_request", "", path="/v1/jobs/{succeeded}/fork", body=[]),
    Case("a fork without a body", 415, "unsupported_media_type", path="/v1/jobs/{succeeded}/fork"),
    Case("a fork that is no JSON", 400, "malformed_json", path="/v1/jobs/{succeeded}/fork", **raw(b"{")),
    Case("a fork that is reached already", **patched("/training/max_steps")),
    Case("a patch with an unknown field", **patched("/trainig", trainig={})),
    Case("a patch with an unknown option", **patched("/architecture/hiden_size", architecture={"hiden_size": 3})),
    Case("a patch of another type", **patched("/architecture", architecture="cnn")),
    Case("a patch of an unknown type", **patched("/architecture/type", architecture={"type": "rmn"})),
    Case("a patch to nothing", **patched("/architecture", architecture=None)),
    Case("a patch with the id of a client", 409, "client_id_taken", **fork(patch={**LONGER, "client_id": "bad-taken"})),
    Case("a patch to an unknown dataset", 404, "dataset_not_found", **fork(patch={**LONGER, "dataset": {"name": "nowhere"}})),
    Case("a patch to images", **patched("/dataset/task", dataset={"name": "digits"}, architecture="mlp")),
    Case("a patch with both lengths", **patched("/training", training={"epochs": 9, "max_steps": 9})),
    Case("a patch with a model to begin with", **patched("/initialize_from", initialize_from="bad-words", **LONGER)),
    Case("a patch with NaN", 422, "invalid_request", "/patch/priority", path="/v1/jobs/{succeeded}/fork", **raw(b'{"patch": {"priority": NaN}}')),

    Case("a promotion of nothing", 404, "checkpoint_not_found", **promote("bad-words", "ckpt_0198c0de")),
    Case("a promotion of a job", 404, "checkpoint_not_found", **promote("bad-words", "{succeeded}")),
    Case("a promotion to a model of another task", 409, "model_task_differs", **promote("bad-images")),
    Case("a promotion to an id", 422, "invalid_request", "/path/model", **promote("mdl_1")),
    Case("a promotion to a version", 422, "invalid_request", "/path/model", **promote("bad-words@1")),
    Case("a promotion to a name with a space", 422, "invalid_request", "/path/model", **promote("bad%20words")),
    Case("a promotion without a checkpoint", 422, "invalid_request", "/checkpoint", path="/v1/models/bad-words/versions", body={}),
    Case("a promotion of null", 422, "invalid_request", "/checkpoint", **promote("bad-words", None)),
    Case("a promotion with an unknown field", 422, "invalid_request", "/version", **promote("bad-words", version=3)),
    Case("a promotion as plain text", 415, "unsupported_media_type", path="/v1/models/bad-words/versions", content=b"ckpt", headers={"Content-Type": "text/plain"}),

    Case("the weights of no model", 404, "model_not_found", **initialized("bad-wrods")),
    Case("the weights of no job", 404, "model_not_found", **initialized("job_1")),
    Case("the weights of an empty name", 404, "model_not_found", **initialized("")),
    Case("the weights of a queued job", 409, "model_not_ready", **initialized("{queued}")),
    Case("the weights of a model of another task", 422, "invalid_request", "/initialize_from", **initialized("bad-images")),
    Case("the weights of a smaller model", 422, "invalid_request", "/initialize_from", **initialized("bad-words", architecture={"type": "rnn", "hidden_size": 9})),
    Case("the weights of another type", 422, "invalid_request", "/initialize_from", **initialized("bad-images", dataset="digits", architecture="cnn")),
    Case("the weights for smaller images", 422, "invalid_request", "/initialize_from", **initialized("bad-images", dataset="fashion-mnist-mini", architecture="mlp")),
]

BEGUN = [
    Case("a fork", 202, None, **fork(patch=LONGER)),
    Case("a fork of a checkpoint by its id", 202, None, **fork(checkpoint="{checkpoint}", patch={**LONGER, "metadata": {"a": "b"}})),
    Case("a promotion", 201, None, **promote("{new}")),
    Case("a promotion in Korean", 201, None, **promote("단어")),
    Case("a job with the weights of a model", 202, None, **initialized("bad-words")),
    Case("a plan with the weights of a model", 200, None, path="/v1/jobs?validate_only=true", **initialized("bad-words@1")),
]
