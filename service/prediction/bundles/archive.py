"""A zip that is written while it is read: no more of it is in memory than a piece.

Nothing is packed tighter, for weights do not get smaller, and no clock is in it: the same files
make the same bytes.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)
_PIECE = 1 << 20


class File(NamedTuple):
    """One file: its name, its size, and its bytes in pieces."""

    name: str
    size: int
    pieces: Iterable[bytes]


class _Taken(io.RawIOBase):
    """Keeps what was written until it is taken; what cannot go back is written straight on."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: "bytes | bytearray | memoryview", /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._kept += piece
        return len(piece)

    def take(self) -> bytes:
        """Return what came since the last time."""
        taken = bytes(self._kept)
        self._kept.clear()
        return taken


def packed(files: Sequence[File]) -> Iterator[bytes]:
    """Write the zip piece by piece."""
    sink = _Taken()
    with zipfile.ZipFile(sink, "w") as archive:
        for file in files:
            info = zipfile.ZipInfo(file.name, _FIRST_MOMENT)
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # the same bytes on every system
            info.file_size = file.size
            with archive.open(info, "w") as entry:
                for piece in file.pieces:
                    entry.write(piece)
                    yield sink.take()
    yield sink.take()


def size_of(files: Sequence[File]) -> int:
    """Tell how long the zip will be."""
    empty = [file._replace(pieces=_zeros(file.size)) for file in files]
    return sum(map(len, packed(empty)))


def _zeros(size: int) -> Iterator[bytes]:
    whole, rest = divmod(size, _PIECE)
    piece = bytes(_PIECE)
    for _ in range(whole):
        yield piece
    yield bytes(rest)
