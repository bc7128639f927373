"""Model cards: the limits follow from the numbers, and no name breaks the page."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.card_text import markdown
from service.domain.cards import ModelCard, TrainedOn, limits
from service.domain.components import Component
from service.domain.evaluations import Calibration, ClassReport, Evaluation, Interval
from service.domain.jobs import Baseline

GUESS = Baseline(name="majority_class", metrics={"val_accuracy": 0.6})


def a_report(label: str, *, recall: float = 0.9) -> ClassReport:
    return ClassReport(label=label, examples=400, precision=0.9, recall=recall, f1=0.9)


def an_evaluation(**changes: Any) -> Evaluation:
    measured: dict[str, Any] = {
        "examples": 900,
        "intervals": {"val_accuracy": Interval(value=0.9, low=0.88, high=0.92, method="wilson")},
    }
    return Evaluation.model_validate({**measured, **changes})


def a_card(**changes: Any) -> ModelCard:
    known: dict[str, Any] = {
        "id": "mdl_1",
        "model": "스팸",
        "version": 3,
        "task": "text_classification",
        "architecture": Component.model_validate({"type": "mlp", "hidden_sizes": [8]}),
        "parameters": 1234,
        "bytes": 5678,
        "weights_sha256": "ab" * 32,
        "dataset": TrainedOn(name="sms", licence="CC BY 4.0"),
        "training": None,
        "metrics": {"val_loss": 0.2, "val_accuracy": 0.9},
        "baseline": GUESS,
        "evaluation": an_evaluation(),
        "created_at": datetime(2026, 11, 21, tzinfo=UTC),
    }
    return ModelCard.model_validate({**known, **changes})


def test_a_good_model_on_much_data_has_no_limit_to_tell() -> None:
    assert limits(a_card()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluation": an_evaluation(examples=30)}, "30 examples only"),
        ({"metrics": {"val_accuracy": 0.6}}, "no better than majority_class"),
        ({"evaluation": None}, "not known"),
        (
            {
                "evaluation": an_evaluation(
                    calibration=Calibration(
                        temperature=2.0, error_before=0.2, error_after=0.03, examples=900
                    )
                )
            },
            "off by 20% on average, by 3% at a temperature of 2",
        ),
        (
            {
                "evaluation": an_evaluation(
                    classes=[
                        a_report("ham"),
                        a_report("spam", recall=0.0),
                    ]
                )
            },
            "recognised no example of 'spam'",
        ),
    ],
)
def test_what_the_numbers_say_against_a_model_is_told(changes: dict[str, Any], said: str) -> None:
    [limit] = limits(a_card(**changes))

    assert said in limit


def test_a_page_tells_what_it_is_worth() -> None:
    page = markdown(a_card(description="Tells spam from ham.", tags=["한국어"]))

    assert "# 스팸@3" in page
    assert "| val_accuracy | 0.9 | 0.88 to 0.92 | 0.6 |" in page
    assert 'tags: ["text_classification", "한국어"]' in page
    assert "licence: CC BY 4.0" in page
    assert "Tells spam from ham." in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_no_name_breaks_the_page() -> None:
    wild = "a|b`c\nd\n---"
    report = a_report(wild)
    page = markdown(
        a_card(
            tags=[wild], dataset=TrainedOn(name=wild), evaluation=an_evaluation(classes=[report])
        )
    )

    assert page.splitlines().count("---") == 2  # around the metadata, and nowhere else
    assert "| a\\|b'c d --- | 400 |" in page
