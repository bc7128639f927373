"""Cards from the database: what is gone is not told, and what is there is of this version."""

import pytest

from service.domain.models import ModelChange
from service.store import cards, datasets, jobs, registry
from service.store.engine import Database
from service.store.errors import ModelNotFound
from tests.builders import NOON, a_trained_job


def test_a_card_tells_of_data_training_and_what_people_said(database: Database) -> None:
    job, result = a_trained_job(database, model="먹기")
    with database.begin() as session:
        said = ModelChange(description="말을 잇는다.", tags=["한국어"])
        registry.change_model(session, "먹기", said)
        registry.set_alias(session, "먹기", "우승자", 1, now=NOON)

    with database.read() as session:
        card = cards.get_card(session, "먹기@우승자")

    assert (card.id, card.model, card.version) == (result.model_id, "먹기", 1)
    assert (card.description, card.tags, card.aliases) == ("말을 잇는다.", ["한국어"], ["우승자"])
    assert card.dataset.name == job.spec.dataset.name
    assert card.dataset.sha256 == job.spec.dataset.sha256
    assert card.dataset.facts is not None
    assert card.training is not None
    assert card.training.job == job.id
    assert card.training.optimizer == job.spec.optimizer
    assert card.metrics == result.metrics
    assert card.limits


def test_a_card_outlives_its_job_and_its_data(database: Database) -> None:
    job, _ = a_trained_job(database, model="먹기")
    with database.begin() as session:
        datasets.delete_dataset(session, job.spec.dataset.name)
    with database.read() as session:
        without_data = cards.get_card(session, "먹기")
    with database.begin() as session:
        jobs.apply_action(session, job.id, "delete", now=NOON)
    with database.read() as session:
        without_job = cards.get_card(session, "먹기")

    assert (without_data.dataset.sha256, without_data.dataset.facts) == (
        job.spec.dataset.sha256, None,
    )  # fmt: skip
    assert without_job.training is None
    assert without_job.dataset.name == job.spec.dataset.name
    assert without_job.metrics == without_data.metrics


@pytest.mark.parametrize("reference", ["nobody", "먹기@2", "먹기@nobody", "job_1"])
def test_what_is_no_version_has_no_card(database: Database, reference: str) -> None:
    a_trained_job(database, model="먹기")

    with database.read() as session, pytest.raises(ModelNotFound):
        cards.get_card(session, reference)
