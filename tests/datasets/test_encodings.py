"""Encodings are found out of the bytes alone, and what is no text is named by its line."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import encodings
from service.datasets.findings import Findings
from service.domain.datasets import Encoding

KOREAN = "질문,답\n밥 먹었니?,네 먹었어요\n어디 가니?,집에 가요\n"

DENSE = "나는오늘아침에밥을먹었습니다\n그리고학교에갔다가집에왔습니다\n"
"""Korean without a blank: in UTF-16 it has next to no NUL."""


def read(content: bytes, encoding: Encoding) -> tuple[str, Findings]:
    findings = Findings()
    pieces = encodings.pieces(BytesIO(content), encoding, findings)
    return b"".join(piece.text for piece in pieces).decode(), findings


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain ascii", "utf-8"),
        (KOREAN.encode(), "utf-8"),
        (KOREAN.encode("utf-8-sig"), "utf-8"),
        (KOREAN.encode("cp949"), "cp949"),
        (("a" * encodings.PIECE_BYTES + KOREAN).encode("cp949"), "cp949"),
        (KOREAN.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + KOREAN.encode("utf-16-be"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-be"), "utf-16"),
        (DENSE.encode("utf-16-le"), "utf-16"),
        (DENSE.encode("utf-16-be"), "utf-16"),
        (DENSE.encode("cp949"), "cp949"),
        (DENSE.encode(), "utf-8"),
        ("le café, la forêt".encode("latin-1"), "utf-8"),
        (b"a\0b\nc d", "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_the_encoding_is_found_out(content: bytes, encoding: Encoding) -> None:
    opened = BytesIO(content)
    assert encodings.detect(opened) == encoding
    assert opened.tell() == 0


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp949"])
@pytest.mark.parametrize("piece", [2, 10, 1 << 20])
def test_every_encoding_gives_the_same_text(
    codec: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "PIECE_BYTES", piece)
    mark = "\ufeff" if codec == "utf-16-be" else ""
    content = (mark + KOREAN).encode(codec)
    text, findings = read(content, encodings.detect(BytesIO(content)))
    assert text == KOREAN
    assert not findings.bad_lines


@pytest.mark.parametrize(
    ("content", "encoding", "lines"),
    [
        (b"a\nb\xff\nc\nd\xfe\n", "utf-8", [2, 4]),
        (b"a\r\rb\xff\r", "utf-8", [3]),
        (b"a\n\xb0\xa1\n\xff\n", "cp949", [3]),
        ("a\n\ud800\nb\0".encode("utf-16-le", "surrogatepass"), "utf-16", [2, 3]),
        ("a\nb".encode("utf-16-le") + b"\0", "utf-16", [2]),
        (b"a\nb\0\n", "utf-8", [2]),
    ],
)
def test_lines_that_are_no_text_are_named(
    content: bytes, encoding: Encoding, lines: list[int]
) -> None:
    _, findings = read(content, encoding)
    assert [each.line for each in findings.named_lines] == lines


def test_an_endless_line_is_refused_before_it_lies_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encodings, "PIECE_BYTES", 1 << 10)
    monkeypatch.setattr(encodings, "MAX_LINE_BYTES", 1 << 12)
    content = BytesIO(b"a b\n" + b"x" * (1 << 20))
    findings = Findings()
    list(encodings.pieces(content, "utf-8", findings))
    assert [error.pointer for error in findings.errors] == ["/file"]
    assert content.tell() < 1 << 13


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(1, 9))
def test_texts_come_back_whatever_the_pieces_are(text: str, piece: int) -> None:
    import unicodedata

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "PIECE_BYTES", piece)
        found, _ = read(text.encode(), "utf-8")
    assert found == unicodedata.normalize("NFC", text.removeprefix("\ufeff"))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_korean_without_blanks_is_read_in_either_order_of_bytes(codec: str) -> None:
    text, findings = read(DENSE.encode(codec), "utf-16")
    assert (text, findings.bad_lines) == (DENSE, 0)


@given(st.text(st.characters(codec="cp949", min_codepoint=0xAC00), min_size=8))
def test_syllables_in_cp949_or_utf8_are_never_taken_for_utf16(text: str) -> None:
    for codec in ("cp949", "utf-8"):
        found = encodings.detect(BytesIO(f"{text} 그리고, 그래서\n".encode(codec)))
        assert found != "utf-16"
