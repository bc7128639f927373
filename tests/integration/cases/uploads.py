"""Wrong uploads."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import gzip
import json
import struct
from typing import Any

from tests.integration.cases.base import JSON, Case, raw
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
    Case("a file that validates without words", **upload(SPEC_TEXT, 422, "invalid_request", "/validation_file", file=b"a b\nc d", validation_file=b" \n")),
    Case("a file that validates in another encoding", **upload(SPEC_TEXT, 422, "invalid_request", "/validation_file", file=b"a b\nc d", validation_file=b"e\xff f")),
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
    Case("a spec that is null", **upload("null", 422, "invalid_request", "", file=b"a b\nc d")),
    Case("a spec that is a list", **upload("[]", 422, "invalid_request", "", file=b"a b\nc d")),
    Case("a spec without a type", **upload('{"name": "x"}', 422, "invalid_request", "/type", file=b"a b\nc d")),
    Case("a spec whose type is a number", **upload('{"name": "x", "type": 3}', 422, "invalid_request", "/type", file=b"a b\nc d")),
    Case("a spec without a name", **upload('{"type": "text"}', 422, "invalid_request", "/name", file=b"a b\nc d")),
    Case("a spec with an unknown field", **upload('{"name": "x", "type": "text", "sequnces": "lines"}', 422, "invalid_request", "/sequnces", file=b"a b\nc d")),
    Case("a spec with unknown sequences", **upload('{"name": "x", "type": "text", "sequences": "words"}', 422, "invalid_request", "/sequences", file=b"a b\nc d")),
    Case("a spec of 20,000 brackets", **upload("[" * 20_000, 400, "malformed_json", "", file=b"a b\nc d"))._replace(pointer=None),
    Case("a spec of 2 MiB in a file", 422, "invalid_request", "/spec", path="/v1/datasets", files=[("spec", ("spec.json", b" " * (2 << 20))), ("file", ("file", b"a b\nc d"))]),
    Case("a spec of 2 MiB in a field", 400, "bad_request", path="/v1/datasets", files=[("spec", (None, b" " * (2 << 20))), ("file", ("file", b"a b\nc d"))]),
    Case("a name with a path", **upload('{"name": "../../etc/passwd", "type": "text"}', 422, "invalid_request", "/name", file=b"a b\nc d")),
    Case("a name like an id", **upload('{"name": "ds_1", "type": "text"}', 422, "invalid_request", "/name", file=b"a b\nc d")),
    Case("a name with NUL", **upload('{"name": "a\\u0000", "type": "text"}', 422, "invalid_request", "/name", file=b"a b\nc d")),
    Case("a name of 101 characters", **upload('{"name": "' + "x" * 101 + '", "type": "text"}', 422, "invalid_request", "/name", file=b"a b\nc d")),
    Case("a licence of 600 characters", **upload('{"name": "x", "type": "text", "licence": "' + "x" * 600 + '"}', 422, "invalid_request", "/licence", file=b"a b\nc d")),
    Case("other data under a name that is taken", **upload('{"name": "bad-used", "type": "text"}', 409, "dataset_name_taken", "", file=b"other words\nhere they are"))._replace(pointer=None),
    Case("other options under a name that is taken", **upload('{"name": "bad-used", "type": "text", "sequences": "stream"}', 409, "dataset_name_taken", "", file=b"one two three four\nfive six seven eight nine\nten eleven"))._replace(pointer=None),
    Case("a stream of nine words", **upload('{"name": "x", "type": "text", "sequences": "stream"}', 422, "invalid_request", "/file", file=b"one two three four five six seven eight nine")),
    Case("a text of equal lines", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=b"same line\n" * 50)),
    Case("a text that is gzip", **upload(SPEC_TEXT, 422, "invalid_request", "/file", file=gzip.compress(b"a b\nc d"))),
    Case("a file with a path for a name and no words in it", 422, "invalid_request", "/file", path="/v1/datasets", files=[("spec", (None, SPEC_TEXT)), ("file", ("../../../etc/passwd", b" "))]),
    Case("nine parts", 400, "bad_request", path="/v1/datasets", files=[("spec", (None, SPEC_TEXT)), *((f"file{number}", ("f", b"a")) for number in range(9))]),
    Case("a form that ends early", 422, "invalid_request", "/spec", path="/v1/datasets", content=b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n{', headers={"Content-Type": "multipart/form-data; boundary=x"}),
    Case("a form with a part without a name", 400, "bad_request", path="/v1/datasets", content=b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}),
    Case("an empty form", 422, "invalid_request", "/spec", path="/v1/datasets", content=b"--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}),
    Case("a form with an endless boundary", 400, "bad_request", path="/v1/datasets", content=b"--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=" + "x" * 5000}),
    Case("IDX of shorts", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">4I", 0xB03, 2, 1, 1) + b"abcd", labels=idx_labels([0, 1]))),
    Case("IDX of two dimensions", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">3I", 0x802, 2, 2) + b"abcd", labels=idx_labels([0, 1]))),
    Case("IDX of 255 dimensions", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">I", 0x8FF) + b"\0\0\0\1" * 255 + b"a", labels=idx_labels([0, 1]))),
    Case("IDX of five channels", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">5I", 0x804, 2, 1, 1, 5) + bytes(10), labels=idx_labels([0, 1]))),
    Case("IDX of no image", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">4I", 0x803, 0, 6, 6), labels=idx_labels([]))),
    Case("IDX of images without a pixel", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">4I", 0x803, 2, 0, 6), labels=idx_labels([0, 1]))),
    Case("IDX whose header is cut", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=struct.pack(">2I", 0x803, 2), labels=idx_labels([0, 1]))),
    Case("IDX gzip of another file in gzip", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=gzip.compress(gzip.compress(idx_images(2))), labels=idx_labels([0, 1]))),
    Case("IDX gzip with a wrong checksum", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=gzip.compress(idx_images(4))[:-8] + bytes(8), labels=idx_labels([0, 1, 0, 1]))),
    Case("IDX gzip that is no more than its magic", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=b"\x1f\x8b", labels=idx_labels([0, 1]))),
    Case("fewer labels than images", **upload(SPEC_IDX, 422, "invalid_request", "/labels", images=idx_images(4), labels=idx_labels([0, 1]))),
    Case("labels of one class", **upload(SPEC_IDX, 422, "invalid_request", "/labels", images=idx_images(4), labels=idx_labels([0] * 4))),
    Case("labels beyond the classes", **upload('{"name": "bad-idx", "type": "idx", "classes": ["a", "b"]}', 422, "invalid_request", "/labels", images=idx_images(4), labels=idx_labels([0, 1, 2, 0]))),
    Case("test labels beyond the classes", **upload('{"name": "bad-idx", "type": "idx", "classes": ["a", "b"]}', 422, "invalid_request", "/test_labels", images=idx_images(4), labels=idx_labels([0, 1, 1, 0]), test_images=idx_images(1), test_labels=idx_labels([7]))),
    Case("one class", **upload('{"name": "bad-idx", "type": "idx", "classes": ["a"]}', 422, "invalid_request", "/classes", images=idx_images(4), labels=idx_labels([0] * 4))),
    Case("two classes of one name", **upload('{"name": "bad-idx", "type": "idx", "classes": ["a", "a"]}', 422, "invalid_request", "/classes", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]))),
    Case("classes that are a string", **upload('{"name": "bad-idx", "type": "idx", "classes": "ab"}', 422, "invalid_request", "/classes", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]))),
    Case("a class that is a number", **upload('{"name": "bad-idx", "type": "idx", "classes": ["a", 1]}', 422, "invalid_request", "/classes/1", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]))),
    Case("10,001 classes", **upload(json.dumps({"name": "bad-idx", "type": "idx", "classes": [str(number) for number in range(10_001)]}), 422, "invalid_request", "/classes", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]))),
    Case("no class with two examples", **upload(SPEC_IDX, 422, "invalid_request", "/images", images=idx_images(2), labels=idx_labels([0, 1]))),
    Case("test images without labels", **upload(SPEC_IDX, 422, "invalid_request", "/test_labels", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]), test_images=idx_images(1))),
    Case("test images of another size", **upload(SPEC_IDX, 422, "invalid_request", "/test_images", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]), test_images=idx_images(1, size=7), test_labels=idx_labels([0]))),
    Case("a file that IDX does not have", **upload(SPEC_IDX, 422, "invalid_request", "/validation", images=idx_images(4), labels=idx_labels([0, 1, 0, 1]), validation=b"")),
    Case("IDX in a JSON body", 422, "invalid_request", "/type", path="/v1/datasets", body={"name": "x", "type": "idx", "text": "a b\nc d"}),
    Case("a JSON body without text", 422, "invalid_request", "/text", path="/v1/datasets", body={"name": "x", "type": "text"}),
    Case("a JSON text with NUL", 422, "invalid_request", "/text", path="/v1/datasets", body={"name": "x", "type": "text", "text": "a\0b\nc d"}),
    Case("a JSON text that is empty", 422, "invalid_request", "/file", path="/v1/datasets", body={"name": "x", "type": "text", "text": ""}),
    Case("a dataset that is no JSON", 400, "malformed_json", path="/v1/datasets", **raw(b"{")),
    Case("a dataset in XML", 415, "unsupported_media_type", path="/v1/datasets", content=b"<a/>", headers={"Content-Type": "application/xml"}),
    Case("17 MiB of text in JSON", 413, "body_too_large", path="/v1/datasets", headers=JSON, chunks=17),
]
