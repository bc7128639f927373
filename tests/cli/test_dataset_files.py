"""What files are is guessed from their names and first lines."""

from pathlib import Path

import pytest

from service.cli.dataset_files import Guess, guess, name_of
from service.cli.findings import excerpts
from service.domain.problems import FieldError

TALKS = "question,answer,label\nhow are you today,fine,0\nwhat is the time,late,1\n"
TABLE = "hours,power\n1,10\n2,20\n"


def written(folder: Path, **files: bytes | str) -> list[Path]:
    made: list[Path] = []
    for name, content in files.items():
        path = folder / name.replace("_dot_", ".").replace("_dash_", "-")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        made.append(path)
    return made


def guessed(files: list[Path]) -> tuple[str, dict[str, str]]:
    made = guess(files)
    assert isinstance(made, Guess)
    return made.type, {role: path.name for role, path in made.files.items()}


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a_dot_txt", "one line\n", "text"),
        ("a_dot_md", "one line\n", "text"),
        ("a_dot_zip", b"PK", "image_folder"),
        ("a_dot_csv", TABLE, "table"),
        ("a_dot_csv", TALKS, "labelled_text"),
        ("a_dot_CSV", TALKS.encode("cp949"), "labelled_text"),
        ("a_dot_tsv", TALKS.replace(",", "\t"), "labelled_text"),
        ("a_dot_csv", "", "table"),
    ],
)
def test_one_file_has_a_type(tmp_path: Path, name: str, content: bytes | str, kind: str) -> None:
    [file] = written(tmp_path, **{name: content})
    assert guessed([file]) == (kind, {"file": file.name})


def test_idx_files_have_their_parts(tmp_path: Path) -> None:
    names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    names += ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    kind, parts = guessed([tmp_path / name for name in names])
    assert kind == "idx"
    assert parts == dict(
        zip(["images", "labels", "test_images", "test_labels"], names, strict=True)
    )


def test_a_second_table_validates(tmp_path: Path) -> None:
    files = written(tmp_path, train_dot_csv=TABLE, test_dot_csv=TABLE)
    assert guessed(files)[1] == {"file": "train.csv", "validation_file": "test.csv"}


def test_files_that_do_not_fit_each_other_are_none(tmp_path: Path) -> None:
    assert guess([tmp_path / "a.txt", tmp_path / "b.zip"]) is None
    assert guess(written(tmp_path, a_dot_csv=TABLE, b_dot_csv=TABLE)) is None


@pytest.mark.parametrize(
    ("file", "name"), [("sms spam.csv", "sms-spam"), ("날씨.csv.gz", "날씨"), (".x", "data")]
)
def test_a_name_is_made_of_the_file(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


def test_wrong_lines_are_shown_as_they_stand_in_the_file(tmp_path: Path) -> None:
    [file] = written(tmp_path, a_dot_csv="a,b\n1,2\n3,4,5\n")
    error = FieldError(pointer="/file", detail="has 3 fields", line=3)
    [found] = excerpts([error, FieldError(pointer="/name", detail="x")], {"file": file})
    assert (found.line, found.excerpt, found.detail) == (3, "3,4,5", "has 3 fields")
