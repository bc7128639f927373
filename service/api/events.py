"""`/v1/jobs/{id}/events`: what happened to a job, as a list or as a stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from service.api import streams
from service.api.accepts import prefers
from service.api.parts import JobIdPath, Limit, Parts, PartsOf
from service.api.problems import problem_responses
from service.domain.events import EventList, EventType
from service.domain.jobs import ENDED, JobStatus
from service.domain.problems import Conflict, Malformed
from service.store import events as event_store
from service.store.errors import JobNotFound, UnknownCursor
from service.store.events import Head

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
FASTEST = 10_000
LAST_EVENT_ID = "Last-Event-ID"
STREAM_HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has a page of them
}


class ReplayTooEarly(Conflict):
    """Only what is over can be played again."""

    code = "replay_too_early"
    title = "The job has not ended"

    def __init__(self, job_id: str, current_status: JobStatus) -> None:
        super().__init__(
            f"{job_id} is {current_status}. Follow it without speed, or replay it after its end.",
            current_status=current_status,
        )


class SpeedOfAList(Malformed):
    """A list has no speed."""

    code = "speed_of_a_list"
    title = "Only a stream has a speed"

    def __init__(self) -> None:
        super().__init__(f"speed is for streams: ask with Accept: {streams.MEDIA_TYPE}.")


@router.get(
    "/{job_id}/events",
    response_model=EventList,
    responses={
        200: {
            "content": {
                streams.MEDIA_TYPE: {
                    "schema": {"type": "string"},
                    "example": 'id: 17\nevent: epoch\ndata: {"object":"event","seq":17,…}\n\n',
                }
            }
        },
        204: {"description": "As a stream: the job has ended, and you have seen everything."},
        **problem_responses(400, 404, 409, 422),
    },
)
async def list_events(
    job_id: JobIdPath,
    parts: PartsOf,
    limit: Limit = 20,
    after: Annotated[int, Query(ge=0, le=2**53, description="Go on after this seq.")] = 0,
    event_type: Annotated[
        EventType | None, Query(alias="type", description="Only events of this type.")
    ] = None,
    speed: Annotated[
        float | None,
        Query(
            gt=0,
            le=FASTEST,
            allow_inf_nan=False,
            description="Of a stream: play a job that has ended again, so many times as fast.",
        ),
    ] = None,
    accept: Annotated[str, Header(description=f"`{streams.MEDIA_TYPE}` for a stream.")] = "*/*",
    last_event_id: Annotated[
        str | None, Header(description="The last `id` of a stream; it goes on after it.")
    ] = None,
) -> Response:
    """Read what happened to a job, in order; as a stream also what happens, to its end.

    A stream sends a comment after 15 quiet seconds, and at last an event `end` without an id.
    """
    if not prefers(accept, streams.MEDIA_TYPE, over="application/json"):
        if speed is not None:
            raise SpeedOfAList
        page = await run_in_threadpool(_page, parts, job_id, after, event_type, limit)
        content = page.model_dump_json()
        return Response(content, media_type="application/json", headers={"Vary": "Accept"})
    seq = after if last_event_id is None else _seq(last_event_id)
    head = await run_in_threadpool(_head, parts, job_id)
    if seq > head.seq:
        raise UnknownCursor("after" if last_event_id is None else LAST_EVENT_ID)
    if speed is not None and head.status not in ENDED:
        raise ReplayTooEarly(job_id, head.status)
    if head.status in ENDED and seq == head.seq:
        return Response(status_code=204, headers=STREAM_HEADERS)  # an EventSource comes no more
    stream = _stream(parts, job_id, seq, event_type, speed)
    return StreamingResponse(stream, media_type=streams.MEDIA_TYPE, headers=STREAM_HEADERS)


def _stream(
    parts: Parts, job_id: str, seq: int, event_type: EventType | None, speed: float | None
) -> AsyncIterator[bytes]:
    if speed is None:
        return streams.follow(parts.feed, parts.waiter, job_id, seq, event_type=event_type)
    return streams.replay(parts.feed, parts.waiter, job_id, seq, event_type=event_type, speed=speed)


def _page(
    parts: Parts, job_id: str, after: int, event_type: EventType | None, limit: int
) -> EventList:
    with parts.database.read() as session:
        return event_store.page_of_events(
            session, job_id, after_seq=after, event_type=event_type, limit=limit
        )


def _head(parts: Parts, job_id: str) -> Head:
    with parts.database.read() as session:
        head = event_store.find_heads(session, [job_id]).get(job_id)
    if head is None:
        raise JobNotFound
    return head


def _seq(last_event_id: str) -> int:
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 19):
        raise UnknownCursor(LAST_EVENT_ID)
    return int(last_event_id)
