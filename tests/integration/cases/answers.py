"""What is legal, though it may look odd: every documented good answer, and some conflicts."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import base64
from typing import Any

from tests.integration.cases.base import Case, delete, get
from tests.integration.pictures import a_picture, a_png, pixels, png_with

A_JOB = {"dataset": "eating", "architecture": "rnn", "training": {"device": "mps"}}
WORDS = b"one two three four\nfive six seven eight nine\nten eleven"
NEW_SPEC = '{"name": "{new}", "type": "text"}'


def upload(spec: str, file_name: str = "a.txt", **more: Any) -> dict[str, Any]:
    """Make a case of an upload that is taken."""
    return {"path": "/v1/datasets", "files": [("spec", (None, spec)), ("file", (file_name, WORDS))], **more}


def picture(content: bytes, kind: str = "png") -> dict[str, Any]:
    """Make a case of a picture that a model is asked about."""
    return {"path": "/v1/models/bad-images/predict", "content": content, "headers": {"Content-Type": f"image/{kind}"}}


def ask(*inputs: Any, model: str = "bad-words", **more: Any) -> dict[str, Any]:
    """Make a case of inputs that a model is asked about."""
    return {"path": f"/v1/models/{model}/predict", "body": {"inputs": [*inputs], **more}}


ANSWERS = [
    Case("alive", 200, None, **get("/livez")),
    Case("ready", 200, None, **get("/readyz")),
    Case("the system", 200, None, **get("/v1/system")),
    Case("architectures", 200, None, **get("/v1/architectures")),
    Case("optimizers", 200, None, **get("/v1/optimizers")),
    Case("schedules", 200, None, **get("/v1/schedules")),
    Case("tasks", 200, None, **get("/v1/tasks")),
    Case("recipes", 200, None, **get("/v1/recipes")),
    Case("a recipe", 200, None, **get("/v1/recipes/clothes")),
    Case("datasets", 200, None, **get("/v1/datasets")),
    Case("a dataset", 200, None, **get("/v1/datasets/eating")),
    Case("a new dataset", 201, None, **upload(NEW_SPEC)),
    Case("a new dataset from a file with a path for a name", 201, None, **upload(NEW_SPEC, "../../../etc/passwd")),
    Case("a new dataset from a file called NUL", 201, None, **upload(NEW_SPEC, "a%00b")),
    Case("a dataset that is there already", 200, None, **upload('{"name": "bad-used", "type": "text"}')),
    Case("deletion of a dataset", 204, None, **delete("/v1/datasets/{uploaded}")),
    Case("jobs", 200, None, **get("/v1/jobs")),
    Case("jobs of a kind that is none", 200, None, **get("/v1/jobs?kind=singing")),
    Case("more jobs than a page has, in 30 digits", 200, None, **get("/v1/jobs?limit=" + "9" * 30)),
    Case("a job", 202, None, body=A_JOB),
    Case("a job in JSON of a special type", 202, None, body=A_JOB, headers={"Content-Type": "application/vnd.trainyard+json; charset=utf-8"}),
    Case("a job with the smallest step size", 202, None, body={**A_JOB, "optimizer": {"type": "sgd", "lr": 5e-324}}),
    Case("a plan", 200, None, path="/v1/jobs?validate_only=true", body=A_JOB),
    Case("reading a job", 200, None, **get("/v1/jobs/{queued}")),
    Case("reading a job with a wish that is none", 200, None, **get("/v1/jobs/{queued}"), headers={"Prefer": "wait=-1, sing"}),
    Case("a job that has not changed", 304, None, **get("/v1/jobs/{queued}"), headers={"If-None-Match": "*"}),
    Case("pausing a job", 200, None, path="/v1/jobs/{queued}/pause"),
    Case("resuming a job", 200, None, path="/v1/jobs/{paused}/resume"),
    Case("cancelling a job", 200, None, path="/v1/jobs/{queued}/cancel"),
    Case("cancelling a job twice", 200, None, path="/v1/jobs/{cancelled}/cancel"),
    Case("retrying a job", 200, None, path="/v1/jobs/{cancelled}/retry"),
    Case("deletion of a job", 204, None, **delete("/v1/jobs/{paused}")),
    Case("metrics", 200, None, **get("/v1/jobs/{succeeded}/metrics")),
    Case("metrics as pages take them", 200, None, **get("/v1/jobs/{succeeded}/metrics"), headers={"Accept": "text/html"}),
    Case("metrics that are none", 200, None, **get("/v1/jobs/{succeeded}/metrics?name=singing")),
    Case("checkpoints", 200, None, **get("/v1/jobs/{succeeded}/checkpoints")),
    Case("a certificate", 200, None, **get("/v1/jobs/{succeeded}/certificate")),
    Case("the certificate of a job that has not begun", 200, None, **get("/v1/jobs/{queued}/certificate")),
    Case("models", 200, None, **get("/v1/models")),
    Case("a model", 200, None, **get("/v1/models/bad-images")),
    Case("a version", 200, None, **get("/v1/models/bad-images@1")),
    Case("versions", 200, None, **get("/v1/models/bad-images/versions")),
    Case("a picture as the model sees it", 200, None, path="/v1/models/bad-images/predict?explain=input", content=a_png(), headers={"Content-Type": "image/png"}),
    Case("a picture and its evidence", 200, None, path="/v1/models/bad-images/predict?evidence=2", content=a_png(), headers={"Content-Type": "image/png"}),
    Case("a row and its evidence", 200, None, **ask({"hour": 3, "sky": "rain", "day": "2026-01-01", "wind": 1.5}, model="bad-rows", evidence=20)),
    Case("a word and its evidence", 200, None, **ask("I like", evidence=3)),
    Case("a word", 200, None, **ask("I")),
    Case("no word", 200, None, **ask("")),
    Case("an unknown word of 100,000 letters", 200, None, **ask("x" * 100_000)),
    Case("100,000 words", 200, None, **ask("I like " * 50_000)),
    Case("signs of all kinds", 200, None, **ask("\u202e\u200b\U0001f600\x7f\ufffe <script> '; DROP TABLE jobs")),
    Case("1,024 words", 200, None, **ask(*["I"] * 1024)),
    Case("more candidates than there are", 200, None, **ask("I", top_k=1000)),
    Case("pixels", 200, None, **ask(pixels(8), model="bad-images")),
    Case("pixels as numbers with a point", 200, None, **ask([[255.0] * 8] * 8, model="bad-images")),
    Case("base64 as browsers write it", 200, None, **ask({"b64": "data:image/png;base64," + base64.b64encode(a_png()).decode()}, model="bad-images")),
    Case("a PNG of one bit", 200, None, **picture(a_picture("1", "PNG"))),
    Case("a PNG with a palette", 200, None, **picture(a_picture("P", "PNG"))),
    Case("a PNG of 16 bits", 200, None, **picture(a_picture("I;16", "PNG"))),
    Case("a PNG that one can see through", 200, None, **picture(a_picture("RGBA", "PNG"))),
    Case("a grey PNG that one can see through", 200, None, **picture(a_picture("LA", "PNG"))),
    Case("a PNG of one pixel", 200, None, **picture(a_png((1, 1)))),
    Case("a PNG of one row", 200, None, **picture(a_png((10_000, 1)))),
    Case("a PNG that moves", 200, None, **picture(a_picture("RGB", "PNG", frames=5))),
    Case("a PNG with a damaged EXIF", 200, None, **picture(png_with(b"eXIf", b"II*\0\xff\xff\xff\xff"))),
    Case("a PNG that is said to be a JPEG", 200, None, **picture(a_png(), "jpeg")),
    Case("a GIF that moves", 200, None, **picture(a_picture("P", "GIF", frames=5), "gif")),
    Case("a WebP that moves", 200, None, **picture(a_picture("RGB", "WEBP", frames=5), "webp")),
    Case("a JPEG in CMYK", 200, None, **picture(a_picture("CMYK", "JPEG"), "jpeg")),
    Case("a bitmap", 200, None, **picture(a_picture("RGB", "BMP"), "bmp")),
    Case("a PNG of 49 million pixels", 200, None, **picture(a_picture("1", "PNG", (7000, 7000)))),
]
