"""Forks: a new job that goes on from a checkpoint of another, as if it had been the same."""

from typing import Any

import pytest
import sqlalchemy as sa

from service.catalogue import Catalogue
from service.domain.jobs import Job
from service.store import events
from service.store.engine import Database
from service.store.tables import BlobChunkRow
from tests.api.workshop import RNN, Workshop


@pytest.fixture
def workshop(database: Database, catalogue: Catalogue) -> Workshop:
    return Workshop(database, catalogue)


def fork(workshop: Workshop, job: Job, checkpoint: str | None = None, **patch: Any) -> Job:
    return workshop.accepted(f"/v1/jobs/{job.id}/fork", {"checkpoint": checkpoint, "patch": patch})


def refused(workshop: Workshop, job: Job, **body: Any) -> dict[str, str]:
    answer = workshop.post(f"/v1/jobs/{job.id}/fork", body)
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def computed_with_doubles(workshop: Workshop) -> None:
    """Write into all checkpoints that they were computed in a precision that no worker has."""
    with workshop.database.begin() as session:
        for chunk in session.scalars(sa.select(BlobChunkRow)):
            chunk.data = chunk.data.replace(b'precision\\":\\"float32', b'precision\\":\\"float64')


def last(workshop: Workshop, job: Job) -> tuple[int, str, str]:
    newest = workshop.checkpoints(job)[0]
    return newest["step"], newest["weights_sha256"], newest["state_sha256"]


def warned(workshop: Workshop, job: Job) -> list[Any]:
    with workshop.database.read() as session:
        seen = events.list_events(session, job.id)
    return [each.data for each in seen if each.type == "warning"]


def dropped(workshop: Workshop, job: Job) -> dict[str, Any] | None:
    told = warned(workshop, job)
    return next((data for data in told if data["code"] == "state_dropped"), None)


def test_a_fork_that_trains_longer_ends_with_the_bits_of_the_longer_run(
    workshop: Workshop,
) -> None:
    short = workshop.a_trained_job()
    long = workshop.a_trained_job(training={"epochs": 4})
    forked = fork(workshop, short, training={"epochs": 4})
    workshop.delete(f"/v1/jobs/{short.id}")

    assert workshop.train().status == "succeeded"

    assert last(workshop, forked) == last(workshop, long)
    assert dropped(workshop, forked) is None


def test_a_fork_in_the_midst_of_an_epoch_without_a_patch_repeats_the_rest(
    quick: Workshop,
) -> None:
    drawing = {**RNN, "layers": 2, "dropout": 0.3}
    rest: dict[str, Any] = {
        "optimizer": "adamw",
        "schedule": "one_cycle",
        "training": {"epochs": 3},
    }
    job = quick.a_trained_job(architecture=drawing, every_steps=3, **rest)

    forked = fork(quick, job, quick.at_step(job, 6))
    ended = quick.train()

    assert last(quick, forked) == last(quick, job)
    assert (ended.parent_job, ended.progress.step) == (job.id, job.progress.step)
    assert ended.spec.continues_from is not None
    assert ended.spec.continues_from.step == 6


def test_a_forked_stream_goes_on_with_its_hidden_state(quick: Workshop) -> None:
    stream = {"name": "kitchen", "sequences": "stream", "sequence_length": 16}
    job = quick.a_trained_job(dataset=stream, training={"batch_size": 2}, every_steps=5)

    forked = fork(quick, job, quick.at_step(job, 5))
    quick.train()

    assert last(quick, forked) == last(quick, job)


def test_a_drained_fork_goes_on_from_its_own_checkpoint(quick: Workshop, job: Job) -> None:
    whole = quick.a_trained_job(training={"epochs": 4})
    forked = fork(quick, job, training={"epochs": 4})

    assert quick.train(order="drain", after_steps=3).status == "queued"
    quick.train()

    assert last(quick, forked) == last(quick, whole)


def test_a_patched_learning_rate_acts_at_once(quick: Workshop, job: Job) -> None:
    forked = fork(quick, job, optimizer={"lr": 0.025}, training={"epochs": 3})
    quick.train()

    rates = quick.get(f"/v1/jobs/{forked.id}/metrics?name=lr")["series"]["lr"]["value"]
    assert set(rates) == {0.025}
    assert dropped(quick, forked) is None


