"""What the command line says becomes the body of a job."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from service.cli.request import job_body


def a_body(
    *,
    file: Path | None = None,
    top: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    metadata: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> dict[str, Any]:
    return job_body(
        file=file,
        top=top or {},
        training=training or {},
        metadata=metadata,
        settings=settings,
    )


def test_options_that_were_not_given_are_not_sent() -> None:
    body = a_body(top={"dataset": "eating", "model": None}, training={"epochs": None, "seed": 0})

    assert body == {"dataset": {"name": "eating"}, "training": {"seed": 0}}


def test_setting_an_option_of_a_bare_component_makes_it_an_object() -> None:
    body = a_body(top={"architecture": "rnn"}, settings=["architecture.hidden_size=128"])

    assert body == {"architecture": {"type": "rnn", "hidden_size": 128}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("relu", "relu"),
        ('"7"', "7"),
        ("a=b", "a=b"),
    ],
)
def test_a_set_value_is_json_or_else_a_string(text: str, value: Any) -> None:
    assert a_body(settings=[f"optimizer.x={text}"]) == {"optimizer": {"x": value}}


def test_options_win_over_the_file_and_set_over_options(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"dataset": "digits", "training": {"epochs": 1, "seed": 1}}))

    body = a_body(
        file=file,
        top={"dataset": "eating"},
        training={"epochs": 2},
        settings=["training.epochs=3", "dataset.lowercase=false"],
    )

    assert body == {
        "dataset": {"name": "eating", "lowercase": False},
        "training": {"epochs": 3, "seed": 1},
    }


def test_metadata_stay_strings() -> None:
    assert a_body(metadata=["course=1", "a.b=c"]) == {"metadata": {"course": "1", "a.b": "c"}}


@pytest.mark.parametrize("setting", ["epochs", "=3", "training.epochs.first=3"])
def test_a_setting_that_cannot_be_put_anywhere_is_wrong_usage(setting: str) -> None:
    with pytest.raises(typer.BadParameter):
        a_body(training={"epochs": 1}, settings=[setting])


@pytest.mark.parametrize("content", ["{", "[]", '"job"'])
def test_a_file_that_holds_no_object_is_wrong_usage(tmp_path: Path, content: str) -> None:
    file = tmp_path / "job.json"
    file.write_text(content)

    with pytest.raises(typer.BadParameter):
        a_body(file=file)


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="No such file"):
        a_body(file=tmp_path / "nowhere.json")
