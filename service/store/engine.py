"""The database: how transactions begin, and everything in which SQLite and PostgreSQL differ.

`begin()` writes, `read()` reads one consistent snapshot; nobody else commits. No other module of
the store asks which database it talks to.
"""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.orm import Session

from service.store.deadline import refuse_late
from service.store.errors import DatabaseReadOnly, StorageFull
from service.store.faults import breaks_connection, faults_are_problems

WAIT_FOR = timedelta(seconds=30)
PAGE_BYTES = 16 * 1024
MEBIBYTE = 1024 * 1024
VACUUM_PAGES = 512
LOG_BYTES = 64 * MEBIBYTE
"""So much of SQLite's log stays on the disk when it begins anew."""
RESERVE_BYTES = (24 * MEBIBYTE, 64 * MEBIBYTE)
"""Room on the disk of a SQLite file that bytes must leave, small and large ones: for the WAL, which
cannot give space back before it was copied into the file, and for the writes that clean up."""
MIGRATION_LOCK = 0x7472_6169_6E79_6172  # "trainyar": one advisory lock per PostgreSQL database
POSTGRESQL_CONNECTION = {
    "application_name": "trainyard",
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
WRITES = "trainyard_writes"  # the execution option of engines whose transactions write
RELAXED = "trainyard_relaxed"  # and of those whose commits do not wait for the disk


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A time: aware in, aware and UTC out, whatever the database makes of it."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: sa.Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Take aware times only. SQLite stores them without a zone, hence always as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "a time without a zone"
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(
        self,
        value: Any,
        dialect: sa.Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Return UTC: what has no zone comes from SQLite and was stored as UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def moment(now: datetime) -> sa.ColumnElement[datetime]:
    """Make a time part of an expression, where no column says how it is stored."""
    return sa.literal(now, UtcDateTime())


class Database:
    """One database. Opening it connects to nothing; a process that forks opens its own."""

    def __init__(
        self, url: sa.URL, *, pool_size: int, wait_for: timedelta, copies_log: bool
    ) -> None:
        self._url = url
        self._pool_size = pool_size
        self._wait_for = wait_for
        self._copies_log = copies_log

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool_size: int = 40,
        wait_for: timedelta = WAIT_FOR,
        copies_log: bool = True,
    ) -> "Database":
        """Describe the database at `url`: a SQLite file, or PostgreSQL through psycopg 3.

        `wait_for` is how long a transaction waits for a lock or a connection: DatabaseBusy then.
        Without `copies_log`, commits leave SQLite's log to `copy_log` and to other processes.
        """
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
            message = "SQLite needs a file here: every connection would have a memory of its own"
            raise ValueError(message)
        return cls(parsed, pool_size=pool_size, wait_for=wait_for, copies_log=copies_log)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._url.get_backend_name()

    @property
    def url_without_password(self) -> str:
        """The URL as it may be shown and logged."""
        return self._url.render_as_string(hide_password=True)

    @property
    def chunk_bytes(self) -> int:
        """How large the pieces of a blob are: PostgreSQL copies a value several times."""
        return MEBIBYTE if self.dialect == "sqlite" else MEBIBYTE // 4

    @cached_property
    def engine(self) -> sa.Engine:
        """The connection pool, made at first use."""
        make = partial(
            sa.create_engine,
            self._url,
            pool_size=self._pool_size,
            max_overflow=0,
            pool_timeout=self._wait_for.total_seconds(),
            hide_parameters=True,  # what clients send reaches no log
            json_serializer=partial(json.dumps, ensure_ascii=False, allow_nan=False),
        )
        if self.dialect == "postgresql":
            engine = make(
                pool_pre_ping=True,
                connect_args=_postgresql_connection(self._wait_for),
            )
            event.listen(engine, "checkout", _leave_read_only_to_server)
            return engine
        engine = make()
        prepare = partial(_prepare_sqlite_connection, self._wait_for, self._copies_log)
        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", _begin_sqlite_transaction)
        event.listen(engine, "handle_error", _open_broken_connections_anew)
        return engine

    @cached_property
    def _writer(self) -> sa.Engine:
        return self.engine.execution_options(**{WRITES: True})

    @cached_property
    def _relaxed_writer(self) -> sa.Engine:
        return self._writer.execution_options(**{RELAXED: True})

    @cached_property
    def _reader(self) -> sa.Engine:
        if self.dialect == "sqlite":  # a plain BEGIN reads one snapshot
            return self.engine
        return self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @contextmanager
    def begin(self, *, relaxed: bool = False) -> Generator[Session, None, None]:
        """Open a transaction that writes; it commits when the block ends without an error.

        A `relaxed` one does not wait for the disk: should the power fail before a later commit that
        did, it may be gone, and all that followed it. Raises Busy where the context has a deadline
        and it is over.
        """
        refuse_late()
        engine = self._relaxed_writer if relaxed else self._writer
        with (
            faults_are_problems(),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            if relaxed and self.dialect == "postgresql":
                session.execute(sa.text("SET LOCAL synchronous_commit = off"))
            yield session

    @contextmanager
    def read(self) -> Generator[Session, None, None]:
        """Open a transaction that sees one moment of the database and changes nothing.

        Raises Busy like `begin`.
        """
        refuse_late()
        with faults_are_problems(), Session(self._reader) as session:
            yield session

    @contextmanager
    def exclusive_connection(self) -> Generator[sa.Connection, None, None]:
        """Connect for a migration; one process at a time, others wait. The caller commits."""
        if self.dialect == "sqlite":
            file = Path(str(self._url.database)).resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            with (
                faults_are_problems(),
                _locked_folder(file.parent),
                self._writer.connect() as connection,
            ):
                _format_sqlite_file(connection)
                yield connection
        else:
            lock = sa.select(sa.func.pg_advisory_lock(MIGRATION_LOCK))
            unlock = sa.select(sa.func.pg_advisory_unlock(MIGRATION_LOCK))
            with faults_are_problems(), self._writer.connect() as connection:
                connection.execute(sa.text("SET lock_timeout = 0"))  # migrations may take long
                connection.execute(lock)
                connection.commit()  # the lock belongs to the session, not to the transaction
                try:
                    yield connection
                finally:
                    connection.rollback()
                    connection.execute(unlock)
                    connection.execute(sa.text("RESET lock_timeout"))
                    connection.commit()

    def check_writable(self) -> None:
        """Raise DatabaseReadOnly where writing would; nothing is written and no lock taken."""
        if self.dialect == "sqlite":
            file = Path(str(self._url.database)).resolve()
            if not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
                raise DatabaseReadOnly
            return
        with self.begin() as session:
            if session.scalars(sa.text("SHOW transaction_read_only")).one() == "on":
                raise DatabaseReadOnly

    def check_room(self, session: Session, size: int) -> None:
        """Raise StorageFull where `size` more bytes would not leave the reserve.

        PostgreSQL keeps a disk of its own, and says by itself when that is full.
        """
        if self.dialect != "sqlite":
            return
        free_pages = session.scalars(sa.text("PRAGMA freelist_count")).one()
        disk = os.statvfs(Path(str(self._url.database)).resolve().parent)
        least, most = RESERVE_BYTES
        reserve = min(most, max(least, 8 * size))
        if disk.f_bavail * disk.f_frsize + free_pages * PAGE_BYTES < reserve + size:
            raise StorageFull

    def copy_log(self) -> None:
        """Copy what is in SQLite's log to the file, beside all others; else commits do it.

        A log that was copied to its end is written anew from its beginning, instead of growing.
        """
        if self.dialect != "sqlite" or self._copies_log:
            return
        with faults_are_problems(), self.engine.connect() as connection:
            raw: Any = connection.connection.cursor()  # SQLAlchemy's own would begin a transaction
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            raw.close()

    def free_pages(self, *, beyond: float = 0.0) -> None:
        """Give deleted space back where it is more than a share of the file.

        PostgreSQL does it by itself (autovacuum).
        """
        if self.dialect != "sqlite":
            return
        with faults_are_problems(), self.engine.connect() as connection:
            raw: Any = connection.connection.cursor()
            free = _free_page_count(raw)
            if free <= beyond * raw.execute("PRAGMA page_count").fetchone()[0]:
                free = 0
            while free > 0:
                # Every step frees one page, and execute() makes a single step: it sees no columns
                # and stops. A script runs to its end; slices, so that other writers get between.
                raw.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
                before, free = free, _free_page_count(raw)
                if free >= before:  # a reader holds the pages; the next collection goes on
                    break
            raw.close()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def upsert(session: Session, table: Any) -> Any:
    """Start an INSERT that may go on with ON CONFLICT: both databases know it, SQL does not."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def database_now(session: Session) -> datetime:
    """Read the clock that leases are measured with: the database's own, moving in a transaction."""
    if session.get_bind().dialect.name == "sqlite":
        text = session.scalars(sa.select(sa.func.strftime("%Y-%m-%dT%H:%M:%f", "now"))).one()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    moment: datetime = session.scalars(sa.select(sa.func.clock_timestamp())).one()
    return moment.astimezone(UTC)


def database_bytes(session: Session) -> int:
    """Tell how much disk the database takes."""
    if session.get_bind().dialect.name == "sqlite":
        pages = session.scalars(sa.text("PRAGMA page_count")).one()
        return pages * session.scalars(sa.text("PRAGMA page_size")).one()
    size = sa.func.pg_database_size(sa.func.current_database())
    return session.scalars(sa.select(size)).one()


def _postgresql_connection(wait_for: timedelta) -> dict[str, str | int]:
    milliseconds = wait_for // timedelta(milliseconds=1)
    return {
        **POSTGRESQL_CONNECTION,
        "connect_timeout": max(2, min(10, int(wait_for.total_seconds()))),
        # A machine that vanishes in the middle of a transaction must not hold its locks for hours.
        "options": f"-c lock_timeout={milliseconds} -c idle_in_transaction_session_timeout=60s",
    }


def _leave_read_only_to_server(connection: DBAPIConnection, *_: object) -> None:
    """After a reader SQLAlchemy asks for READ WRITE, which a standby refuses as not supported."""
    raw: Any = connection
    raw.read_only = None


def _prepare_sqlite_connection(
    wait_for: timedelta, copies_log: bool, connection: DBAPIConnection, _record: object
) -> None:
    """Take BEGIN into our own hands, and set what SQLite forgets with every connection."""
    raw: Any = connection
    raw.isolation_level = None  # the driver begins nothing; _begin_sqlite_transaction does
    cursor = raw.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {wait_for // timedelta(milliseconds=1)}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")  # NORMAL can lose a commit at power loss
    cursor.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    # Debian's build overwrites with zeros what is deleted: twice the bytes for every checkpoint.
    cursor.execute("PRAGMA secure_delete = FAST").fetchall()
    if not copies_log:
        cursor.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    cursor.close()


def _begin_sqlite_transaction(connection: sa.Connection) -> None:
    """Lock at once when writing: upgrading a read lock later fails while others write."""
    options = connection.get_execution_options()
    writes, relaxed = options.get(WRITES, False), options.get(RELAXED, False)
    if relaxed != connection.info.get(RELAXED, False):
        # The log is one file: the next commit that waits for the disk waits for all before it.
        connection.exec_driver_sql(f"PRAGMA synchronous = {'NORMAL' if relaxed else 'FULL'}")
        connection.info[RELAXED] = relaxed
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_broken_connections_anew(context: ExceptionContext) -> None:
    """A connection that once failed so never sees that the file is writable or back again."""
    if breaks_connection(context.original_exception):
        context.is_disconnect = True


def _free_page_count(cursor: Any) -> int:
    return cursor.execute("PRAGMA freelist_count").fetchone()[0]


def _format_sqlite_file(connection: sa.Connection) -> None:
    """Fix page size and auto-vacuum, which only an empty file takes, then WAL. Idempotent.

    A file that has its format is left alone: it may be read-only.
    """
    cursor: Any = connection.connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:
        cursor.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


@contextmanager
def _locked_folder(folder: Path) -> Generator[None, None, None]:
    """Hold the folder's lock. A lock file of our own would lie about for ever."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
