"""Sessions: what a model keeps of a text between two calls of one client.

In memory alone, and for a while: what rests too long is never read again (its memory is free from
the next call in any session on), and the least recently used give way to others. A session belongs
to a caller (the name of its key), to exact weights, and to an id that the caller chose; none is
ever read with other weights, or by another caller. One call has it at a time. A call that is not
answered to its end leaves it as it was.
"""

from collections import OrderedDict
from typing import ClassVar, NamedTuple
from weakref import WeakValueDictionary

from service.domain.models import Servable
from service.domain.problems import Conflict, NotFound
from service.domain.sessions import SessionState
from service.prediction.reading import BEGINNING, SoFar

MAX_SESSIONS = 10_000
DEFAULT_SECONDS = 600.0
DEFAULT_BYTES = 256 * 1024**2


class SessionInUse(Conflict):
    """Another call reads or writes in the session."""

    code = "session_in_use"
    title = "The session is in use"
    should_retry: ClassVar[bool] = True
    retry_after_seconds: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__(
            "Another request reads or writes in this session at the moment. Nothing was done; send "
            "this one again when that has been answered."
        )


class SessionNotFound(NotFound):
    """Nothing is kept under the id."""

    code = "session_not_found"
    title = "There is no such session"

    def __init__(self) -> None:
        super().__init__(
            "No session of this id is kept for this key and this version of the model: it was "
            "never begun, has rested too long, gave way to others, or was lost with its process. "
            "Begin it anew, with the whole text."
        )


class ModelKeepsNoSession(Conflict):
    """The model does not read texts word by word."""

    code = "model_keeps_no_session"
    title = "The model keeps no session"

    def __init__(self, model: str, task: str) -> None:
        super().__init__(
            f"{model!r} is a model of {task}, whose inputs stand alone; only models of next_word "
            "keep sessions. Leave the session out."
        )


class SessionKey(NamedTuple):
    """Whose session it is, of what, and what it is called."""

    owner: str | None
    weights_sha256: str
    preparation_sha256: str
    task: str
    architecture: str
    id: str


def session_key(servable: Servable, owner: str | None, session: str) -> SessionKey:
    """Name a session by what it belongs to."""
    return SessionKey(
        owner,
        servable.weights_sha256,
        servable.preparation_sha256,
        servable.task,
        servable.architecture.model_dump_json(),
        session,
    )


class Held:
    """A session in the hands of one call, until it is given back, or nobody has this any more."""

    def __init__(self, key: SessionKey, before: SoFar, *, started: bool) -> None:
        self.key = key
        self.before = before
        self.started = started
        self.state: SessionState | None = None
        """Once it is kept."""


class _Kept(NamedTuple):
    so_far: SoFar
    bytes: int
    used_at: float


class Sessions:
    """The sessions of one process, for use on one event loop. `now` is monotonic, in seconds."""

    def __init__(
        self, *, seconds: float = DEFAULT_SECONDS, memory_bytes: int = DEFAULT_BYTES
    ) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._kept: OrderedDict[SessionKey, _Kept] = OrderedDict()  # the longest unused first
        self._bytes = 0
        self._held = WeakValueDictionary[SessionKey, Held]()

    def __len__(self) -> int:
        """Count those that are kept."""
        return len(self._kept)

    def take(self, key: SessionKey, *, must_exist: bool, now: float) -> Held:
        """Take a session, or begin it. Raises SessionInUse, and SessionNotFound if it must be."""
        self._forget_expired(now)
        if key in self._held:
            raise SessionInUse
        kept = self._kept.get(key)
        if kept is None and must_exist:
            raise SessionNotFound
        if kept is not None:
            self._put(key, kept._replace(used_at=now))
        held = Held(key, BEGINNING if kept is None else kept.so_far, started=kept is None)
        self._held[key] = held
        return held

    def keep(self, held: Held, so_far: SoFar, *, now: float) -> SessionState:
        """Keep how far a session has come; others may have to give way."""
        self._put(held.key, _Kept(so_far, so_far.bytes(), now))
        self._forget_expired(now)
        while len(self._kept) > 1 and (
            self._bytes > self._memory_bytes or len(self._kept) > MAX_SESSIONS
        ):
            self._forget(next(iter(self._kept)))
        held.state = SessionState(
            id=held.key.id,
            started=held.started,
            tokens=so_far.tokens,
            expires_after_seconds=self._seconds,
        )
        return held.state

    def give_back(self, held: Held) -> None:
        """Let others have the session."""
        self._held.pop(held.key, None)

    def delete(self, key: SessionKey, *, now: float) -> None:
        """Forget a session. Raises SessionNotFound, and SessionInUse."""
        self._forget_expired(now)
        if key in self._held:
            raise SessionInUse
        if key not in self._kept:
            raise SessionNotFound
        self._forget(key)

    def _put(self, key: SessionKey, kept: _Kept) -> None:
        if key in self._kept:
            self._forget(key)
        self._kept[key] = kept
        self._bytes += kept.bytes

    def _forget_expired(self, now: float) -> None:
        while self._kept and now - next(iter(self._kept.values())).used_at >= self._seconds:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: SessionKey) -> None:
        self._bytes -= self._kept.pop(key).bytes
