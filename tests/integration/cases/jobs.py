"""Wrong bodies of POST /v1/jobs."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from typing import Any

from tests.integration.cases.base import Case, raw


def job(pointer: str, /, **changes: Any) -> dict[str, Any]:
    """Make a case of a job that is right but for the changes."""
    right: dict[str, Any] = {"dataset": "eating", "architecture": "rnn"}
    body = {name: value for name, value in {**right, **changes}.items() if value is not ...}
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "body": body}


def rnn(**options: Any) -> dict[str, Any]:
    return {"type": "rnn", **options}


JOBS = [
    Case("an unknown architecture", **job("/architecture", architecture="rmn")),
    Case("an unknown architecture in an object", **job("/architecture/type", architecture={"type": "rmn"})),
    Case("an architecture without type", **job("/architecture/type", architecture={"hidden_size": 3})),
    Case("an unknown optimizer", **job("/optimizer", optimizer="adamm")),
    Case("an unknown schedule", **job("/schedule", schedule={"type": "cosin"}))._replace(pointer="/schedule/type"),
    Case("a CNN on text", **job("/architecture", architecture="cnn")),
    Case("a recurrent network on images", **job("/architecture", dataset="digits")),
    Case("no architecture", **job("/architecture", architecture=...)),
    Case("no dataset", **job("/dataset", dataset=...)),
    Case("a dataset that does not exist", **job("", dataset="etaing"))._replace(status=404, code="dataset_not_found", pointer=None),
    Case("lr zero", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": 0})),
    Case("lr negative", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": -0.1})),
    Case("lr huge", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": 1e300})),
    Case("lr as a string", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": "0.1"})),
    Case("lr true", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": True})),
    Case("lr null", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": None})),
    Case("lr a list", **job("/optimizer/lr", optimizer={"type": "sgd", "lr": [0.1]})),
    Case("lr NaN", 422, "invalid_request", "/optimizer/lr", **raw(b'{"dataset": "eating", "architecture": "rnn", "optimizer": {"type": "sgd", "lr": NaN}}')),
    Case("lr infinite", 422, "invalid_request", "/optimizer/lr", **raw(b'{"dataset": "eating", "architecture": "rnn", "optimizer": {"type": "sgd", "lr": 1e999}}')),
    Case("momentum one", **job("/optimizer/momentum", optimizer={"type": "sgd", "lr": 0.1, "momentum": 1.0})),
    Case("hidden size zero", **job("/architecture/hidden_size", architecture=rnn(hidden_size=0))),
    Case("hidden size a fraction", **job("/architecture/hidden_size", architecture=rnn(hidden_size=3.5))),
    Case("hidden size a string", **job("/architecture/hidden_size", architecture=rnn(hidden_size="64"))),
    Case("hidden size beyond", **job("/architecture/hidden_size", architecture=rnn(hidden_size=10**9))),
    Case("an unknown activation", **job("/architecture/activation", architecture=rnn(activation="tahn"))),
    Case("dropout one", **job("/architecture/dropout", architecture=rnn(dropout=1))),
    Case("an option that is misspelt", **job("/architecture/hiden_size", architecture=rnn(hiden_size=3))),
    Case("an option of another architecture", **job("/architecture/blocks", architecture=rnn(blocks=[]))),
    Case("an unknown field", **job("/trainig", trainig={})),
    Case("an unknown training option", **job("/training/epoch", training={"epoch": 3})),
    Case("epochs zero", **job("/training/epochs", training={"epochs": 0})),
    Case("epochs a string", **job("/training/epochs", training={"epochs": "3"})),
    Case("epochs and max_steps", **job("/training", training={"epochs": 3, "max_steps": 3})),
    Case("a batch size of zero", **job("/training/batch_size", training={"batch_size": 0})),
    Case("a negative seed", **job("/training/seed", training={"seed": -1})),
    Case("a seed beyond 64 bits", **job("/training/seed", training={"seed": 2**64})),
    Case("an unknown device", **job("/training/device", training={"device": "gpu"})),
    Case("an unknown precision", **job("/training/precision", training={"precision": "float8"})),
    Case("patience zero", **job("/training/early_stopping/patience", training={"early_stopping": {"patience": 0}})),
    Case("early stopping by no metric of the task", **job("/training/early_stopping/metric", training={"early_stopping": {"metric": "val_mae"}})),
    Case("keep no best checkpoint", **job("/training/checkpoint/keep_best", training={"checkpoint": {"keep_best": 0}})),
    Case("no time at all", **job("/training/max_seconds", training={"max_seconds": 0})),
    Case("priority beyond", **job("/priority", priority=101)),
    Case("a model name with a slash", **job("/model", model="a/b")),
    Case("a model name like an id", **job("/model", model="job_1")),
    Case("an empty model name", **job("/model", model="")),
    Case("a NUL in the model name", **job("/model", model="a\0b")),
    Case("a lone surrogate in the model name", 422, "invalid_request", "/model", **raw(b'{"dataset": "eating", "architecture": "rnn", "model": "\\ud800"}')),
    Case("a NUL in metadata", **job("/metadata/a", metadata={"a": "b\0"})),
    Case("metadata that is a number", **job("/metadata/a", metadata={"a": 1})),
    Case("megabytes of metadata", **job("/metadata/a", metadata={"a": "x" * 3_000_000})),
    Case("a client id beyond", **job("/client_id", client_id="x" * 10_000)),
    Case("an option of another task", **job("/dataset/min_count", dataset={"name": "digits", "min_count": 2}, architecture="mlp")),
    Case("a validation fraction of one", **job("/dataset/validation_fraction", dataset={"name": "eating", "validation_fraction": 1})),
    Case("an unknown dataset option", **job("/dataset/min_cuont", dataset={"name": "eating", "min_cuont": 1})),
    Case("an unknown task", **job("/dataset/task", dataset={"name": "eating", "task": "singing"})),
    Case("a pool that shrinks the image to nothing", **job("/architecture/blocks/3/pool", dataset="digits", architecture={"type": "cnn", "blocks": [{"channels": 4}] * 5})),
    Case("a body that is a list", 422, "invalid_request", "", body=[]),
    Case("a body that is null", 422, "invalid_request", "", **raw(b"null")),
    Case("no JSON", 400, "malformed_json", **raw(b"{")),
    Case("an empty body", 400, "malformed_json", **raw(b"")),
    Case("bytes that are no UTF-8", 400, "malformed_json", **raw(b"\xff\xfe{}")),
    Case("20,000 brackets", 400, "malformed_json", **raw(b"[" * 20_000)),
    Case("no content type", 415, "unsupported_media_type", content=b"{}"),
    Case("a form", 415, "unsupported_media_type", content=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    Case("17 MiB", 413, "body_too_large", **raw(b'"' + b"x" * (17 << 20) + b'"')),
]
