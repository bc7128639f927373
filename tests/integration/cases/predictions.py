"""Wrong questions to models."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import struct
from typing import Any

from tests.integration.cases.base import JSON, Case
from tests.integration.pictures import a_png, pixels

HUGE_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 20000, 20000) + b"\x08\x00\x00\x00\x00" + b"\0\0\0\0"


def predict(pointer: str, inputs: Any, model: str = "bad-images", **more: Any) -> dict[str, Any]:
    """Make a case of a prediction."""
    return {"path": f"/v1/models/{model}/predict", "status": 422, "code": "invalid_request", "pointer": pointer, "body": {"inputs": inputs, **more}}


PREDICTIONS = [
    Case("no such model", **predict("", [""], model="nobody"))._replace(status=404, code="model_not_found", pointer=None),
    Case("a job not yet trained", **predict("", [""], model="{waiting}"))._replace(status=409, code="model_not_ready", pointer=None),
    Case("no inputs", **predict("/inputs", [])),
    Case("inputs that are no list", **predict("/inputs", "hello")),
    Case("no field inputs", **predict("/inputs", []))._replace(body={}),
    Case("top_k zero", **predict("/top_k", [pixels(8)], top_k=0)),
    Case("top_k a string", **predict("/top_k", [pixels(8)], top_k="5")),
    Case("an unknown field", **predict("/topk", [pixels(8)], topk=5)),
    Case("pixels of a wrong height", **predict("/inputs/0", [pixels(8)[:-1]])),
    Case("pixels of a wrong width", **predict("/inputs/0/0", [[[0] * 9] * 8])),
    Case("a ragged row", **predict("/inputs/0/3", [[*pixels(8)[:3], [0] * 7, *pixels(8)[4:]]])),
    Case("a pixel too bright", **predict("/inputs/0/0/0", [[[256] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel that is a string", **predict("/inputs/0/0/0", [[["1"] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel that is true", **predict("/inputs/0/0/0", [[[True] + [0] * 7, *pixels(8)[1:]]])),
    Case("a text for an image", **predict("/inputs/0", ["a cat"])),
    Case("a number for an image", **predict("/inputs/0", [7])),
    Case("base64 that is none", **predict("/inputs/0/b64", [{"b64": "!"}])),
    Case("base64 of no image", **predict("/inputs/0/b64", [{"b64": "aGVsbG8="}])),
    Case("an object of something else", **predict("/inputs/0", [{"url": "http://example.org/a.png"}])),
    Case("bytes that are no image", **predict("/inputs/0", []))._replace(body=None, content=b"hello", headers={"Content-Type": "image/png"}),
    Case("an image that is cut", **predict("/inputs/0", []))._replace(body=None, content=a_png()[:60], headers={"Content-Type": "image/png"}),
    Case("a header of 20,000 × 20,000 pixels", **predict("/inputs/0", []))._replace(body=None, content=HUGE_PNG, headers={"Content-Type": "image/png"}),
    Case("an audio file", **predict("", []))._replace(status=415, code="unsupported_media_type", pointer=None, body=None, content=b"x", headers={"Content-Type": "audio/ogg"}),
    Case("a form without files", **predict("/file", []))._replace(body=None, files=[("a", (None, "b"))]),
    Case("NaN pixels", **predict("/inputs/0/0/0", []))._replace(body=None, content=b'{"inputs": [[[NaN]]]}', headers=JSON),
    Case("an image for a text", **predict("/inputs/0", [pixels(8)], model="bad-words")),
    Case("a number for a text", **predict("/inputs/0", [3], model="bad-words")),
    Case("a text with NUL", **predict("/inputs/0", ["a\0"], model="bad-words")),
    Case("a text with a lone surrogate", **predict("/inputs/0", [], model="bad-words"))._replace(body=None, content=b'{"inputs": ["\\ud800"]}', headers=JSON),
]
