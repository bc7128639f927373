"""`Idempotency-Key`: a creating request that comes again is answered as it was the first time.

The header is that of draft-ietf-httpapi-idempotency-key-header. A route opts in by the parameter
`once: Once`, before that of its body, and by creating inside of it:

    with once.begin() as session:
        job = job_store.enqueue(session, new, now=database_now(session))
        return once.answer(session, job, status=202, location=f"/v1/jobs/{job.id}")

One transaction creates and keeps the answer (`store.idempotency`); what is refused or fails keeps
nothing. That a request still runs is known to its process alone, and forgotten with it: another
process does the same work, waits for the end of the first one's transaction, and gives its answer.
"""

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Annotated, ClassVar, cast

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from service.api.doors import key_of
from service.api.parts import parts_of
from service.domain.problems import Conflict, FieldError, Invalid, Malformed
from service.store import idempotency
from service.store.engine import Database, database_now
from service.store.idempotency import Answer, Kept

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
POINTER = f"/header/{HEADER}"

_PIECE = 1 << 20
_BARE = r"[!#-~][!-~]{0,254}"
_QUOTED = r'"(?:[!#-\[\]-~]|\\["\\]){1,255}"'  # a string of RFC 9651 section 3.3.3, without spaces
_KEY = re.compile(f"{_BARE}|{_QUOTED}")


class KeyMalformed(Malformed):
    """The header holds no key."""

    code = "idempotency_key_malformed"
    title = "The Idempotency-Key is none"

    def __init__(self) -> None:
        detail = "must be one key of 1 to 255 visible ASCII characters, as it is or in quotes"
        super().__init__(
            f"{HEADER} {detail}. A random one is best: a UUID.",
            errors=[FieldError(pointer=POINTER, detail=detail)],
        )


class KeyReused(Invalid):
    """The key came before, with another request."""

    code = "idempotency_key_reused"
    title = "The Idempotency-Key belongs to another request"

    def __init__(self) -> None:
        detail = "came with another body or query within the last 24 hours"
        super().__init__(
            f"{HEADER} {detail}. Take a new key for a new request; to get the first answer again, "
            "send exactly the first request.",
            errors=[FieldError(pointer=POINTER, detail=detail)],
        )


class StillRunning(Conflict):
    """A request with this key is being worked on."""

    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key still runs"
    should_retry: ClassVar[bool] = True
    retry_after_seconds: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__(
            "A request with this key is still being worked on. Send this one again after "
            "Retry-After seconds: it gets the same answer."
        )


class Replayed(Exception):  # noqa: N818  no error: it leads around the handler
    """The request was answered before; `answer` says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class OneTime:
    """What may be created at most one time for its key, or any number of times without one."""

    def __init__(self, database: Database, key_id: str | None, query: bytes) -> None:
        self._database = database
        self._key_id = key_id
        self._query = query
        self._fingerprint: str | None = None
        self._answered = False

    def look_up(self, digest: Callable[[], str]) -> None:
        """Compare what has come with what came before. Raises Replayed and KeyReused."""
        if self._key_id is None:
            return
        self._fingerprint = _sha256([self._query, digest().encode()])
        with self._database.read() as session:
            self._settle(idempotency.find(session, self._key_id, now=database_now(session)))

    @contextmanager
    def begin(self) -> Generator[Session]:
        """Open the transaction that creates. Raises Replayed and KeyReused if another one did."""
        with self._database.begin() as session:
            if self._key_id is None:
                yield session
                return
            if self._fingerprint is None:
                message = "the parameter `once` must come before that of the body"
                raise RuntimeError(message)
            now = database_now(session)
            self._settle(idempotency.reserve(session, self._key_id, self._fingerprint, now=now))
            yield session
            if not self._answered:
                message = "`begin` ends without `answer`"
                raise RuntimeError(message)

    def answer(self, session: Session, made: BaseModel, *, status: int, location: str) -> Response:
        """Write the answer, and keep it with what was made."""
        answer = Answer(status, {"Location": location}, made.model_dump_json().encode())
        if self._key_id is not None:
            idempotency.keep(session, self._key_id, answer)
        self._answered = True
        return _response(answer)

    def _settle(self, kept: Kept | None) -> None:
        if kept is None:
            return
        if kept.fingerprint != self._fingerprint:
            raise KeyReused
        raise Replayed(kept.answer)


async def _one_time(
    request: Request,
    _key: Annotated[
        Annotated[str, Field(json_schema_extra={"pattern": f"^(?:{_KEY.pattern})$"})] | None,
        Header(
            alias=HEADER,
            description="Any text of your own, best a UUID. For 24 hours the same request with the "
            f"same key gets the same answer, with `{REPLAYED}: true`, and does nothing again.",
        ),
    ] = None,
) -> AsyncGenerator[OneTime]:
    """Dependency of what creates. Raises KeyMalformed and StillRunning."""
    parts = parts_of(request.app)
    key_id = _key_id(request)
    once = OneTime(parts.database, key_id, request.scope["query_string"])
    request.state.once = once
    if key_id is None:
        yield once
        return
    if key_id in parts.running_keys:
        raise StillRunning
    parts.running_keys.add(key_id)
    try:
        yield once
    finally:
        parts.running_keys.discard(key_id)


# In the scope of the function the key is free before the answer leaves, and not some time after it.
Once = Annotated[OneTime, Depends(_one_time, scope="function")]


async def body_has_come(request: Request, digest: Callable[[], str]) -> None:
    """Tell a request's body to its key, if it has one. Raises Replayed and KeyReused."""
    once: OneTime | None = getattr(request.state, "once", None)
    if once is not None:
        await run_in_threadpool(once.look_up, digest)


def digest_of_form(form: FormData) -> str:
    """Return a hash of what is in a form: its boundary differs whenever it is sent."""
    parts: list[tuple[str, str]] = []
    for role, part in form.multi_items():
        if isinstance(part, str):
            parts.append((role, _sha256([part.encode()])))
        else:
            parts.append((role, _sha256(iter(partial(part.file.read, _PIECE), b""))))
            part.file.seek(0)
    return _sha256([json.dumps(parts).encode()])


def install(app: FastAPI) -> None:
    """Let the application give answers again."""
    app.add_exception_handler(Replayed, _on_replayed)


def _key_id(request: Request) -> str | None:
    """Return what an answer is kept under: a hash of caller, operation and key."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise KeyMalformed
    key = given[0]
    if key.startswith('"'):
        key = re.sub(r"\\(.)", r"\1", key[1:-1])
    caller = key_of(request.scope)
    named = [caller.name if caller else "", request.method, request.scope["path"], key]
    return _sha256([json.dumps(named).encode()])


def _on_replayed(_request: Request, replayed: Exception) -> Response:
    response = _response(cast("Replayed", replayed).answer)
    response.headers[REPLAYED] = "true"
    return response


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    return Response(answer.body, answer.status, headers, media_type="application/json")


def _sha256(pieces: Iterable[bytes]) -> str:
    """Hash pieces so that moving a byte from one to the next makes another hash."""
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(len(piece).to_bytes(8) + piece)
    return whole.hexdigest()
