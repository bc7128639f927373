"""Numbers, sizes and problems as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from service.cli import output, refusals
from service.client import InvalidError, ServerError
from service.domain.problems import FieldError


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 * 1024**2, "3.0 MiB"),
        (2**40, "1024.0 GiB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert output.size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "-:--"), (7.4, "00:07"), (95, "01:35"), (3661, "1:01:01")]
)
def test_durations(seconds: float | None, words: str) -> None:
    assert output.duration(seconds) == words


def test_ages() -> None:
    assert output.age(datetime.now(tz=UTC) - timedelta(hours=2, seconds=1)) == "2 h ago"


def test_a_value_that_is_missing_is_a_dash() -> None:
    assert output.metrics_text({"val_loss": 1.23456, "val_accuracy": None}) == (
        "val_loss 1.235, val_accuracy -"
    )


def test_a_problem_is_said_with_every_field_and_nothing_taken_for_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = [
        FieldError(pointer="/training/epochs", detail="must be [1, 10]"),
        FieldError(pointer="/file", detail="is no text", line=7),
    ]

    refusals.print_problem(InvalidError("Two [bold] fields.", status=422, errors=fields))

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "Error: Two [bold] fields.",
        "  /training/epochs: must be [1, 10]",
        "  /file (line 7): is no text",
    ]


def test_a_bug_of_the_service_is_said_with_the_id_of_its_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusals.print_problem(ServerError("It broke.", status=500, request_id="req_7"))

    assert "req_7" in capsys.readouterr().err