def test_a_fork_that_changes_the_data_order_begins_at_step_0_with_the_weights(
    quick: Workshop,
    job: Job,
) -> None:
    forked = fork(quick, job, training={"batch_size": 8})
    ended = quick.train()

    told = dropped(quick, forked)
    assert told is not None
    assert told["drops"] == {
        "position": "the batch size changed",
        "best": "training begins again at step 0",
    }
    assert ended.progress.step == 2 * 2 * job.progress.step // 2
    assert ended.spec.continues_from is not None
    assert ended.spec.continues_from.keeps == ["weights", "optimizer"]


def test_another_optimizer_type_takes_over_none_of_the_old_options(
    quick: Workshop, job: Job
) -> None:
    forked = fork(quick, job, optimizer={"type": "adam"}, training={"epochs": 3})
    quick.train()

    told = dropped(quick, forked)
    assert told is not None
    assert told["drops"] == {"optimizer": "it was sgd and is adam"}
    assert forked.spec.optimizer.options()["lr"] == 0.01  # what suits the architecture


def test_tensors_that_do_not_fit_are_fresh_and_named(quick: Workshop, job: Job) -> None:
    forked = fork(quick, job, architecture={"layers": 2}, training={"epochs": 3})
    ended = quick.train()

    told = dropped(quick, forked)
    assert told is not None
    assert told["fresh_tensors"] == ["layers.1.W_xu", "layers.1.W_xx", "layers.1.b_x"]
    assert set(told["drops"]) == {"weights", "optimizer", "best"}
    assert ended.status == "succeeded"


def test_a_fork_serves_what_it_begins_with_as_what_that_was_trained(
    quick: Workshop, job: Job
) -> None:
    body = {"inputs": ["I like"]}

    forked = fork(quick, job, architecture={"layers": 2}, training={"epochs": 3})

    answers = [quick.post(f"/v1/models/{each.id}/predict", body).json() for each in (job, forked)]
    assert answers[0]["predictions"] == answers[1]["predictions"]


def test_a_fork_of_what_a_fork_began_with_drops_no_less(quick: Workshop, job: Job) -> None:
    first = fork(quick, job, training={"batch_size": 8})

    second = fork(quick, first)

    assert second.spec.continues_from is not None
    assert second.spec.continues_from.keeps == ["weights", "optimizer"]
    assert second.spec.continues_from.drops["position"] == "the batch size changed"


def test_the_best_so_far_is_kept_only_where_it_can_be_served(quick: Workshop) -> None:
    job = quick.a_trained_job(training={"epochs": 4}, every_steps=5)

    early = fork(quick, job, quick.at_step(job, 5))
    late = fork(quick, job, training={"epochs": 5})

    assert early.spec.continues_from is not None
    assert "no longer kept" in early.spec.continues_from.drops["best"]
    assert [each["kind"] for each in quick.checkpoints(early)] == ["latest"]
    assert {each["kind"] for each in quick.checkpoints(late)} == {"latest", "best"}


def test_early_stopping_is_remembered_while_its_metric_is_the_same(quick: Workshop) -> None:
    stopping = {"metric": "val_loss", "patience": 3}
    job = quick.a_trained_job(training={"early_stopping": stopping})

    same = fork(quick, job, training={"epochs": 3})
    other = fork(quick, job, training={"early_stopping": {"metric": "val_accuracy"}, "epochs": 3})

    assert same.spec.continues_from is not None
    assert "early_stopping" in same.spec.continues_from.keeps
    assert other.spec.continues_from is not None
    assert other.spec.continues_from.drops == {"early_stopping": "the metric is another"}


def test_the_fork_of_a_job_that_was_stopped_early_trains_on(quick: Workshop) -> None:
    stopping = {"metric": "val_loss", "patience": 2}
    stopped = quick.a_trained_job(
        optimizer={"type": "sgd", "lr": 1e-9}, training={"epochs": 9, "early_stopping": stopping}
    )
    assert (stopped.status_reason, stopped.progress.epoch) == ("early_stopping", 3)

    forked = fork(quick, stopped)
    ended = quick.train()

    assert ended.progress.epoch == 5
    assert [each["code"] for each in warned(quick, forked)] == ["patience_renewed"]


