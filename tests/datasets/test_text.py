"""Every uploaded text ends in facts or in a problem that names the line."""

import unicodedata
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import text
from service.domain.datasets import TextFacts
from service.domain.problems import Invalid
from tests.datasets.files import a_text_spec


def check(content: bytes, **options: str) -> TextFacts:
    return text.check(BytesIO(content), a_text_spec(**options))


def test_facts_count_lines_and_words() -> None:
    facts = check("I like rice\n\n 나는 밥을 먹는다 \r\nI like tea!".encode())
    assert (facts.lines, facts.words, facts.distinct_words) == (3, 10, 8)


def test_a_byte_order_mark_is_no_word() -> None:
    facts = check("\ufeffa b\nc d".encode())
    assert facts.words == 4
    assert text.load({"file": "\ufeffa b\nc d".encode()}, facts).lines == ["a b", "c d"]


def test_what_is_loaded_is_in_nfc_and_without_empty_lines() -> None:
    content = unicodedata.normalize("NFD", "한국\n\n  \nb").encode()
    assert text.load({"file": content}, check(content)).lines == ["한국", "b"]


def test_every_line_that_is_not_utf8_is_named() -> None:
    with pytest.raises(Invalid) as raised:
        check(b"fine\nbad \xff\nfine\n\xfe")
    assert [(error.pointer, error.line) for error in raised.value.errors] == [
        ("/file", 2),
        ("/file", 4),
    ]
    assert "byte 5" in raised.value.errors[0].detail


def test_at_most_a_hundred_lines_are_named() -> None:
    with pytest.raises(Invalid) as raised:
        check(b"\xff\n" * 1000)
    assert len(raised.value.errors) == 100


def test_a_nul_is_named_by_its_line() -> None:
    with pytest.raises(Invalid) as raised:
        check(b"a\nb\0c\nd")
    assert [error.line for error in raised.value.errors] == [2]


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_text_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="holds no word"):
        check(content)


@pytest.mark.parametrize(
    ("content", "sequences"),
    [(b"one line only", "lines"), (b"the same\nThe  same", "lines"), (b"a b c", "stream")],
)
def test_a_text_that_cannot_be_split_is_too_small(content: bytes, sequences: str) -> None:
    with pytest.raises(Invalid, match="dataset too small") as raised:
        check(content, sequences=sequences)
    assert raised.value.errors[0].pointer == "/file"


@given(st.binary(max_size=200), st.sampled_from(["lines", "stream"]))
def test_any_bytes_end_in_facts_or_a_problem(content: bytes, sequences: str) -> None:
    try:
        facts = check(content, sequences=sequences)
    except Invalid as invalid:
        named = {error.pointer for error in invalid.errors}
    else:
        named = {"/file"}
        assert len(text.load({"file": content}, facts).lines) >= facts.lines
    assert named == {"/file"}
