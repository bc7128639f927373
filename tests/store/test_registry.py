"""The registry: aliases move, descriptions change, and nothing is deleted that somebody names."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.domain.models import ModelChange
from service.store import events, jobs, models, registry, results
from service.store.blobs import collect
from service.store.engine import Database
from service.store.errors import AliasNotFound, ModelInUse, ModelNotFound
from service.store.tables import BlobRow
from tests.builders import (
    BASELINE,
    COMPONENTS,
    NOON,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_spec,
    a_trained_job,
    find_claim,
)


def alias(database: Database, name: str, to: int, *, model: str = "먹기") -> None:
    with database.begin() as session:
        registry.set_alias(session, model, name, to, now=NOON)


def served(database: Database, reference: str) -> int | None:
    with database.read() as session:
        return models.get_servable(session, reference).version


def delete(database: Database, reference: str) -> None:
    with database.begin() as session:
        registry.delete_model(session, reference)


@pytest.fixture
def three(database: Database) -> Database:
    """A model with three versions."""
    for step in (1, 2, 3):
        a_trained_job(database, model="먹기", step=step)
    return database


def test_an_alias_stands_for_a_version_and_can_move(three: Database) -> None:
    alias(three, "우승자", 1)
    assert served(three, "먹기@우승자") == 1

    alias(three, "우승자", 3)
    alias(three, "challenger", 1)

    assert served(three, "먹기@우승자") == 3
    with three.read() as session:
        found = models.get_model(session, "먹기")
        assert found.aliases == {"challenger": 1, "우승자": 3}
        assert found.latest.aliases == ["우승자"]
        assert models.get_version(session, "먹기@1").aliases == ["challenger"]
        listed = models.list_versions(session, "먹기").data
        assert [each.aliases for each in listed] == [["우승자"], [], ["challenger"]]


def test_latest_is_the_newest_version(three: Database) -> None:
    assert served(three, "먹기@latest") == served(three, "먹기") == 3


def test_an_alias_needs_a_version_that_exists(three: Database) -> None:
    with pytest.raises(ModelNotFound):
        alias(three, "우승자", 4)
    with pytest.raises(ModelNotFound):
        alias(three, "우승자", 1, model="nobody")


def test_a_forgotten_alias_stands_for_nothing(three: Database) -> None:
    alias(three, "우승자", 1)
    with three.begin() as session:
        registry.delete_alias(session, "먹기", "우승자")

    with pytest.raises(ModelNotFound):
        served(three, "먹기@우승자")
    with three.begin() as session, pytest.raises(AliasNotFound):
        registry.delete_alias(session, "먹기", "우승자")
    assert served(three, "먹기@1") == 1


@pytest.mark.parametrize("reference", ["먹기", "먹기@1", "먹기@우승자"])
def test_what_an_alias_stands_for_is_not_deleted(three: Database, reference: str) -> None:
    alias(three, "우승자", 1)

    with pytest.raises(ModelInUse, match="우승자"):
        delete(three, reference)

    assert served(three, "먹기@1") == 1


def test_a_deleted_version_is_gone_and_its_number_too(three: Database) -> None:
    delete(three, "먹기@3")
    with pytest.raises(ModelNotFound, match=r"Version 3 of '먹기' was deleted; .*known: 먹기"):
        served(three, "먹기@3")
    with pytest.raises(ModelNotFound, match="No model is known by this name"):
        served(three, "먹기@4")
    assert served(three, "먹기") == 2

    a_trained_job(three, model="먹기", step=4)

    assert served(three, "먹기") == 4


def test_a_deleted_model_is_not_shown_and_counts_on(three: Database) -> None:
    change(three, "먹기", description="말을 잇는다", tags=["한국어"])
    delete(three, "먹기")
    with three.read() as session:
        assert models.list_models(session).data == []
        with pytest.raises(ModelNotFound, match="The model '먹기' was deleted"):
            models.get_model(session, "먹기")

    a_trained_job(three, model="먹기", step=4)

    with three.read() as session:
        again = models.get_model(session, "먹기")
    assert (again.versions, again.description, again.tags) == ([4], None, [])


def test_bytes_that_only_a_deleted_version_needed_go(database: Database) -> None:
    job, result = a_trained_job(database, model="eating", step=1)
    with database.read() as session:
        sha256 = models.get_version(session, "eating").weights_sha256
    delete(database, result.model_id)
    with database.read() as session:
        assert session.get(BlobRow, sha256) is not None  # the job's checkpoint has them
        assert models.get_servable(session, job.id).weights_sha256 == sha256

    with database.begin() as session:
        jobs.apply_action(session, job.id, "delete", now=NOON)
    collect(database)

    with database.read() as session:
        assert session.get(BlobRow, sha256) is None


def change(database: Database, name: str, **given: object) -> None:
    with database.begin() as session:
        registry.change_model(session, name, ModelChange.model_validate(given))


def test_what_is_not_given_stays(three: Database) -> None:
    change(three, "먹기", description="말을 잇는다", tags=["food", "한국어", "food"])
    change(three, "먹기", tags=["한국어"])

    with three.read() as session:
        found = models.get_model(session, "먹기")
    assert (found.description, found.tags) == ("말을 잇는다", ["한국어"])

    change(three, "먹기", description=None, tags=None)

    with three.read() as session:
        found = models.get_model(session, "먹기")
    assert (found.description, found.tags) == (None, [])


def test_models_are_found_by_their_tags(three: Database) -> None:
    a_trained_job(three, model="eating", step=9)
    change(three, "먹기", tags=["한국어", "food"])
    change(three, "eating", tags=["food"])

    def names(tag: str) -> list[str]:
        with three.read() as session:
            return sorted(each.name for each in models.list_models(session, tag=tag).data)

    assert names("food") == ["eating", "먹기"]
    assert names("한국어") == ["먹기"]
    assert names("foo") == []


def test_a_model_that_is_not_there_cannot_be_described(three: Database) -> None:
    with pytest.raises(ModelNotFound):
        change(three, "nobody", description="?")


def test_a_name_that_another_task_took_meanwhile_does_not_cost_a_job_its_model(
    database: Database,
) -> None:
    late = a_queued_job(database, model="eating")
    recorder = a_recorder(database, claim := a_claim(database))
    recorder.checkpoint(a_draft(kinds=("best", "latest")))
    other = a_spec(a_dataset(database), model="eating").model_copy(update={"task": "singing"})
    a_queued_job(database, spec=other)
    second = find_claim(database, components=[*COMPONENTS, "task:singing"])
    assert second is not None
    a_recorder(database, second).checkpoint(a_draft(kinds=("best", "latest")))
    with database.begin() as session:
        results.succeed(session, second.lease, baseline=BASELINE, now=NOON)

    with database.begin() as session:
        result = results.succeed(session, claim.lease, baseline=BASELINE, now=NOON)

    assert (result.model, result.version) == (result.model_id, None)
    with database.read() as session:
        seen = events.list_events(session, late.id)
        assert models.get_servable(session, late.id).task == "next_word"
        assert models.get_model(session, "eating").task == "singing"
    assert [each.data["code"] for each in seen if each.type == "warning"] == ["model_task_differs"]


def test_of_two_changes_at_once_one_is_the_last(three: Database) -> None:
    with ThreadPoolExecutor(2) as people:
        for _ in range(10):
            told = [people.submit(change, three, "먹기", tags=[tag]) for tag in ("a", "b")]
            for each in told:
                each.result()
            with three.read() as session:
                assert models.get_model(session, "먹기").tags in (["a"], ["b"])
