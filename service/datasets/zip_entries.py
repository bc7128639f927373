"""The entries of a zip that somebody sent: nothing is believed, nothing is unpacked to disk.

A name that leads elsewhere, too many entries or a size beyond all measure refuse the whole file.
What is wrong with one entry, as encryption, is told of that entry.
"""

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from service.domain.problems import TooLarge, invalid_field

MAX_ENTRIES = 100_000
MAX_ENTRY_BYTES = 64 << 20
IGNORED_FOLDERS = frozenset({"__MACOSX"})
IGNORED_FILES = frozenset({"Thumbs.db", "desktop.ini"})
"""What file managers leave behind; besides all that begins with a dot."""

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_HEADER_BYTES, _HEADER = 46, b"PK\x01\x02"
_LOCATOR_BYTES = 20
_MOST_COMMENT = 1 << 16
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED, _UTF8 = 0x1, 0x800
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError)


class EntryRefused(Exception):  # noqa: N818  the service is right, the entry is not
    """An entry cannot be read; the message says why, and what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def open_zip(content: BinaryIO) -> zipfile.ZipFile:
    """Open a zip. Raises Invalid for what is none, and TooLarge for one of too many entries."""
    try:
        _refuse_many(content)
        return zipfile.ZipFile(content)
    except (*_DAMAGED, NotImplementedError):
        raise invalid_field("/file", "is no zip that can be read; send a whole one") from None


def paths(archive: zipfile.ZipFile) -> Iterator[tuple[PurePosixPath, zipfile.ZipInfo]]:
    """Give the files with their paths; folders and what file managers leave are left out.

    Raises Invalid for a path that leads out of the zip.
    """
    for entry in archive.infolist():
        name = name_of(entry)
        path = PurePosixPath(name.replace("\\", "/"))
        drive = path.parts[:1] and path.parts[0].endswith(":")
        if drive or path.is_absolute() or ".." in path.parts or "\0" in name:
            detail = f"has an entry that leads out of it, {name[:100]!r}; pack the folders anew"
            raise invalid_field("/file", detail)
        hidden = any(part.startswith(".") or part in IGNORED_FOLDERS for part in path.parts)
        folder = not path.parts or name.endswith("/")  # `is_dir` fails where there is no name
        if not (folder or hidden or path.name in IGNORED_FILES):
            yield path, entry


def name_of(entry: zipfile.ZipInfo) -> str:
    """Return the name in NFC. One that says no encoding may be UTF-8, or of a Korean Windows."""
    name = entry.filename
    if not entry.flag_bits & _UTF8:
        raw = name.encode("cp437", "replace")
        for encoding in ("utf-8", "cp949"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return unicodedata.normalize("NFC", name)


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the bytes of an entry, never more than it declares. Raises EntryRefused."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise EntryRefused("link", "is a link; pack the file itself")
    if entry.flag_bits & _ENCRYPTED:
        raise EntryRefused("encrypted", "is encrypted; pack it without a password")
    if entry.compress_type not in _METHODS:
        raise EntryRefused("compression", "is packed in an unusual way; use deflate")
    if entry.file_size > MAX_ENTRY_BYTES:
        detail = f"declares more than {MAX_ENTRY_BYTES >> 20} MiB; send a smaller picture"
        raise EntryRefused("too_large", detail)
    if not entry.file_size:
        raise EntryRefused("empty_file", "is empty")
    try:
        with archive.open(entry) as file:
            return file.read(MAX_ENTRY_BYTES + 1)
    except (*_DAMAGED, NotImplementedError, RuntimeError):
        raise EntryRefused("damaged", "is damaged inside the zip; pack it anew") from None


def _refuse_many(content: BinaryIO) -> None:
    """Count the entries before `zipfile` makes an object of each."""
    size = content.seek(0, 2)
    content.seek(max(0, size - _END.size - _MOST_COMMENT))
    tail = content.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or place + _END.size > len(tail):
        raise zipfile.BadZipFile
    directory = _END.unpack_from(tail, place)[5]
    end = size - len(tail) + place
    before = end - _LOCATOR_BYTES - _END_64.size
    if before >= 0:
        content.seek(before)
        record = content.read(_END_64.size)
        if record[:4] == b"PK\x06\x06":
            directory, end = _END_64.unpack(record)[8], before
    if directory > end:
        raise zipfile.BadZipFile
    content.seek(end - directory)
    if _entries(content, directory) > MAX_ENTRIES:
        message = f"The zip has more than {MAX_ENTRIES:,} entries; send several smaller ones."
        raise TooLarge(message)


def _entries(content: BinaryIO, directory: int) -> int:
    """Count the headers of a directory, up to one too many."""
    count = place = 0
    while place < directory and count <= MAX_ENTRIES:
        header = content.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or header[:4] != _HEADER:
            raise zipfile.BadZipFile
        more = sum(struct.unpack_from("<3H", header, 28))
        content.seek(more, 1)
        place += _HEADER_BYTES + more
        count += 1
    return count