def test_a_fork_waits_where_its_checkpoint_is(quick: Workshop, job: Job) -> None:
    epochs = fork(quick, job, training={"epochs": 8}).progress
    steps = fork(quick, job, training={"max_steps": 80}).progress

    assert (epochs.epoch, epochs.percent) == (2, 25.0)
    assert (steps.step, steps.percent) == (8, 10.0)


def test_a_fork_that_must_be_exact_cannot_choose_other_bits(quick: Workshop) -> None:
    job = quick.a_trained_job(training={"exact": "required"})
    more = {"epochs": 3}

    other = {"device": "cuda", "precision": "bfloat16"}
    wrong = refused(quick, job, patch={"training": {**more, **other}})
    fork(quick, job, training={**more, "device": "cpu", "precision": "auto"})

    assert "was cpu" in wrong["/patch/training/device"]
    assert "was float32" in wrong["/patch/training/precision"]
    assert quick.train().status == "succeeded"


def test_who_fits_and_still_cannot_go_on_exactly_says_so(quick: Workshop) -> None:
    """Given back to the queue, it would take the job again at once, for ever."""
    job = quick.a_job(training={"exact": "required"}, every_steps=3)
    assert quick.train(order="drain", after_steps=4).id == job.id
    computed_with_doubles(quick)

    failed = quick.train()

    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.code == "cannot_be_exact"
    assert "precision was float64 and is float32" in failed.error.message


def test_one_length_replaces_the_other(quick: Workshop, job: Job) -> None:
    steps = fork(quick, job, training={"max_steps": 20}).spec.training
    both = refused(quick, job, patch={"training": {"max_steps": 20, "epochs": 9}})

    assert (steps.epochs, steps.max_steps) == (None, 20)
    assert "/patch/training" in both


def test_a_length_that_is_reached_is_answered_with_the_one_to_give(
    quick: Workshop, job: Job
) -> None:
    epochs = refused(quick, job)
    steps = refused(quick, job, patch={"training": {"max_steps": job.progress.step}})

    assert "give at least 3" in epochs["/patch/training/epochs"]
    assert f"at step {job.progress.step}" in steps["/patch/training/max_steps"]


def test_what_is_wrong_in_a_patch_is_pointed_at_in_the_patch(quick: Workshop, job: Job) -> None:
    found = refused(
        quick, job, patch={"optimizer": {"lr": 0}, "trainig": {}, "architecture": {"layers": "2"}}
    )

    assert set(found) == {"/patch/optimizer/lr", "/patch/trainig", "/patch/architecture/layers"}
    assert "did you mean 'training'" in found["/patch/trainig"]
    assert set(refused(quick, job, patch=3)) == {"/patch"}
    assert set(refused(quick, job, patch={"dataset": "digits"})) == {"/patch/architecture"}


def test_a_checkpoint_must_be_kept_and_of_this_job(quick: Workshop, job: Job) -> None:
    other = quick.a_trained_job()
    foreign = quick.checkpoints(other)[0]["id"]

    assert set(refused(quick, job, checkpoint=foreign)) == {"/checkpoint"}
    quick.delete(f"/v1/jobs/{other.id}")
    gone = quick.post(f"/v1/jobs/{job.id}/fork", {"checkpoint": foreign})

    assert (gone.status_code, gone.json()["code"]) == (404, "checkpoint_not_found")


def test_a_job_without_a_checkpoint_cannot_be_forked_yet(quick: Workshop) -> None:
    job = quick.a_job()

    waiting = quick.post(f"/v1/jobs/{job.id}/fork", {})
    quick.post(f"/v1/jobs/{job.id}/cancel")
    ended = quick.post(f"/v1/jobs/{job.id}/fork", {})

    assert (waiting.status_code, waiting.json()["code"]) == (409, "model_not_ready")
    assert (ended.status_code, ended.json()["code"]) == (409, "model_never_trained")


def test_a_fork_needs_its_dataset(quick: Workshop, job: Job) -> None:
    quick.delete("/v1/datasets/kitchen")

    gone = quick.post(f"/v1/jobs/{job.id}/fork", {"patch": {"training": {"epochs": 9}}})

    assert (gone.status_code, gone.json()["code"]) == (404, "dataset_not_found")
