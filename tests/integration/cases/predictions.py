"""Wrong questions to models."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import struct
import zlib
from typing import Any

from tests.integration.cases.base import JSON, Case
from tests.integration.pictures import a_picture, a_png, pixels, png_with

HUGE_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 20000, 20000) + b"\x08\x00\x00\x00\x00" + b"\0\0\0\0"


BOMB = zlib.compress(bytes(1 << 28), 9)
"""256 MiB of nothing."""


def predict(pointer: str, inputs: Any, model: str = "bad-images", **more: Any) -> dict[str, Any]:
    """Make a case of a prediction."""
    return {"path": f"/v1/models/{model}/predict", "status": 422, "code": "invalid_request", "pointer": pointer, "body": {"inputs": inputs, **more}}


def picture(content: bytes, kind: str = "png", pointer: str = "/inputs/0") -> dict[str, Any]:
    """Make a case of a picture sent as it is."""
    return {**predict(pointer, []), "body": None, "content": content, "headers": {"Content-Type": f"image/{kind}"}}


def written(inputs: bytes, model: str = "bad-images") -> dict[str, Any]:
    """Make a case of inputs that are written out: what no program would write."""
    return {**predict("/inputs/0", [], model=model), "body": None, "content": b'{"inputs": [' + inputs + b"]}", "headers": JSON}


PROBABILITIES: list[Any] = ["best", None, 1, True, []]
EVIDENCE: list[Any] = [0, 21, "3", True, 1.5]
THRESHOLDS: list[Any] = [-0.1, 1.1, "0.5", True, []]

PREDICTIONS = [
    Case("no such model", **predict("", [""], model="nobody"))._replace(status=404, code="model_not_found", pointer=None),
    Case("a job not yet trained", **predict("", [""], model="{queued}"))._replace(status=409, code="model_not_ready", pointer=None),
    Case("no inputs", **predict("/inputs", [])),
    Case("inputs that are no list", **predict("/inputs", "hello")),
    Case("no field inputs", **predict("/inputs", []))._replace(body={}),
    *(Case(f"probabilities: {value!r}", **predict("/probabilities", [pixels(8)], probabilities=value)) for value in PROBABILITIES),
    *(Case(f"abstain below: {value!r}", **predict("/abstain_below", [pixels(8)], abstain_below=value)) for value in THRESHOLDS),
    *(Case(f"a deadline of {value!r}", **predict("/deadline_ms", [pixels(8)], deadline_ms=value)) for value in (0, -1, 60_001, 1.5, "100", True)),
    *(Case(f"evidence: {value!r}", **predict("/evidence", [pixels(8)], evidence=value)) for value in EVIDENCE),
    Case("evidence in a session", **predict("/evidence", ["I"], model="bad-words", evidence=1, session="bad-evidence")),
    Case("evidence for 33 inputs", **predict("/evidence", ["I"] * 33, model="bad-words", evidence=1)),
    Case("evidence for 33 inputs, in the address", **predict("/query/evidence", ["I"] * 33, model="bad-words"))._replace(path="/v1/models/bad-words/predict?evidence=1"),
    Case("a picture with too much evidence", **picture(a_png(), pointer="/query/evidence"))._replace(path="/v1/models/bad-images/predict?evidence=21"),
    Case("a value to abstain from", **predict("/abstain_below", [{"hour": 3, "sky": "rain", "day": "2026-01-01", "wind": 1.5}], model="bad-rows", abstain_below=0.5)),
    Case("a picture with wrong probabilities", **picture(a_png(), pointer="/query/probabilities"))._replace(path="/v1/models/bad-images/predict?probabilities=best"),
    Case("a picture with a wrong threshold", **picture(a_png(), pointer="/query/abstain_below"))._replace(path="/v1/models/bad-images/predict?abstain_below=2"),
    Case("an explanation of nothing", **picture(a_png(), pointer="/query/explain"))._replace(path="/v1/models/bad-images/predict?explain=all"),
    Case("the picture that a model of words saw", **predict("/query/explain", ["I like"], model="bad-words"))._replace(path="/v1/models/bad-words/predict?explain=input"),
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
    Case("a job that was cancelled before it began", **predict("", [""], model="{cancelled}"))._replace(status=409, code="model_never_trained", pointer=None),
    Case("a checkpoint that does not exist", **predict("", [""], model="ckpt_1"))._replace(status=404, code="model_not_found", pointer=None),
    Case("a version that does not exist", **predict("", [""], model="bad-images@9"))._replace(status=404, code="model_not_found", pointer=None),
    Case("inputs that are null", **predict("/inputs", None)),
    Case("inputs that are an object", **predict("/inputs", {"0": "hello"})),
    Case("inputs that are true", **predict("/inputs", True)),
    Case("1,025 inputs", **predict("/inputs", ["a"] * 1025, model="bad-words")),
    Case("top_k null", **predict("/top_k", [pixels(8)], top_k=None)),
    Case("top_k a fraction", **predict("/top_k", [pixels(8)], top_k=1.5)),
    Case("top_k beyond", **predict("/top_k", [pixels(8)], top_k=1001)),
    Case("top_k of 31 digits", **predict("/top_k", [pixels(8)], top_k=10**30)),
    Case("special tokens that are a number", **predict("/special_tokens", ["I"], model="bad-words", special_tokens=1)),
    Case("top_k zero in the query", **picture(a_png(), pointer="/query/top_k"))._replace(path="/v1/models/bad-images/predict?top_k=0"),
    Case("a body that is a list of inputs", **predict("", []))._replace(body=["I"]),
    Case("no JSON to predict from", **predict("", []))._replace(status=400, code="malformed_json", pointer=None, body=None, content=b"{", headers=JSON),
    Case("20,000 brackets for an input", **written(b"[" * 20_000 + b"]" * 20_000))._replace(status=400, code="malformed_json", pointer=None),
    Case("100 brackets for an input", **written(b"[" * 100 + b"]" * 100)),
    Case("100 brackets for a text", **written(b"[" * 100 + b"]" * 100, model="bad-words")),
    Case("an image that is null", **predict("/inputs/0", [None])),
    Case("an image that is an empty list", **predict("/inputs/0", [[]])),
    Case("an image of empty rows", **predict("/inputs/0/0", [[[]] * 8])),
    Case("a row that is a number", **predict("/inputs/0/0", [[0, *pixels(8)[1:]]])),
    Case("a pixel below black", **predict("/inputs/0/0/0", [[[-1] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel that is a fraction", **predict("/inputs/0/0/0", [[[0.5] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel that is null", **predict("/inputs/0/0/0", [[[None] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel of 31 digits", **predict("/inputs/0/0/0", [[[10**30] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel of 1e300", **predict("/inputs/0/0/0", [[[1e300] + [0] * 7, *pixels(8)[1:]]])),
    Case("a pixel that is a list", **predict("/inputs/0/0/0", [[[[0]] + [0] * 7, *pixels(8)[1:]]])),
    Case("a colour where grey is wanted", **predict("/inputs/0/0/0", [[[[0, 0, 0]] * 8] * 8])),
    Case("the second image wrong", **predict("/inputs/1", [pixels(8), "a cat"])),
    Case("base64 that is a number", **predict("/inputs/0/b64", [{"b64": 3}])),
    Case("base64 that is empty", **predict("/inputs/0/b64", [{"b64": ""}])),
    Case("base64 of a cut picture", **predict("/inputs/0/b64", [{"b64": "iVBORw0KGgo="}])),
    Case("an object with more than base64", **predict("/inputs/0", [{"b64": "aGVsbG8=", "mode": "L"}])),
    Case("an empty picture", **picture(b"")),
    Case("a PNG that is said to be a JPEG and is cut", **picture(a_png()[:60], "jpeg")),
    Case("a picture of a format not taken", **picture(a_picture("RGB", "TIFF"))),
    Case("a vector drawing", **picture(b'<svg xmlns="http://www.w3.org/2000/svg"/>')),
    Case("a vector drawing by its type", **picture(b"<svg/>", "svg+xml"))._replace(status=415, code="unsupported_media_type", pointer=None),
    Case("a PostScript picture", **picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")),
    Case("a PNG without data", **picture(a_png()[:33])),
    Case("a PNG whose text is a bomb", **picture(png_with(b"zTXt", b"a\0\0" + BOMB))),
    Case("a PNG whose colour profile is a bomb", **picture(png_with(b"iCCP", b"a\0\0" + BOMB))),
    Case("a PNG of more pixels than allowed", **picture(a_picture("1", "PNG", (10_000, 5001)))),
    Case("a JPEG of more pixels than allowed", **picture(a_picture("L", "JPEG", (10_000, 5001)), "jpeg")),
    Case("a GIF of more pixels than its data", **picture(b"GIF89a\xff\xff\xff\xff\0\0\0" + b",\0\0\0\0\xff\xff\xff\xff\0\x02\0;", "gif")),
    Case("a picture that is no file in a form", **predict("/file", []))._replace(body=None, files=[("file", (None, "hello"))]),
    Case("a file in a form that is no picture", **predict("/inputs/0", []))._replace(body=None, files=[("file", ("../../a.png", b"hello"))]),
    Case("the second file in a form wrong", **predict("/inputs/1", []))._replace(body=None, files=[("file", ("a.png", a_png())), ("file", ("b.png", b""))]),
    Case("a form without its boundary", **predict("", []))._replace(status=400, code="bad_request", pointer=None, body=None, content=b"--x", headers={"Content-Type": "multipart/form-data"}),
    Case("no content type to predict from", **predict("", []))._replace(status=415, code="unsupported_media_type", pointer=None, body=None, content=b"{}"),
    Case("a picture for a text", **picture(a_png()))._replace(path="/v1/models/bad-words/predict"),
    Case("null for a text", **predict("/inputs/0", [None], model="bad-words")),
    Case("an object for a text", **predict("/inputs/0", [{"text": "I"}], model="bad-words")),
    Case("the third text wrong", **predict("/inputs/2", ["I", "you", 3], model="bad-words")),
    Case("17 MiB to predict from", **predict("", []))._replace(status=413, code="body_too_large", pointer=None, body=None, headers=JSON, chunks=17),
]
