"""Models: every name form, versions that never change, and what is not there yet."""

import hashlib

import pytest

from service.domain.evaluations import Evaluation
from service.domain.jobs import JobError
from service.store import checkpoints, claims, jobs, models, versions
from service.store.engine import Database
from service.store.errors import ModelNeverTrained, ModelNotFound, ModelNotReady, UnknownCursor
from tests.builders import (
    BASELINE,
    NOON,
    a_claim,
    a_draft,
    a_queued_job,
    a_recorder,
    a_trained_job,
)


def test_every_name_form_finds_its_weights(database: Database) -> None:
    first_job, first = a_trained_job(database, model="먹기", step=1)
    _, second = a_trained_job(database, model="먹기", step=2)
    assert (first.version, second.version) == (1, 2)

    expected = {
        "먹기": second,
        "먹기@1": first,
        "먹기@2": second,
        first.model_id: first,
        first_job.id: first,
        first.checkpoint: first,
        f"{first_job.id}@best": first,
    }
    with database.read() as session:
        for reference, result in expected.items():
            servable = models.get_servable(session, reference)
            assert servable.checkpoint == result.checkpoint, reference
            assert servable.model == "먹기"
        latest = models.get_servable(session, f"{first_job.id}@latest")
        assert latest.weights_sha256 == models.get_servable(session, "먹기@1").weights_sha256


@pytest.mark.parametrize(
    "reference",
    [
        *("nothing", "eating@2", "eating@0", "eating@champion", "eating@", "eating@²", "@1", ""),
        *("mdl_0", "ckpt_0", "job_0", "job_0@best", f"eating@{10**30}", "eating@1@1"),
    ],
)
def test_what_is_not_there_is_not_found(database: Database, reference: str) -> None:
    a_trained_job(database, model="eating")
    with database.read() as session, pytest.raises(ModelNotFound):
        models.get_servable(session, reference)


def test_a_typing_mistake_is_answered_with_the_nearest_name(database: Database) -> None:
    a_trained_job(database, model="eating")
    with database.read() as session, pytest.raises(ModelNotFound, match="did you mean 'eating'"):
        models.get_servable(session, "eeting")


def test_a_model_can_be_asked_while_it_trains(database: Database) -> None:
    job = a_queued_job(database, model="eating")

    def serve(reference: str) -> int:
        with database.read() as session:
            found = models.get_servable(session, reference)
            assert (found.model, found.version) == ("eating", None)
            return next(step for step in (1, 2) if found.weights_sha256 == weights_of(step))

    for reference in (job.id, f"{job.id}@best", "eating"):
        with pytest.raises(ModelNotReady) as not_ready:
            serve(reference)
        assert not_ready.value.should_retry
    recorder = a_recorder(database, a_claim(database))
    recorder.checkpoint(a_draft(kinds=("best", "latest"), step=1))
    recorder.checkpoint(a_draft(kinds=("latest",), step=2))

    assert serve(job.id) == serve(f"{job.id}@latest") == 2
    assert serve(f"{job.id}@best") == 1


def test_a_job_that_failed_without_a_checkpoint_never_gets_there(database: Database) -> None:
    job = a_queued_job(database)
    claim = a_claim(database)
    with database.begin() as session:
        claims.fail(session, claim.lease, JobError(code="x", message="x"), now=NOON)
    with database.read() as session, pytest.raises(ModelNeverTrained) as never:
        models.get_servable(session, job.id)
    assert not never.value.should_retry


def test_the_best_checkpoint_becomes_the_version(database: Database) -> None:
    a_queued_job(database, model="eating")
    claim = a_claim(database)
    recorder = a_recorder(database, claim)
    recorder.checkpoint(a_draft(kinds=("best", "latest"), step=1))
    recorder.checkpoint(a_draft(kinds=("latest",), step=2))
    with database.begin() as session:
        result = claims.succeed(
            session, claim.lease, baseline=BASELINE, now=NOON, reason="early_stopping"
        )
        job = jobs.get_job(session, claim.job_id)
        version = models.get_version(session, "eating")

    assert version.weights_sha256 == weights_of(1)
    assert (version.model, version.version, version.parameters) == ("eating", 1, 100)
    assert (version.id, version.checkpoint) == (result.model_id, result.checkpoint)
    assert (job.status, job.status_reason, job.result) == ("succeeded", "early_stopping", result)


def test_what_is_told_of_a_job_is_told_of_the_same_weights_alone(database: Database) -> None:
    a_queued_job(database, model="eating")
    claim = a_claim(database)
    recorder = a_recorder(database, claim)
    recorder.checkpoint(a_draft(kinds=("best",), step=1))
    recorder.checkpoint(a_draft(kinds=("latest",), step=2))
    told = Evaluation(examples=7)
    with database.begin() as session:
        result = claims.succeed(session, claim.lease, baseline=BASELINE, evaluation=told, now=NOON)
        kept = checkpoints.list_checkpoints(session, claim.job_id).data
        promoted = {
            each.kind: versions.promote(session, "lunch", each.id, parameters=1, now=NOON)
            for each in kept
        }
        made = models.get_version(session, result.model_id)

    assert result.evaluation == made.evaluation == promoted["best"].evaluation == told
    assert promoted["latest"].evaluation is None


def test_a_job_without_a_name_makes_a_version_without_one(database: Database) -> None:
    job, result = a_trained_job(database)
    assert (result.model, result.version) == (result.model_id, None)
    with database.read() as session:
        assert models.list_models(session).data == []
        assert models.get_servable(session, job.id).model == result.model_id
        assert models.get_version(session, result.model_id).model is None


def test_a_version_outlives_its_job(database: Database) -> None:
    job, result = a_trained_job(database, model="eating")
    with database.begin() as session:
        jobs.apply_action(session, job.id, "delete", now=NOON)
        version = models.get_version(session, "eating@1")
        assert (version.id, version.job, version.checkpoint) == (result.model_id, None, None)
        assert models.get_servable(session, "eating").checkpoint is None


def test_models_and_versions_are_listed_in_pages(database: Database) -> None:
    for name in ("a", "b", "c", "b"):
        a_trained_job(database, model=name)

    with database.read() as session:
        first = models.list_models(session, limit=2)
        rest = models.list_models(session, limit=2, after=first.last_id)
        names = [model.name for model in [*first.data, *rest.data]]
        assert sorted(names) == ["a", "b", "c"]
        assert (first.has_more, rest.has_more) == (True, False)
        assert models.get_model(session, "b").versions == [2, 1]
        assert models.get_model(session, "b").latest.version == 2
        assert [v.version for v in models.list_versions(session, "b").data] == [2, 1]
        assert models.list_models(session, task="image_classification").data == []
        with pytest.raises(UnknownCursor):
            models.list_models(session, after="x")
        with pytest.raises(ModelNotFound):
            models.get_model(session, "x")
        with pytest.raises(ModelNotFound):
            models.list_versions(session, "x")


def weights_of(step: int) -> str:
    return hashlib.sha256(b"weights of step %d" % step).hexdigest()
