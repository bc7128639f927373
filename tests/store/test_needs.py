"""A job that must go on exactly waits for a machine like the one that wrote its checkpoint."""

from service.domain.environments import Environment, offers, offers_threads
from service.domain.jobs import Claim, JobSpec
from service.domain.requests import Exactness
from service.store import claims
from service.store.engine import Database
from tests.builders import (
    COMPONENTS,
    NOON,
    PREPARATION,
    a_claim,
    a_dataset,
    a_draft,
    a_queued_job,
    a_recorder,
    a_run,
    a_spec,
    find_claim,
)

MACHINE: Environment = {
    "device": "cpu",
    "threads": 2,
    "precision": "float32",
    "memory_format": "contiguous_format",
    "torch": "2.13.0",
    "cpu_capability": "AVX2",
}


def spec_with(database: Database, exact: Exactness) -> JobSpec:
    spec = a_spec(a_dataset(database))
    return spec.model_copy(update={"training": spec.training.model_copy(update={"exact": exact})})


def queued_again(database: Database, exact: Exactness, *, checkpoints: int = 1) -> None:
    """Train a job on a machine, and give it back."""
    a_queued_job(database, spec=spec_with(database, exact))
    claim = a_claim(database)
    recorder = a_recorder(database, claim, started=False)
    recorder.started(a_run().model_copy(update={"environment": MACHINE}), PREPARATION)
    for step in range(checkpoints):
        recorder.checkpoint(a_draft(step=step))
    with database.begin() as session:
        claims.release(session, claim.lease, status="queued", now=NOON)


def claim_with(
    database: Database, *, torch: str = "2.13.0", cpu: str = "AVX2", threads: int = 2
) -> Claim | None:
    """Look for work on a machine."""
    machine = offers(torch=torch, cpu_capability=cpu, devices=["cpu"], bfloat16=True)
    return find_claim(database, components=[*COMPONENTS, *machine, *offers_threads(threads)])


def test_only_a_machine_like_the_first_goes_on(database: Database) -> None:
    queued_again(database, "required", checkpoints=2)

    assert claim_with(database, threads=1) is None
    assert claim_with(database, cpu="AVX512") is None
    assert claim_with(database, torch="2.14.0") is None
    assert claim_with(database, threads=4) is not None


def test_without_a_checkpoint_any_machine_does(database: Database) -> None:
    queued_again(database, "required", checkpoints=0)

    assert claim_with(database, threads=1, cpu="AVX512") is not None


def test_a_job_that_only_prefers_it_goes_on_anywhere(database: Database) -> None:
    queued_again(database, "preferred")

    assert find_claim(database) is not None
