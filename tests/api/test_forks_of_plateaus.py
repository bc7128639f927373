"""Forks of jobs whose schedule goes by what it has seen."""

from typing import Any

import pytest

from service.domain.jobs import Job
from tests.api.workshop import Workshop

PLATEAU: dict[str, Any] = {"type": "plateau", "patience": 1, "factor": 0.5}
STILL: dict[str, Any] = {"type": "sgd", "lr": 1e-9}


def a_job(quick: Workshop, epochs: int) -> Job:
    training = {"epochs": epochs}
    return quick.a_trained_job(optimizer=STILL, schedule=PLATEAU, training=training)


def forked(quick: Workshop, job: Job, **patch: Any) -> tuple[Job, list[float]]:
    """Fork a job for two epochs more; return what it was accepted as, and its learning rates."""
    body = {"patch": {"training": {"epochs": 5}, **patch}}
    fork = quick.accepted(f"/v1/jobs/{job.id}/fork", body)
    quick.train()
    return fork, rates(quick, fork)


def rates(quick: Workshop, job: Job) -> list[float]:
    return quick.get(f"/v1/jobs/{job.id}/metrics?name=lr")["series"]["lr"]["value"]


def test_a_longer_run_goes_on_with_what_was_seen(quick: Workshop) -> None:
    job, whole = a_job(quick, 3), a_job(quick, 5)

    fork, seen = forked(quick, job)

    assert fork.spec.continues_from is not None
    assert "schedule" in fork.spec.continues_from.keeps
    assert seen == rates(quick, whole)[-len(seen) :]
    ends = [quick.checkpoints(each)[0]["state_sha256"] for each in (fork, whole)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "patch", [{"optimizer": {"lr": 2e-9}}, {"schedule": {"metric": "val_perplexity"}}]
)
def test_a_new_rate_or_another_metric_begins_to_look_anew(
    quick: Workshop, patch: dict[str, Any]
) -> None:
    fork, seen = forked(quick, a_job(quick, 3), **patch)

    begun = fork.spec.continues_from
    assert begun is not None
    assert begun.drops == {"schedule": "options of the schedule or of the optimizer changed"}
    assert seen[0] == patch.get("optimizer", STILL)["lr"]


def test_another_schedule_has_nothing_to_remember(quick: Workshop) -> None:
    fork, seen = forked(quick, a_job(quick, 3), schedule={"type": "constant"})

    assert fork.spec.continues_from is not None
    assert fork.spec.continues_from.drops == {}
    assert set(seen) == {1e-9}
