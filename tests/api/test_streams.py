"""Streams of events: whole, in order, shared by all who listen, and ended for a reason."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

from sqlalchemy import event

from service.api.streams import EventFeed, follow, replay
from service.api.turns import AT_ONCE
from service.api.waiting import Waiter
from service.domain.transitions import JobAction
from service.store import events
from service.store import jobs as job_store
from service.store.engine import Database
from tests.builders import NOON, a_queued_job

DEADLINE = 60


def act(database: Database, job_id: str, action: JobAction) -> None:
    with database.begin() as session:
        job_store.apply_action(session, job_id, action, now=NOON)


async def heard(stream: AsyncIterator[bytes]) -> list[str]:
    """Collect what is sent; of an event its id and name."""
    names: list[str] = []
    async with asyncio.timeout(DEADLINE):
        async for piece in stream:
            for frame in piece.decode().removesuffix("\n\n").split("\n\n"):
                fields = dict(line.split(": ", 1) for line in frame.splitlines())
                names.append(f"{fields.get('id', '-')} {fields.get('event', next(iter(fields)))}")
    return names


def test_a_stream_has_what_was_and_what_comes_to_the_end(database: Database) -> None:
    job = a_queued_job(database)

    async def scenario() -> list[str]:
        waiter = Waiter(database)
        listening = asyncio.create_task(heard(follow(EventFeed(database), waiter, job.id, 0)))
        for action in ("pause", "resume", "cancel"):
            await asyncio.to_thread(act, database, job.id, action)
        return await listening

    assert asyncio.run(scenario()) == [
        *("- retry", "1 queued", "2 paused", "3 resumed", "4 cancelled", "- end")
    ]


def test_a_stream_of_one_type_leaves_the_others_out(database: Database) -> None:
    job = a_queued_job(database)
    for action in ("pause", "resume", "cancel"):
        act(database, job.id, action)

    feed, waiter = EventFeed(database), Waiter(database)
    whole = follow(feed, waiter, job.id, 0, event_type="resumed")
    again = replay(feed, waiter, job.id, 0, event_type="resumed", speed=10)

    assert asyncio.run(heard(whole)) == ["- retry", "3 resumed", "- end"]
    assert asyncio.run(heard(again)) == ["- retry", "3 resumed", "- end"]


def test_a_stream_goes_on_after_the_last_that_was_seen(database: Database) -> None:
    job = a_queued_job(database)
    act(database, job.id, "cancel")

    stream = follow(EventFeed(database), Waiter(database), job.id, 1)

    assert asyncio.run(heard(stream)) == ["- retry", "2 cancelled", "- end"]


def test_a_hundred_who_listen_to_one_job_are_read_for_once(sqlite_database: Database) -> None:
    job = a_queued_job(sqlite_database)
    reads: list[str] = []

    @event.listens_for(sqlite_database.engine, "before_cursor_execute")
    def _count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM events" in statement:
            reads.append(statement)

    async def scenario() -> list[list[str]]:
        feed, waiter = EventFeed(sqlite_database), Waiter(sqlite_database)
        listening = [
            asyncio.create_task(heard(follow(feed, waiter, job.id, 0))) for _ in range(100)
        ]
        await asyncio.to_thread(act, sqlite_database, job.id, "cancel")
        return await asyncio.gather(*listening)

    told = asyncio.run(scenario())
    assert told == [["- retry", "1 queued", "2 cancelled", "- end"]] * 100
    assert len(reads) <= 4


def test_others_get_their_turn_while_many_are_told(sqlite_database: Database) -> None:
    job = a_queued_job(sqlite_database)
    act(sqlite_database, job.id, "cancel")
    turn, told = 0, Counter[int]()

    async def listen(feed: EventFeed, waiter: Waiter) -> None:
        async for piece in follow(feed, waiter, job.id, 0):
            told[turn] += piece.startswith(b"id: ")

    async def scenario() -> None:
        nonlocal turn
        feed, waiter = EventFeed(sqlite_database), Waiter(sqlite_database)
        listening = [asyncio.create_task(listen(feed, waiter)) for _ in range(200)]
        while told.total() < len(listening):
            await asyncio.sleep(0)
            turn += 1

    asyncio.run(asyncio.wait_for(scenario(), timeout=DEADLINE))
    assert max(told.values()) <= AT_ONCE


def test_a_quiet_stream_beats_and_a_service_that_ends_closes_it(database: Database) -> None:
    job = a_queued_job(database)

    async def scenario() -> list[str]:
        waiter = Waiter(database)
        stream = follow(EventFeed(database), waiter, job.id, 0, heartbeat_seconds=0.05)
        frames: list[str] = []
        async with asyncio.timeout(DEADLINE):
            async for frame in stream:
                frames.append(frame.decode().partition("\n")[0])
                if frames.count(": still here") == 2:
                    waiter.close()
        return frames

    assert asyncio.run(scenario()) == ["retry: 1000", "id: 1", *[": still here"] * 2]


def test_the_stream_of_a_job_that_is_deleted_ends(database: Database) -> None:
    job = a_queued_job(database)

    async def scenario() -> list[str]:
        waiter = Waiter(database)
        listening = asyncio.create_task(heard(follow(EventFeed(database), waiter, job.id, 0)))
        await asyncio.to_thread(act, database, job.id, "delete")
        return await listening

    assert asyncio.run(scenario())[-1] == "- end"


def test_a_long_history_comes_in_pieces_and_whole(sqlite_database: Database) -> None:
    job = a_queued_job(sqlite_database)
    with sqlite_database.begin() as session:
        for step in range(1200):
            events.append(session, job.id, "progress", data={"step": step}, now=NOON)
    act(sqlite_database, job.id, "cancel")

    told = asyncio.run(
        heard(follow(EventFeed(sqlite_database), Waiter(sqlite_database), job.id, 0))
    )

    assert told == [
        *("- retry", "1 queued", *[f"{seq} progress" for seq in range(2, 1202)]),
        *("1202 cancelled", "- end"),
    ]


def test_a_replay_keeps_the_order_and_divides_the_pauses(database: Database) -> None:
    job = a_queued_job(database)
    act(database, job.id, "cancel")
    with database.begin() as session:
        for minute in range(4):
            later = NOON + timedelta(minutes=minute)
            events.append(session, job.id, "warning", data={"minute": minute}, now=later)

    async def scenario() -> list[str]:
        feed, waiter = EventFeed(database), Waiter(database)
        return await heard(replay(feed, waiter, job.id, 0, speed=10_000))

    told = asyncio.run(scenario())
    with database.read() as session:
        noted = events.list_events(session, job.id)
    assert told == ["- retry", *[f"{each.seq} {each.type}" for each in noted], "- end"]


def test_a_slow_replay_ends_with_the_service(database: Database) -> None:
    job = a_queued_job(database)
    act(database, job.id, "cancel")
    with database.begin() as session:
        later = NOON + timedelta(days=3)
        events.append(session, job.id, "warning", data={}, now=later)

    async def scenario() -> list[str]:
        waiter = Waiter(database)
        stream = replay(EventFeed(database), waiter, job.id, 0, speed=0.1)
        listening = asyncio.create_task(heard(stream))
        await asyncio.wait([listening], timeout=0.5)
        waiter.close()
        return await listening

    assert "- end" not in asyncio.run(scenario())


def test_data_are_the_event_as_the_list_has_it(database: Database) -> None:
    job = a_queued_job(database, metadata={"이름": "밥"})
    act(database, job.id, "cancel")

    async def first() -> bytes:
        stream = follow(EventFeed(database), Waiter(database), job.id, 0)
        return [frame async for frame in stream][1]

    data = asyncio.run(first()).partition(b"data: ")[2].partition(b"\n")[0]
    with database.read() as session:
        page = events.page_of_events(session, job.id)
    assert json.loads(data) == json.loads(page.data[0].model_dump_json())
