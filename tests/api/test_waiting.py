"""Waiting for jobs: many waiters, one poller, on both databases."""

import asyncio
import gc
from collections import Counter

import pytest

from service.api.turns import AT_ONCE
from service.api.waiting import POLL_SECONDS, Waiter
from service.store import jobs as job_store
from service.store.deadline import begin_within
from service.store.engine import Database
from tests.builders import NOON, a_queued_job


def test_all_who_wait_for_a_job_hear_of_its_change(database: Database) -> None:
    job = a_queued_job(database)

    async def scenario() -> None:
        waiter = Waiter(database)
        waiting = [
            asyncio.create_task(waiter.wait_for_change(job.id, "queued", seconds=60))
            for _ in range(20)
        ]
        await asyncio.to_thread(cancel, database, job.id)
        await asyncio.wait_for(asyncio.gather(*waiting), timeout=30)

    asyncio.run(scenario())


def test_a_wait_ends_without_a_change(database: Database) -> None:
    job = a_queued_job(database)
    asyncio.run(Waiter(database).wait_for_change(job.id, "queued", seconds=0.3))


def test_a_service_that_ends_lets_everybody_go(database: Database) -> None:
    job = a_queued_job(database)

    async def scenario() -> None:
        waiter = Waiter(database)
        waiting = asyncio.create_task(waiter.wait_for_change(job.id, "queued", seconds=600))
        await asyncio.wait([waiting], timeout=0)  # lets the task begin to wait
        waiter.close()
        await waiting
        await waiter.wait_for_change(job.id, "queued", seconds=600)

    asyncio.run(scenario())


def test_a_job_that_is_gone_is_a_change(database: Database) -> None:
    asyncio.run(Waiter(database).wait_for_change("job_gone", "queued", seconds=60))


def test_waiting_outlives_the_time_by_which_its_request_had_to_begin(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    job = a_queued_job(database)

    async def wait() -> None:
        begin_within(0)
        await Waiter(database).wait_for_change(job.id, "queued", seconds=2.5 * POLL_SECONDS)

    gc.freeze()  # to look through all that was there before takes a second
    asyncio.run(wait())
    gc.collect()  # a poller that failed is told of when it goes
    gc.unfreeze()
    assert caplog.text == ""


def test_others_get_their_turn_while_many_are_woken(sqlite_database: Database) -> None:
    job = a_queued_job(sqlite_database)
    turn = 0
    woken: Counter[int] = Counter()

    async def wait(waiter: Waiter) -> None:
        await waiter.wait_for_change(job.id, "queued", seconds=60)
        woken[turn] += 1

    async def scenario() -> None:
        nonlocal turn
        waiter = Waiter(sqlite_database)
        waiting = [asyncio.create_task(wait(waiter)) for _ in range(200)]
        await asyncio.to_thread(cancel, sqlite_database, job.id)
        while sum(woken.values()) < len(waiting):
            await asyncio.sleep(0)
            turn += 1

    asyncio.run(asyncio.wait_for(scenario(), timeout=60))
    assert max(woken.values()) <= AT_ONCE


def cancel(database: Database, job_id: str) -> None:
    with database.begin() as session:
        job_store.apply_action(session, job_id, "cancel", now=NOON)
