"""Wrong uploads."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import gzip
import struct
from typing import Any

from tests.integration.cases.base import Case
from tests.integration.pictures import idx_images, idx_labels

SPEC_IDX = '{"name": "bad-idx", "type": "idx"}'
SPEC_TEXT = '{"name": "bad-text", "type": "text"}'
FORM = b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n+2AA-\r\n--x--\r\n'


def upload(spec: str, status: int, code: str, pointer: str, **files: bytes) -> dict[str, Any]:
    """Make a case of an upload."""
    parts: list[tuple[str, Any]] = [("spec", (None, spec))]
    parts += [(role, (role, content)) for role, content in files.items()]
    return {"path": "/v1/datasets", "status": status, "code": code, "pointer": pointer, "files": parts}


UPLOADS = [
    Case("an empty text", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b"")),
    Case("a text without words", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b" \n\n ")),
    Case("a text of one line", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b"one line")),
    Case("a text that is no UTF-8", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b"\xff\xfe\x00a\nb")),
    Case("a text with NUL", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b"a\0b\nc d")),
    Case("a text without its file", **upload(SPEC_TEXT, 422, "invalid_request", "/file")),
    Case("a text with another file", **upload(SPEC_TEXT, 422, "invalid_request", "/images", file=b"a b\nc d", images=b"")),
    Case("an unknown type", **upload('{"name": "x", "type": "txt"}', 422, "invalid_request", "/type", file=b"a")),
    Case("a name that is none", **upload('{"name": "a b", "type": "text"}', 422, "invalid_request", "/name", file=b"a")),
    Case("a spec that is no JSON", **upload("name=x", 400, "malformed_json", "", file=b"a"))._replace(pointer=None),
    Case("the name of a built-in dataset", **upload('{"name": "eating", "type": "text"}', 409, "dataset_name_taken", "", file=b"a b\nc d"))._replace(pointer=None),
    Case("IDX with a wrong magic", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=b"PNG!" * 9, labels=idx_labels([0, 1]))),
    Case("IDX that is empty", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=b"", labels=idx_labels([0, 1]))),
    Case("IDX that is cut", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=idx_images(4)[:-1], labels=idx_labels([0, 1, 0, 1]))),
    Case("IDX with more than declared", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=idx_images(4) + b"x", labels=idx_labels([0, 1, 0, 1]))),
    Case("IDX gzip that is cut", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=gzip.compress(idx_images(4))[:-9], labels=idx_labels([0, 1, 0, 1]))),
    Case("IDX that declares terabytes", **upload(SPEC_IDX, 413, "too_large", "", images=struct.pack(">4I", 0x803, 2**31, 2**16, 2**16), labels=idx_labels([0, 1])))._replace(pointer=None),
    Case("more labels than images", **upload(SPEC_IDX, 422, "invalid_request", "/labels", images=idx_images(3), labels=idx_labels([0, 1, 0, 1]))),
    Case("no labels", **upload(SPEC_IDX, 422, "invalid_request", "/labels", images=idx_images(3))),
    Case("labels where images belong", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=idx_labels([0, 1]), labels=idx_labels([0, 1]))),
    Case("no spec", 422, "invalid_request", "/spec", path="/v1/datasets", files=[("file", ("file", b"a b\nc d"))]),
    Case("two specs", 422, "invalid_request", "/spec", path="/v1/datasets", files=[("spec", (None, SPEC_TEXT))] * 2 + [("file", ("file", b"a b"))]),
    Case("the same file twice", 422, "invalid_request", "/file", path="/v1/datasets", files=[("spec", (None, SPEC_TEXT)), ("file", ("a", b"a b")), ("file", ("b", b"a b"))]),
    Case("a dataset as plain text", 415, "unsupported_media_type", path="/v1/datasets", content=b"x", headers={"Content-Type": "text/plain"}),
    Case("a JSON text that is a number", 422, "invalid_request", "/text", path="/v1/datasets", body={"name": "x", "type": "text", "text": 3}),
    Case("a text as a field of the form", 422, "invalid_request", "/file", path="/v1/datasets", files=[("spec", (None, SPEC_TEXT)), ("file", (None, b"a b\nc d"))]),
    Case("a form in a charset that decodes nothing", 415, "unsupported_media_type", path="/v1/datasets", content=FORM, headers={"Content-Type": "multipart/form-data; boundary=x; charset=undefined"}),
    Case("a form in a charset with lone surrogates", 415, "unsupported_media_type", path="/v1/datasets", content=FORM, headers={"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}),
    Case("a form that is broken", 400, "bad_request", path="/v1/datasets", content=b"--x", headers={"Content-Type": "multipart/form-data"}),
]
