"""Texts with labels: which columns they are, and what is odd about the labels."""

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import labelled_text, registry
from service.datasets.base import LabelledTextData
from service.datasets.registry import Checked
from service.domain.datasets import Finding, LabelledTextDatasetSpec, LabelledTextFacts
from service.domain.problems import Invalid

SHARED = Path(__file__).parents[3] / "shared" / "data"
SMS = SHARED / "sms-spam" / "messages.tsv"
CHAT = SHARED / "korean-chat" / "questions-answers.csv"
GOOD = "text,label\n" + "".join(f"text {n} of mine,{'yes' if n % 2 else 'no'}\n" for n in range(20))


def check(content: str | bytes, more: str | None = None, **options: Any) -> Checked:
    spec = {"name": "mine", "type": "labelled_text", **options}
    files: dict[str, BinaryIO] = {"file": BytesIO(_bytes(content))}
    if more is not None:
        files["validation_file"] = BytesIO(more.encode())
    return registry.check(LabelledTextDatasetSpec.model_validate(spec), files)


def load(content: str | bytes, more: str | None = None, **options: Any) -> LabelledTextData:
    files = {"file": _bytes(content), **({"validation_file": more.encode()} if more else {})}
    return labelled_text.load(files, facts_of(check(content, more, **options)))


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def facts_of(checked: Checked) -> LabelledTextFacts:
    assert isinstance(checked.facts, LabelledTextFacts)
    return checked.facts


def found(checked: Checked, code: str) -> Finding:
    return next(finding for finding in checked.findings if finding.code == code)


def test_facts_count_classes_and_words() -> None:
    facts = facts_of(check(GOOD))
    assert (facts.text, facts.label, facts.classes) == ("text", "label", ["no", "yes"])
    assert (facts.examples, facts.examples_per_class, facts.longest) == (20, [10, 10], 4)
    assert (facts.words, facts.distinct_words) == (80, 23)


def test_a_label_is_short() -> None:
    assert facts_of(check(GOOD.replace("yes", "y" * 512))).classes == ["no", "y" * 512]
    with pytest.raises(Invalid, match="label of 513 letters"):
        check(GOOD.replace("yes", "y" * 513))


def test_columns_without_telling_names_are_found_by_what_they_hold() -> None:
    rows = "".join(f"{n},{'ham' if n % 3 else 'spam'},this is message {n}\n" for n in range(30))
    facts = facts_of(check(rows))
    assert not facts.format.header
    assert (facts.text, facts.label) == ("column_3", "column_2")


def test_what_is_loaded_is_what_was_checked() -> None:
    data = load(GOOD)
    assert data.texts[:2] == ["text 0 of mine", "text 1 of mine"]
    assert data.labels.tolist() == [0, 1] * 10
    assert data.held_out is None


def test_blanks_around_labels_are_taken_away_and_told() -> None:
    checked = check(GOOD + "one more, yes \nand more,no\n")
    assert facts_of(checked).classes == ["no", "yes"]
    assert (found(checked, "blank_around_label").line, facts_of(checked).examples) == (22, 22)


@pytest.mark.parametrize(("label", "like"), [("Yes", "yes"), ("n-o", "no")])
def test_labels_that_differ_in_case_or_marks_only_are_told(label: str, like: str) -> None:
    finding = found(check(f"{GOOD}one more,{label}\n"), "labels_alike")
    assert repr(label) in finding.detail
    assert repr(like) in finding.detail
    assert finding.line == 22


def test_a_rare_label_spelled_nearly_like_another_is_told() -> None:
    rows = "".join(f"text {n},{'positive' if n % 2 else 'negative'}\n" for n in range(60))
    finding = found(check(f"text,label\n{rows}odd,postive\n"), "labels_alike")
    assert finding.excerpt == "postive"


def test_numbered_labels_are_not_alike() -> None:
    rows = "".join(f"text {n},class {n % 12}\n" for n in range(120))
    assert "labels_alike" not in {each.code for each in check(f"text,label\n{rows}").findings}


def test_classes_with_few_examples_are_told() -> None:
    finding = found(check(f"{GOOD}a,maybe\nb,maybe\n"), "few_examples")
    assert (finding.excerpt, finding.count, finding.line) == ("maybe", 2, 22)


def test_copies_and_disputed_texts_are_told() -> None:
    checked = check(f"{GOOD}text 0 of mine,no\ntext 0 of mine,yes\n")
    assert found(checked, "duplicate_rows").line == 22
    assert found(checked, "disputed_label").line == 23


