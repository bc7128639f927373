"""From bytes to lines of UTF-8 in NFC, piece by piece: memory does not grow with a file.

Found out are UTF-8, UTF-16 (by its byte order mark, by the NULs that every second byte of western
text is, or by common Hangul) and CP949, the Korean extension of EUC-KR. What is given wins. A piece
ends where a line ends; bytes that are no text of the encoding, and NUL, are named by their line.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.datasets.findings import Findings
from service.domain.datasets import Encoding

PIECE_BYTES = 4 << 20
MAX_LINE_BYTES = 32 << 20
"""A longer line is no line that somebody wrote; without a limit it would lie in memory whole."""

_HEAD = 1 << 16
_ENOUGH_NULS = 0.2
_PLAUSIBLE = 0.5
_NEARLY_ALL = 0.9
_ENOUGH_UNITS = 16
_NEWLINE = b"\n"[0]
_LAST_ASCII = 0x7F
_BREAK = re.compile(rb"\r\n|\r|\n")
_NAMES: dict[Encoding, str] = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp949": "CP949"}


class Piece(NamedTuple):
    """Some lines of a file as UTF-8 in NFC; it has `lines` ends of lines, from `line` on."""

    text: bytes
    line: int
    lines: int
    last: bool = False


def detect(content: BinaryIO) -> Encoding:
    """Find the encoding of a file out, and go back to its beginning."""
    beginning = content.tell()
    try:
        head = content.read(_HEAD)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8"
        if _high_bytes(head) is not None:
            return "utf-16"
        content.seek(beginning)
        if _decodes(content, "utf-8"):
            return "utf-8"
        content.seek(beginning)
        return "cp949" if _is_korean(content) else "utf-8"
    finally:
        content.seek(beginning)


def pieces(
    content: BinaryIO, encoding: Encoding, findings: Findings, *, file: str = "file"
) -> Iterator[Piece]:
    """Read a file from where it stands. Bad lines go to `findings`, and are left out."""
    reader = _Lines(content, encoding, findings, file)
    line = 1
    for raw, last in reader.cut():
        text, lines = reader.decode(raw, line)
        yield Piece(text, line, lines, last)
        line += lines


class _Lines:
    """A file that is cut into pieces at the ends of lines."""

    def __init__(
        self, content: BinaryIO, encoding: Encoding, findings: Findings, file: str
    ) -> None:
        self._content = content
        self._findings = findings
        self._file = file
        self._encoding: Encoding = encoding
        self._codec: str = encoding
        self._width = 1
        beginning = content.tell()
        head = content.read(_HEAD)
        skipped = 0
        if encoding == "utf-8":
            skipped = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        elif encoding == "utf-16":
            self._width = 2
            big, skipped = _byte_order(head)
            self._codec = "utf-16-be" if big else "utf-16-le"
        content.seek(beginning + skipped)
        self._newline = "\n".encode(self._codec)
        self._return = "\r".encode(self._codec)

    def cut(self) -> Iterator[tuple[bytes, bool]]:
        """Give pieces that end with a line, and whether each is the last one."""
        rest = b""
        while more := self._content.read(PIECE_BYTES):
            rest += more
            end = self._end_of_line(rest)
            if end == 0 and len(rest) > MAX_LINE_BYTES:
                detail = (
                    f"has more than {MAX_LINE_BYTES >> 20} MiB without a line break; break it up"
                )
                self._findings.error(f"/{self._file}", "line_too_long", detail)
                rest = b""
                break
            elif end:
                yield rest[:end], False
                rest = rest[end:]
        yield rest, True

    def decode(self, raw: bytes, line: int) -> tuple[bytes, int]:
        """Return the text of a piece and how many ends of lines it has."""
        if self._width == 1 and raw.isascii() and b"\0" not in raw:
            return raw, breaks(raw)
        try:
            text = raw.decode(self._codec)
        except UnicodeDecodeError:
            return self._decode_by_lines(raw, line)
        if "\0" in text:
            return self._decode_by_lines(raw, line)
        encoded = raw if self._codec == "utf-8" else text.encode()
        if not encoded.isascii() and not unicodedata.is_normalized("NFC", text):
            encoded = unicodedata.normalize("NFC", text).encode()
        return encoded, breaks(encoded)

    def _decode_by_lines(self, raw: bytes, line: int) -> tuple[bytes, int]:
        """Leave the lines out that are no text, and name them; the others keep their numbers."""
        kept: list[bytes] = []
        lines = self._split(raw)
        for number, each in enumerate(lines, start=line):
            kept.append(self._decode_line(each, number))
        return b"\n".join(kept), len(lines) - 1

    def _decode_line(self, raw: bytes, line: int) -> bytes:
        try:
            text = raw.decode(self._codec)
        except UnicodeDecodeError as error:
            name = _NAMES[self._encoding]
            detail = f"is not {name} at byte {error.start + 1} of the line; save the file as UTF-8"
            if self._encoding != "utf-8":
                detail += ", or say its encoding"
            self._bad("not_decodable", detail, line)
            return b""
        if "\0" in text:
            self._bad("nul", "holds a NUL character, which no text has; remove it", line)
            return b""
        return unicodedata.normalize("NFC", text).encode()

    def _split(self, raw: bytes) -> list[bytes]:
        if self._width == 1:
            return _BREAK.split(raw)
        # Two bytes a unit: a break is one only at an even place.
        units = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=">u2" if self._big else "<u2")
        ends = np.flatnonzero(units == ord("\n")) * 2
        starts = [0, *(ends + 2).tolist()]
        pieces = [raw[a:b] for a, b in zip(starts, [*ends.tolist(), len(raw)], strict=True)]
        return [piece.removesuffix(self._return) for piece in pieces]

    @property
    def _big(self) -> bool:
        return self._codec == "utf-16-be"

    def _end_of_line(self, raw: bytes) -> int:
        """Return where the last whole line ends; 0: there is none."""
        if self._width == 1:
            end = raw.rfind(b"\n") + 1
            # A lone carriage return ends a line too (old Macintosh); one at the end may be half.
            return end or raw.rfind(b"\r", 0, len(raw) - 1) + 1
        end = len(raw)
        while (end := raw.rfind(self._newline, 0, end)) >= 0:
            if end % 2 == 0:
                return end + 2
            end += 1
        return 0

    def _bad(self, code: str, detail: str, line: int) -> None:
        self._findings.bad_line(code, detail, line=line, file=self._file)


def breaks(text: bytes) -> int:
    """Count the ends of lines."""
    # bytes.count takes four times as long where there are many.
    newlines = int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _NEWLINE))
    if b"\r" not in text:
        return newlines
    return newlines + text.count(b"\r") - text.count(b"\r\n")


def _byte_order(head: bytes) -> tuple[bool, int]:
    """Tell whether UTF-16 has its big byte first, and how long its mark is."""
    if head.startswith(codecs.BOM_UTF16_BE):
        return True, 2
    if head.startswith(codecs.BOM_UTF16_LE):
        return False, 2
    return _high_bytes(head) == 0, 0


def _high_bytes(head: bytes) -> int | None:
    """Return 0 or 1 if the even or the odd bytes are the high ones of UTF-16 without a mark."""
    if len(head) < 4 or (len(head) < _HEAD and len(head) % 2):
        return None
    parity = _parity_of_nuls(head)
    return parity if parity is not None else _parity_of_hangul(head)


def _parity_of_nuls(head: bytes) -> int | None:
    """Return 0 or 1 if only the even or only the odd bytes are NUL, and many of them."""
    nuls = np.frombuffer(head, dtype=np.uint8) == 0
    even, odd = int(nuls[0::2].sum()), int(nuls[1::2].sum())
    if even and odd:
        return None
    if max(even, odd) < _ENOUGH_NULS * len(head) / 2:
        return None
    return 0 if even else 1


def _parity_of_hangul(head: bytes) -> int | None:
    """Return 0 or 1 if, with these as high bytes, nearly all is common Hangul or ASCII."""
    for parity, order in enumerate((">u2", "<u2")):
        units = np.frombuffer(head[: len(head) // 2 * 2], dtype=order)
        known = _common_hangul()[units] | ((units >= ord("\t")) & (units <= _LAST_ASCII))
        if len(units) >= _ENOUGH_UNITS and known.mean() >= _NEARLY_ALL:
            return parity
    return None


def _decodes(content: BinaryIO, codec: str) -> bool:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        while piece := content.read(PIECE_BYTES):
            if not piece.isascii() or decoder.getstate()[0]:
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_korean(content: BinaryIO) -> bool:
    """Tell whether CP949 reads the file, and most of what is not ASCII is common Hangul."""
    decoder = codecs.getincrementaldecoder("cp949")()
    common, beyond = 0, 0
    try:
        while piece := content.read(PIECE_BYTES):
            letters = np.frombuffer(decoder.decode(piece).encode("utf-16-le"), dtype="<u2")
            beyond += int((letters > _LAST_ASCII).sum())
            common += int(_common_hangul()[letters].sum())
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return common > 0 and common >= _PLAUSIBLE * beyond


@cache
def _common_hangul() -> NDArray[np.bool_]:
    """Mark the 2,350 syllables of KS X 1001 by code point; others are rare in real text."""
    marked = np.zeros(1 << 16, dtype=np.bool_)
    for lead in range(0xB0, 0xC9):
        row = bytes(byte for trail in range(0xA1, 0xFF) for byte in (lead, trail))
        marked[[ord(letter) for letter in row.decode("cp949")]] = True
    return marked
