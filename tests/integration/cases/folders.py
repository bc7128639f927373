"""Zips of pictures, right and wrong."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import struct
import zipfile
from io import BytesIO
from typing import Any

from tests.integration.cases.base import Case
from tests.integration.pictures import a_picture, a_png

SPEC = '{"name": "bad-folder", "type": "image_folder", "height": 8, "width": 8}'
PETS = {"cats/1.png": a_png(), "cats/2.png": a_png(), "dogs/1.png": a_png()}


def packed(files: dict[str, bytes]) -> bytes:
    """Make a zip."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return written.getvalue()


def encrypted() -> bytes:
    """Say of the last file that it is."""
    content = bytearray(packed(PETS))
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def many() -> bytes:
    """Declare 100,001 entries."""
    directory = (b"PK\x01\x02" + bytes(24) + struct.pack("<3H", 1, 0, 0) + bytes(12) + b"x") * 100_001
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)


def folder(content: bytes, status: int = 422, code: str | None = "invalid_request", pointer: str | None = "/file", spec: str = SPEC, role: str = "file") -> dict[str, Any]:
    """Make a case of an upload."""
    files = [("spec", (None, spec)), (role, (role, content))]
    return {"path": "/v1/datasets", "status": status, "code": code, "pointer": pointer, "files": files}


FOLDERS = [
    Case("a folder that is no zip", **folder(b"no zip at all")),
    Case("a folder that is empty", **folder(b"")),
    Case("a zip that is cut", **folder(packed(PETS)[:-30])),
    Case("a zip that leads out", **folder(packed({**PETS, "../../etc/passwd": b"x"}))),
    Case("a zip with an absolute path", **folder(packed({**PETS, "/etc/passwd": b"x"}))),
    Case("a zip of 100,001 entries", **folder(many(), 413, "too_large", None)),
    Case("a zip that unpacks to too much", **folder(packed({**PETS, "dogs/2.png": bytes(65 << 20)}))),
    Case("a zip in a zip", **folder(packed({**PETS, "dogs/2.zip": packed(PETS)}))),
    Case("a zip with a password", **folder(encrypted())),
    Case("a zip with an empty file", **folder(packed({**PETS, "dogs/2.png": b""}))),
    Case("a zip with a text", **folder(packed({**PETS, "dogs/readme.txt": b"woof"}))),
    Case("a zip with pictures outside of folders", **folder(packed({**PETS, "1.png": a_png()}))),
    Case("a zip of one picture a class", **folder(packed({"cats/1.png": a_png(), "dogs/1.png": a_png()}))),
    Case("a zip of one class", **folder(packed({"cats/1.png": a_png(), "cats/2.png": a_png()}))),
    Case("a zip without pictures", **folder(packed({}))),
    Case("a zip whose class is only tested", **folder(packed({"train/a/1.png": a_png(), "train/b/1.png": a_png(), "test/c/1.png": a_png()}))),
    Case("a zip as images", **folder(packed(PETS), pointer="/images", role="images")),
    Case("a folder of no height", **folder(packed(PETS), pointer="/height", spec=SPEC.replace('"height": 8', '"height": 0'))),
    Case("a folder in two channels", **folder(packed(PETS), pointer="/channels", spec=SPEC[:-1] + ', "channels": 2}')),
]

FOLDERS_ANSWERED = [
    Case("a folder with what is no picture, skipped", **folder(packed({**PETS, "dogs/readme.txt": b"woof", "Thumbs.db": b"x"}), 201, None, None, SPEC[:-1] + ', "on_error": "skip"}')),
    Case("a folder of moving pictures and ink", **folder(packed({"a/1.gif": a_picture("P", "GIF", frames=5), "a/2.png": a_png(), "b/1.jpg": a_picture("CMYK", "JPEG")}), 201, None, None, SPEC.replace("bad-folder", "bad-moving"))),
]
