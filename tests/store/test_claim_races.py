"""Many claim at once: no job to two, none skipped, whatever clients and clocks do meanwhile."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.jobs import ENDED, Claim, JobError, NewJob
from service.domain.transitions import JobActionRefused
from service.store import claims, jobs
from service.store.engine import Database, database_now
from service.store.errors import LeaseLost
from service.store.events import list_events
from tests.builders import NOON, a_dataset, a_queued_job, a_spec, find_claim
from tests.eventually import eventually

WORKERS = 8
DONE = JobError(code="done", message="It was run.")
KEPT = timedelta(minutes=10)
LOST_AT_ONCE = timedelta(0)
PRIORITIES = st.integers(-2, 2)


def enqueue(database: Database, count: int, choose: random.Random) -> list[str]:
    spec = a_spec(a_dataset(database))
    with database.begin() as session:
        return [
            jobs.enqueue(session, NewJob(spec=spec, priority=choose.randint(-3, 3)), now=NOON).id
            for _ in range(count)
        ]


def work(database: Database, ended: Event, seed: int) -> list[Claim]:
    """Claim, and end, lose or give back what was claimed; return what was ended."""
    choose = random.Random(seed)
    done: list[Claim] = []
    while not ended.is_set():
        lost = choose.random() < 0.2
        with database.begin() as session:
            now = database_now(session)
        claim = find_claim(database, lease_for=LOST_AT_ONCE if lost else KEPT, now=now)
        if claim is None or lost:
            continue
        with database.begin() as session:
            if choose.random() < 0.2:
                claims.release(session, claim.lease, status="queued", now=now)
            else:
                claims.fail(session, claim.lease, DONE, now=now)
                done.append(claim)
    return done


def cancel(database: Database, job_ids: list[str], choose: random.Random) -> None:
    for job_id in choose.sample(job_ids, len(job_ids) // 4):
        try:
            with database.begin() as session:
                jobs.apply_action(session, job_id, "cancel", now=database_now(session))
        except JobActionRefused:  # it has been ended before
            continue


def wait_until_ended(database: Database, job_ids: list[str]) -> None:
    def have_ended() -> bool:
        with database.read() as session:
            return ENDED.issuperset(jobs.find_statuses(session, job_ids).values())

    eventually(have_ended)


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.slow)])
def test_each_job_is_ended_once_whatever_happens_to_its_claims(
    database: Database, count: int
) -> None:
    choose, ended = random.Random(3), Event()
    job_ids = enqueue(database, count, choose)
    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work, database, ended, seed) for seed in range(WORKERS)]
        try:
            cancel(database, job_ids, choose)
            wait_until_ended(database, job_ids)
        finally:
            ended.set()
    done = Counter(claim.job_id for each in working for claim in each.result())

    with database.read() as session:
        statuses = jobs.find_statuses(session, job_ids)
        for job_id, status in statuses.items():
            claimed = [
                e.data["attempt"] for e in list_events(session, job_id) if e.type == "claimed"
            ]
            assert claimed == list(range(1, len(claimed) + 1))
            assert done[job_id] == (status == "failed")
            assert status in {"failed", "cancelled"}


def test_two_who_claim_with_one_lease_lost_never_both_write(database: Database) -> None:
    job = a_queued_job(database)
    stale = find_claim(database, lease_for=LOST_AT_ONCE, now=NOON)
    later = NOON + timedelta(seconds=1)
    with ThreadPoolExecutor(WORKERS) as pool:
        claiming = [pool.submit(find_claim, database, now=later) for _ in range(WORKERS)]
    claimed = [each.result() for each in claiming]

    assert stale is not None
    assert [claim.attempt for claim in claimed if claim] == [2]
    with pytest.raises(LeaseLost), database.begin() as session:
        claims.fail(session, stale.lease, DONE, now=later)
    with database.read() as session:
        assert jobs.get_job(session, job.id).status == "running"


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("enqueue"), PRIORITIES),
            st.tuples(st.sampled_from(["claim", "cancel", "give back", "lose"]), st.integers(0, 9)),
        ),
        max_size=25,
    )
)
def test_one_who_claims_takes_the_highest_priority_and_of_it_the_oldest(
    database: Database, steps: list[tuple[str, int]]
) -> None:
    queue: list[tuple[int, str]] = []  # (-priority, id): what is next comes first
    losses = 0
    with database.begin() as session:
        for job in jobs.list_jobs(
            session, filters=jobs.JobFilters(status="queued"), limit=100
        ).data:
            jobs.apply_action(session, job.id, "cancel", now=NOON)
    for step, number in steps:
        if step == "enqueue":
            queue.append((-number, a_queued_job(database, priority=number).id))
        elif step == "cancel" and queue:
            _, job_id = queue.pop(number % len(queue))
            with database.begin() as session:
                jobs.apply_action(session, job_id, "cancel", now=NOON)
        elif step != "cancel":
            claim = find_claim(database, lease_for=LOST_AT_ONCE if step == "lose" else KEPT)
            expected = min(queue, default=None)
            assert (claim.job_id if claim else None) == (expected[1] if expected else None)
            if claim is None or expected is None:
                continue
            if step == "claim":
                queue.remove(expected)
            with database.begin() as session:
                if step == "lose" and losses < claims.MAX_RECLAIMS:
                    losses += 1
                    claims.settle_expired(session, now=NOON + timedelta(seconds=1))
                elif step != "claim":
                    claims.release(session, claim.lease, status="queued", now=NOON)
