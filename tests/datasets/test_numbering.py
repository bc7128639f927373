"""Long texts are numbered quickly, and exactly as their words are cut one line after the other."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from service.datasets.numbering import numbered
from service.datasets.words import Corpus, tokenize

# Spaces of all kinds, marks that join what stands before them, and a letter whose lower case
# depends on what follows.
ODD = " \t\u3000\x1c\u2003aΣσ\u0301\u0308\u1112\u1161가'’-_<unk>1.\ud55c"
ANY = st.characters(codec="utf-8", exclude_characters="\r\n")
LINES = st.lists(
    st.text(st.sampled_from(ODD)) | st.text(ANY),
    min_size=1,
    max_size=12,
)


@given(LINES)
def test_pieces_between_spaces_give_the_words_of_the_lines(lines: list[str]) -> None:
    words: list[str] = []

    def cut(piece: str) -> list[int]:
        words.extend(tokenize(piece))
        return list(range(len(words) - len(tokenize(piece)), len(words)))

    numbers, lengths = numbered(lines, cut)
    expected = [tokenize(line) for line in lines]
    assert [words[number] for number in numbers.tolist()] == [w for line in expected for w in line]
    assert lengths.tolist() == [len(line) for line in expected]


def test_a_long_text_is_the_same_corpus_as_its_lines() -> None:
    some = ["Οδός ΟΔΟΣ, don't", "", " \t", unicodedata.normalize("NFD", "나는 밥을"), "x" * 99]
    lines = [f"{line} {number % 977}" if line else "" for number in range(26_000) for line in some]
    assert sum(map(len, lines)) > 1 << 21  # so many characters go the quick way
    corpus = Corpus.of(lines)
    expected = [words for line in lines if (words := tokenize(line))]
    assert [corpus.line(number) for number in range(corpus.lines)] == expected
    assert corpus.words == list(dict.fromkeys(word for line in expected for word in line))
