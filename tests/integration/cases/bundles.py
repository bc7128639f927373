"""Models that leave, and models that come."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

from functools import cache
from typing import Any

import torch
from safetensors.torch import save

from service.catalogue import Catalogue
from service.domain.bundles import BundleConfig, Origin
from service.domain.components import Component
from service.domain.shapes import TextShape
from service.store.blobs import sha256_of
from tests.api.broken_bundles import packed
from tests.integration.cases.base import Case, get

ZIP = {"Content-Type": "application/zip"}
A_ZIP = {"Accept": "application/zip"}


@cache
def bundle(*, bias: float = 0.0) -> bytes:
    """Make a small model of texts, without training one."""
    words = ["<unk>", "<eos>", "rice", "soup"]
    preparation = b'{"lowercase": true, "sequences": "lines", "vocabulary": ["<unk>", "<eos>", "rice", "soup"]}'
    architecture = Component.model_validate({"type": "rnn", "hidden_size": 3})
    shape = TextShape(vocabulary_size=len(words))
    state = Catalogue.installed().build_model(architecture, shape).state_dict()
    weights = save({**state, "b_y": torch.full((len(words),), bias)})
    config = BundleConfig(
        task="next_word",
        architecture=architecture,
        shape=shape,
        dataset="meals",
        origin=Origin(id="mdl_1", trainyard="0.1.0"),
        parameters=0,
        weights_sha256=sha256_of(weights),
        preparation_sha256=sha256_of(preparation),
    )
    files = {"config.json": config.model_dump_json().encode(), "preparation.json": preparation, "model.safetensors": weights}
    return packed(files)


def form(*parts: tuple[str, Any]) -> dict[str, Any]:
    """Make a case of an import as a form."""
    return {"path": "/v1/models", "files": [*parts]}


def zipped(content: bytes, name: str = "bad-import") -> dict[str, Any]:
    """Make a case of an import as it is."""
    return {"path": f"/v1/models?name={name}", "content": content, "headers": ZIP}


def spec(text: str) -> tuple[str, Any]:
    return ("spec", (None, text))


FILE = ("file", ("model.zip", b"PK"))
BUNDLES = [
    Case("the download of an alias that nobody gave", 404, "model_not_found", **get("/v1/models/bad-champions@nobody/download")),
    Case("the download of a job not yet trained", 409, "model_not_ready", **get("/v1/models/{queued}/download")),
    Case("a download in a format that is none", 422, "invalid_request", "/query/format", **get("/v1/models/bad-words/download?format=pickle")),
    Case("an import as plain text", 415, "unsupported_media_type", path="/v1/models?name=x", content=b"x", headers={"Content-Type": "text/plain"}),
    Case("an import without a name", 422, "invalid_request", "/query/name", path="/v1/models", content=b"x", headers=ZIP),
    Case("an import with a name that is none", 422, "invalid_request", "/query/name", **zipped(b"x", "a%20b")),
    Case("an import with a name like an id", 422, "invalid_request", "/query/name", **zipped(b"x", "mdl_1")),
    Case("an import of nothing", 422, "invalid_request", "/file", **zipped(b"")),
    Case("an import of what is no zip", 422, "invalid_request", "/file", **zipped(b"model")),
    Case("an import of an empty zip", 422, "invalid_request", "/file", **zipped(packed({}))),
    Case("an import of a zip that leads out of it", 422, "invalid_request", "/file", **zipped(packed({"../evil": b"x"}))),
    Case("an import of a pickle", 422, "invalid_request", "/file", **zipped(packed({"model.pt": b"x"}))),
    Case("an import of a form without a spec", 422, "invalid_request", "/spec", **form(FILE)),
    Case("an import of a form with two specs", 422, "invalid_request", "/spec", **form(spec('{"name": "x"}'), spec('{"name": "x"}'))),
    Case("an import of a form without a file", 422, "invalid_request", "/file", **form(spec('{"name": "x"}'))),
    Case("an import of a form with a file as a field", 422, "invalid_request", "/file", **form(spec('{"name": "x"}'), ("file", (None, b"PK")))),
    Case("an import of a form with another file", 422, "invalid_request", "/weights", **form(spec('{"name": "x"}'), ("weights", ("a", b"PK")))),
    Case("an import of a form whose spec has no name", 422, "invalid_request", "/name", **form(spec("{}"), FILE)),
    Case("an import of a form whose spec is no JSON", 400, "malformed_json", **form(spec("name=x"), FILE)),
    Case("an import of a form whose spec says more", 422, "invalid_request", "/version", **form(spec('{"name": "x", "version": 3}'), FILE)),
    Case("an import of a form with two names", 422, "invalid_request", "/name", path="/v1/models?name=y", files=[spec('{"name": "x"}'), FILE]),
    Case("an import of three parts", 400, "bad_request", **form(spec('{"name": "x"}'), FILE, FILE, FILE)),
    Case("an import for the name of a model of another task", 409, "model_task_differs", **zipped(bundle(), "bad-images")),
    Case("an import with a key that is none", 400, "idempotency_key_malformed", "/header/Idempotency-Key", path="/v1/models?name=x", content=b"x", headers={**ZIP, "Idempotency-Key": "a b"}),
]

BUNDLES_TAKEN = [
    Case("a download", 200, None, **get("/v1/models/bad-words/download"), headers=A_ZIP),
    Case("a download by an alias", 200, None, **get("/v1/models/bad-champions@champion/download"), headers=A_ZIP),
    Case("the download of a job", 200, None, **get("/v1/models/{succeeded}/download"), headers=A_ZIP),
    Case("the download of a checkpoint", 200, None, **get("/v1/models/{checkpoint}/download"), headers=A_ZIP),
    Case("a download that has not changed", 304, None, **get("/v1/models/bad-words/download"), headers={"If-None-Match": "*"}),
    Case("a download as ONNX", 200, None, **get("/v1/models/bad-images/download?format=onnx"), headers={"Accept": "application/octet-stream"}),
    Case("an import", 201, None, **zipped(bundle(), "{new}")),
    Case("an import as a form", 201, None, **form(spec('{"name": "{new}", "description": "meals"}'), ("file", ("model.zip", bundle(bias=1.0))))),
    Case("an import that may be new", 201, None, **zipped(bundle(bias=2.0), "bad-brought")),
    Case("an import that is there already", 200, None, **zipped(bundle(bias=2.0), "bad-brought")),
]
