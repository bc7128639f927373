"""A zip that somebody sent as a bundle: what is in it, and that it is nothing else.

Nothing in it is run, and nothing of it is unpacked but the weights, to a file without a name.
"""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import BinaryIO

from service.datasets.zip_entries import MAX_ENTRY_BYTES, EntryRefused, open_zip, paths, read_entry
from service.domain.problems import invalid_field
from service.prediction.bundles.contents import CONFIG, PREPARATION, WEIGHTS

MAX_FILES = 100
NEEDED = (WEIGHTS, CONFIG, PREPARATION)
PICKLES = frozenset(
    {".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pt2", ".pth"}
)
MOST_EXPANSION = 200
"""A file may be so many times as long as it is packed; weights hardly get smaller at all."""

_SMALL = 1 << 20
_PIECE = 1 << 20
_PICKLE_PROTOCOLS = frozenset(bytes([0x80, protocol]) for protocol in range(2, 6))
_ZIP_BEGINS = b"PK\x03\x04"  # so do the files of torch.save
_LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, the low byte first, and the header is an
object of JSON. Lengths as 640, which is 80 02, look like a pickle's first bytes."""

_ENCRYPTED = 0x1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Only these are unpacked piece by piece; others give all that a piece holds, however much."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What comes of reading a zip that is broken."""


class Unpacked:
    """The files of a bundle, by name."""

    def __init__(self, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> None:
        self._archive = archive
        self._entries = entries

    def read(self, name: str, *, at_most: int = MAX_ENTRY_BYTES) -> bytes:
        """Return a small file. Raises Invalid."""
        if self.size(name) > at_most:
            detail = f"must have at most {at_most >> 20} MiB"
            raise invalid_field(pointer_of(name), detail)
        try:
            return read_entry(self._archive, self._entries[name])
        except EntryRefused as refused:
            raise invalid_field(pointer_of(name), str(refused)) from None

    def size(self, name: str) -> int:
        """Return how long a file says it is; more of it is never read."""
        return self._entries[name].file_size

    def copy(self, name: str, into: BinaryIO) -> str:
        """Write a large file into another; return its SHA-256. Raises Invalid."""
        digest = hashlib.sha256()
        for piece in self._pieces(name):
            digest.update(piece)
            into.write(piece)
        into.seek(0)
        return digest.hexdigest()

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self._archive.open(self._entries[name]) as file:
                while piece := file.read(_PIECE):
                    yield piece
        except DAMAGED:
            detail = "is damaged inside the zip; pack it anew"
            raise invalid_field(pointer_of(name), detail) from None


def pointer_of(name: str) -> str:
    """Point at a file of the zip."""
    return f"/file/{name}"


def unpack(content: BinaryIO, *, max_bytes: int) -> Unpacked:
    """Look at the files of a zip. Raises Invalid for all that no bundle has."""
    archive = open_zip(content)
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise invalid_field("/file", f"holds more than {MAX_FILES} files; a model has six")
    for entry in infos:
        _refuse_tricks(entry)
    if sum(entry.file_size for entry in infos) > max_bytes:
        raise invalid_field("/file", f"unpacks to more than {max_bytes:,} bytes")
    found: dict[str, zipfile.ZipInfo] = {}
    inner = [(path, entry) for path, entry in paths(archive)]
    root = _folder_around([path for path, _ in inner])
    for path, entry in inner:
        name = str(path.relative_to(root))
        if name in found:
            raise invalid_field("/file", "holds a file twice; which one is meant nobody can know")
        _refuse_pickles(archive, name, entry)
        found[name] = entry
    for name in NEEDED:
        if name not in found:
            detail = f"holds no {name}; send the zip of GET /v1/models/{{model}}/download"
            raise invalid_field("/file", detail)
    return Unpacked(archive, found)


def _refuse_tricks(entry: zipfile.ZipInfo) -> None:
    """Raise Invalid for links, passwords, other paths and methods, and what is far too long."""
    if "\\" in entry.filename:
        raise invalid_field("/file", "has a name with a backslash; pack the folder anew")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise invalid_field("/file", "holds a link; pack the file itself")
    if entry.flag_bits & _ENCRYPTED:
        raise invalid_field("/file", "is encrypted; pack it without a password")
    if entry.compress_type not in _METHODS:
        raise invalid_field("/file", "is packed in an unusual way; store the files, or use deflate")
    if entry.file_size > max(_SMALL, MOST_EXPANSION * entry.compress_size):
        times = f"more than {MOST_EXPANSION} times as long as it is packed"
        raise invalid_field("/file", f"holds a file that is {times}; store it as it is")


def _folder_around(found: list[PurePosixPath]) -> PurePosixPath:
    """Find the one folder that everything lies in, if who packed it packed the folder."""
    tops = {path.parts[0] for path in found}
    nested = all(len(path.parts) > 1 for path in found)
    return PurePosixPath(tops.pop()) if nested and len(tops) == 1 else PurePosixPath()


def _refuse_pickles(archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo) -> None:
    """Raise Invalid for what runs code when it is read, by its name and by its first bytes."""
    begins = b""
    if entry.file_size:
        try:
            with archive.open(entry) as file:
                begins = file.read(_LENGTH_BYTES + 1)
        except DAMAGED:
            raise invalid_field("/file", "holds a damaged file; pack it anew") from None
    is_pickle = begins[:2] in _PICKLE_PROTOCOLS and not (name == WEIGHTS and _is_length(begins))
    is_zip = begins.startswith(_ZIP_BEGINS)
    if is_pickle or is_zip or PurePosixPath(name).suffix.lower() in PICKLES:
        detail = "holds a pickle, or a file of torch.save: reading one can run any program. Send "
        raise invalid_field("/file", detail + "the weights as safetensors")


def _is_length(begins: bytes) -> bool:
    """Tell whether a file begins as safetensors do: a header of less than 4 GiB, and its brace."""
    return begins[4:_LENGTH_BYTES] == bytes(4) and begins[_LENGTH_BYTES:] == b"{"
