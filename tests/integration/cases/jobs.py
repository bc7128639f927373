"""Wrong bodies of POST /v1/jobs."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import gzip
from typing import Any

from tests.integration.cases.base import JSON, Case, raw


def job(pointer: str, /, **changes: Any) -> dict[str, Any]:
    """Make a case of a job that is right but for the changes."""
    right: dict[str, Any] = {"dataset": "eating", "architecture": "rnn"}
    body = {name: value for name, value in {**right, **changes}.items() if value is not ...}
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "body": body}


def rnn(**options: Any) -> dict[str, Any]:
    return {"type": "rnn", **options}


def text(**options: Any) -> dict[str, Any]:
    return {"name": "eating", **options}


def mlp(pointer: str, **options: Any) -> dict[str, Any]:
    return job(f"/architecture/{pointer}", dataset="digits", architecture={"type": "mlp", **options})


def cnn(pointer: str, **options: Any) -> dict[str, Any]:
    return job(f"/architecture/{pointer}", dataset="digits", architecture={"type": "cnn", **options})


def started(rest: bytes) -> dict[str, Any]:
    """Make a case of a job whose last field is written out: what no program would write."""
    return raw(b'{"dataset": "eating", "architecture": "rnn", ' + rest + b"}")


WRONG_TYPES: dict[str, list[Any]] = {
    "model": [3, [], {}, True],
    "dataset": [None, 3, [], True],
    "architecture": [None, 3, [], True],
    "optimizer": [3, [], True],
    "schedule": [3, [], False],
    "training": [None, 3, [], "fast"],
    "initialize_from": [3, {}, []],
    "priority": [None, "5", 1.5, True, [], 10**30],
    "client_id": [3, [], {}, False],
    "metadata": [None, 3, [], "x"],
}
WRONG_TRAINING: dict[str, list[Any]] = {
    "epochs": [True, 1.5, [], 10**30],
    "max_steps": [0, "9", 10**9],
    "batch_size": [65_537, 1.5, {}],
    "seed": [None, 1.5, "0"],
    "device": [None, 0],
    "precision": [32, True],
    "gradient_clip": [0, -1, "1", []],
    "max_seconds": [-1, "1", {}],
    "exact": [None, True, "perhaps"],
    "early_stopping": [True, "val_loss"],
    "checkpoint": [None, 3],
}
TYPES = [
    *(Case(f"{field}: {value!r}", **job(f"/{field}", **{field: value})) for field, values in WRONG_TYPES.items() for value in values),
    *(Case(f"training {field}: {value!r}", **job(f"/training/{field}", training={field: value})) for field, values in WRONG_TRAINING.items() for value in values),
]


JOBS = [
    *TYPES,
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
    Case("a kernel larger than what is left of the image", **job("/architecture/blocks/0/kernel_size", dataset="digits", architecture={"type": "cnn", "blocks": [{"channels": 4, "kernel_size": 7}], "padding": "none"})),
    Case("shortcuts around what shrinks", **job("/architecture/residual", dataset="digits", architecture={"type": "cnn", "residual": True, "padding": "none"})),
    Case("a type that is a number", **job("/architecture/type", architecture={"type": 3})),
    Case("a type that is null", **job("/optimizer/type", optimizer={"type": None})),
    Case("a dataset with a path for a name", **job("/dataset/name", dataset={"name": "../../etc/passwd"})),
    Case("a dataset whose name is an object", **job("/dataset/name", dataset={"name": {}})),
    Case("a dataset without a name", **job("/dataset/name", dataset={})),
    Case("no word above the minimum count", **job("/dataset/min_count", dataset=text(min_count=1_000_000))),
    Case("a minimum count of zero", **job("/dataset/min_count", dataset=text(min_count=0))),
    Case("a vocabulary of no word", **job("/dataset/max_vocabulary", dataset=text(max_vocabulary=2))),
    Case("pieces of no word", **job("/dataset/sequence_length", dataset=text(sequence_length=0))),
    Case("pieces without end", **job("/dataset/sequence_length", dataset=text(sequence_length=10**9))),
    Case("lower case that is a word", **job("/dataset/lowercase", dataset=text(lowercase="no"))),
    Case("unknown sequences", **job("/dataset/sequences", dataset=text(sequences="words"))),
    Case("a validation fraction of zero", **job("/dataset/validation_fraction", dataset=text(validation_fraction=0))),
    Case("more parameters than allowed", **mlp("", hidden_sizes=[65_536] * 3))._replace(pointer="/architecture"),
    Case("hidden sizes that are a string", **mlp("hidden_sizes", hidden_sizes="128")),
    Case("a hidden size of zero among others", **mlp("hidden_sizes/1", hidden_sizes=[8, 0])),
    Case("a thousand hidden layers", **mlp("hidden_sizes", hidden_sizes=[8] * 1000)),
    Case("millions of wrong hidden sizes", 422, "invalid_request", "/architecture", **raw(b'{"dataset": "digits", "architecture": {"type": "mlp", "hidden_sizes": [' + b'"a",' * 3_000_000 + b"1]}}")),
    Case("batch norm that is a number", **mlp("batch_norm", batch_norm=1)),
    Case("blocks that are an object", **cnn("blocks", blocks={})),
    Case("a block that is a number", **cnn("blocks/0", blocks=[3])),
    Case("a block without channels", **cnn("blocks/0/channels", blocks=[{}])),
    Case("a kernel of no pixel", **cnn("blocks/0/kernel_size", blocks=[{"channels": 4, "kernel_size": 0}])),
    Case("a kernel larger than images", **cnn("blocks/0/kernel_size", blocks=[{"channels": 4, "kernel_size": 10**9}])),
    Case("a thousand blocks", **cnn("blocks", blocks=[{"channels": 4}] * 1000)),
    Case("a million layers", **job("/architecture/layers", architecture=rnn(layers=10**6))),
    Case("an unknown initial state", **job("/architecture/initial_state", architecture=rnn(initial_state="one"))),
    Case("one beta", **job("/optimizer/betas/1", optimizer={"type": "adam", "betas": [0.9]})),
    Case("betas of one", **job("/optimizer/betas/0", optimizer={"type": "adam", "betas": [1, 0.9]})),
    Case("betas that are one number", **job("/optimizer/betas", optimizer={"type": "adam", "betas": 0.9})),
    Case("eps zero", **job("/optimizer/eps", optimizer={"type": "adam", "eps": 0})),
    Case("an option of another optimizer", **job("/optimizer/momentum", optimizer={"type": "gd", "momentum": 0.9})),
    Case("a negative warm-up", **job("/schedule/warmup_steps", schedule={"type": "cosine", "warmup_steps": -1})),
    Case("a schedule that grows", **job("/schedule/gamma", schedule={"type": "step", "gamma": 2})),
    Case("a checkpoint every zero steps", **job("/training/checkpoint/every_steps", training={"checkpoint": {"every_steps": 0}})),
    Case("65 fields of metadata", **job("/metadata", metadata={str(number): "v" for number in range(65)})),
    Case("metadata of null", **job("/metadata/a", metadata={"a": None})),
    Case("metadata in metadata", **job("/metadata/a", metadata={"a": {"b": "c"}})),
    Case("metadata under an endless name", **job("", metadata={"k" * 3_000_000: "v"}))._replace(pointer=None),
    Case("a million fields of metadata", 422, "invalid_request", "/metadata", **started(b'"metadata": {' + b",".join(b'"%d": "v"' % number for number in range(1_000_000)) + b"}")),
    Case("a million unknown fields", 422, "invalid_request", "", **started(b",".join(b'"%d": 1' % number for number in range(1_000_000)))),
    Case("an unknown field with an endless name", **job("", **{"k" * 3_000_000: 1}))._replace(pointer=None),
    Case("an architecture with an endless name", **job("/architecture", architecture="r" * 3_000_000)),
    Case("a client id that is taken", **job("", client_id="bad-taken"))._replace(status=409, code="client_id_taken", pointer=None),
    Case("lr that underflows to zero", 422, "invalid_request", "/optimizer/lr", **started(b'"optimizer": {"type": "sgd", "lr": 1e-400}')),
    Case("a priority of 10,000 digits", 400, "malformed_json", **started(b'"priority": ' + b"1" * 10_000)),
    Case("a priority that is infinite", 422, "invalid_request", "/priority", **started(b'"priority": Infinity')),
    Case("a priority with a leading zero", 400, "malformed_json", **started(b'"priority": 01')),
    Case("a field twice, wrong at last", 422, "invalid_request", "/dataset", **started(b'"dataset": 3')),
    Case("a lone surrogate for a field", 422, "invalid_request", "/?", **started(b'"\\udfff": 1')),
    Case("a million surrogates", 422, "invalid_request", "/metadata/0", **started(b'"metadata": [' + b'"\\ud800",' * 1_000_000 + b"1]")),
    Case("a body that is a string", 422, "invalid_request", "", **raw(b'"x"')),
    Case("a body that is a number", 422, "invalid_request", "", **raw(b"3")),
    Case("20,000 brackets that are closed", 400, "malformed_json", **raw(b"[" * 20_000 + b"]" * 20_000)),
    Case("20,000 objects in each other", 400, "malformed_json", **raw(b'{"a":' * 20_000 + b"1" + b"}" * 20_000)),
    Case("20,000 brackets in a field", 400, "malformed_json", **started(b'"metadata": ' + b"[" * 20_000 + b"]" * 20_000)),
    Case("900 brackets around NaN", 422, "invalid_request", **raw(b"[" * 900 + b"NaN" + b"]" * 900)),
    Case("JSON in UTF-16", 400, "malformed_json", **raw("{}".encode("utf-16"))),
    Case("JSON in Latin-1", 400, "malformed_json", **raw('{"dataset": "é"}'.encode("latin-1"))),
    Case("JSON after a byte order mark", 400, "malformed_json", **raw(b"\xef\xbb\xbf{}")),
    Case("a comma at the end", 400, "malformed_json", **raw(b'{"dataset": "eating",}')),
    Case("two values", 400, "malformed_json", **raw(b"{} {}")),
    Case("JSON in single quotes", 400, "malformed_json", **raw(b"{'a': 1}")),
    Case("JSON with a comment", 400, "malformed_json", **raw(b"{} // x")),
    Case("a line break in a string", 400, "malformed_json", **raw(b'{"dataset": "a\nb"}')),
    Case("JSON in gzip", 400, "malformed_json", content=gzip.compress(b"{}"), headers={**JSON, "Content-Encoding": "gzip"}),
    Case("text/json", 415, "unsupported_media_type", content=b"{}", headers={"Content-Type": "text/json"}),
    Case("a type that begins like JSON", 415, "unsupported_media_type", content=b"{}", headers={"Content-Type": "application/jsonx"}),
    Case("a type that is none", 415, "unsupported_media_type", content=b"{}", headers={"Content-Type": ";"}),
    Case("an endless type", 415, "unsupported_media_type", content=b"{}", headers={"Content-Type": "x" * 5000}),
    Case("a form for a job", 415, "unsupported_media_type", files=[("dataset", (None, "eating"))]),
    Case("17 MiB without a length", 413, "body_too_large", headers=JSON, chunks=17),
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