@pytest.mark.parametrize(
    ("content", "options", "errors"),
    [
        ("text,label\na,x\nb,x\n", {"header": True}, [("/file", None)]),
        ("text,label\na,x\na,y\na,x\n", {"header": True}, [("/file", None)]),
        ("text,label\na,x\nb,y\na,x\n", {"header": True}, [("/file", None)]),
        ("text,label,s\na,x,train\nb,y,train\n", {"split": "s"}, [("/split", None)]),
        ("text,label,s\na,x,validation\nb,y,validation\n", {"split": "s"}, [("/split", None)]),
        ("text,label\na,x\n,y\nc,\nd,z\n", {}, [("/file", 3), ("/file", 4)]),
        (GOOD, {"label": "lable"}, [("/label", None)]),
        (GOOD, {"text": "Text"}, [("/text", None)]),
        (GOOD, {"split": "part"}, [("/split", None)]),
        ("only\none\ncolumn\n", {}, [("/file", None)]),
        ("text,label\n", {"header": True}, [("/file", None)]),
        ('text,label\na,"x\nb,y\nc,x,z\n', {"quoting": True}, [("/file", 2), ("/file", 4)]),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    content: str, options: dict[str, Any], errors: list[tuple[str, int | None]]
) -> None:
    with pytest.raises(Invalid) as raised:
        check(content, **options)
    assert [(error.pointer, error.line) for error in raised.value.errors] == errors


def test_bad_lines_are_skipped_and_told_when_asked() -> None:
    content = f"{GOOD}too,many,cells\n,yes\nlast,no\n"
    checked = check(content, on_error="skip")
    assert facts_of(checked).examples == 21
    assert (found(checked, "lines_skipped").count, found(checked, "ragged_row").line) == (2, 22)
    assert load(content, on_error="skip").texts[-1] == "last"


def test_a_split_column_and_a_second_file_hold_rows_out() -> None:
    rows = "text,label,part\na,x,train\nb,y,train\nc,x,validation\nd,y,train\n"
    split, second = load(rows, split="part"), load(GOOD, "text,label\nmore,yes\n")
    assert split.held_out is not None
    assert split.held_out.tolist() == [False, False, True, False]
    assert second.held_out is not None
    assert (second.held_out.sum(), second.facts.test_examples) == (1, 1)
    assert second.facts.examples_per_class == [10, 10]


def test_the_messages_are_read_with_their_stray_quotes() -> None:
    if not SMS.exists():
        pytest.skip("the shared data are not here")
    checked = check(SMS.read_bytes())
    facts = facts_of(checked)
    assert (facts.examples, facts.examples_per_class) == (4459, [3874, 585])
    assert (facts.format.delimiter, facts.format.quoting) == ("\t", False)
    assert found(checked, "quotes_are_text").line == 464
    assert len(load(SMS.read_bytes()).texts) == 4459


def test_the_korean_chat_has_one_label_with_a_blank() -> None:
    if not CHAT.exists():
        pytest.skip("the shared data are not here")
    checked = check(CHAT.read_bytes())
    facts = facts_of(checked)
    assert (facts.examples, facts.classes, facts.text) == (11_823, ["0", "1", "2"], "question")
    assert (found(checked, "blank_around_label").count, found(checked, "disputed_label").count) == (
        1,
        83,
    )
    assert facts_of(check(CHAT.read_text("utf-8").encode("cp949", "ignore"))).examples > 11_700


def test_a_report_tells_every_finding_and_stores_nothing() -> None:
    spec = LabelledTextDatasetSpec(name="mine", type="labelled_text", header=True, quoting=True)
    content = b'text,label\na,x\nb,"y\nc,x,z\nd, x\n'
    report = registry.report(spec, {"file": BytesIO(content)})
    assert (report.accepted, report.facts, report.sha256) == (False, None, None)
    told = [(each.level, each.code, each.line) for each in report.findings]
    assert told[:2] == [
        ("error", "unclosed_quote", 3),
        ("error", "ragged_row", 4),
    ]
    assert ("warning", "blank_around_label", 5) in told
    fine = registry.report(spec, {"file": BytesIO(GOOD.encode())})
    assert fine.accepted
    assert fine.sha256 is not None


MESSY = st.lists(st.sampled_from([*'ab,;\t"\n\r ', "\n", ",", "é", "가"]), max_size=60).map("".join)


@given(MESSY.map(str.encode) | st.binary(max_size=60), st.booleans())
def test_any_bytes_end_in_labelled_texts_or_a_problem(content: bytes, skip: bool) -> None:
    try:
        facts = facts_of(check(content, on_error="skip" if skip else "refuse"))
    except Invalid:
        return
    data = labelled_text.load({"file": content}, facts)
    assert len(data.texts) == len(data.labels) == facts.examples
