"""What a database says when it cannot serve, told as problems: away, busy, full or read-only."""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.domain.problems import Problem
from service.store.errors import DatabaseBusy, DatabaseReadOnly, DatabaseUnavailable, StorageFull

Fault = type[DatabaseBusy] | type[DatabaseUnavailable] | type[DatabaseReadOnly] | type[StorageFull]

SQLITE_PROBLEMS: Mapping[int, Fault] = {
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_LOCKED: DatabaseBusy,
    sqlite3.SQLITE_PROTOCOL: DatabaseBusy,
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_IOERR_SHMSIZE: StorageFull,  # the index of the WAL could not grow
    sqlite3.SQLITE_IOERR: DatabaseUnavailable,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnavailable,
}
SQLITE_BROKEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}

# By the beginning of SQLSTATE; the longest that fits counts.
POSTGRESQL_PROBLEMS: Mapping[str, Fault] = {
    "08": DatabaseUnavailable,  # the connection
    "25006": DatabaseReadOnly,
    "25P03": DatabaseUnavailable,  # idle in a transaction for too long
    "40": DatabaseBusy,  # a deadlock, or a conflict of snapshots
    "53": DatabaseBusy,  # memory, connections
    "53100": StorageFull,
    "55P03": DatabaseBusy,  # a lock that did not come in time
    "57P": DatabaseUnavailable,  # going down, or coming up
    "58": DatabaseUnavailable,  # its disk fails
}


@contextmanager
def faults_are_problems() -> Generator[None, None, None]:
    """Raise problems for faults of the database; what is a mistake of ours stays as it is."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy from error
    except DBAPIError as error:
        problem = _problem_of(error)
        if problem is None:
            raise
        raise problem from error
    except sqlite3.Error as error:  # of a raw cursor
        problem = _sqlite_problem(error)
        if problem is None:
            raise
        raise problem from error


def breaks_connection(error: BaseException | None) -> bool:
    """Tell whether a SQLite connection must be opened anew to see that the fault is mended."""
    return isinstance(error, sqlite3.Error) and _code_of(error) & 0xFF in SQLITE_BROKEN


def _problem_of(error: DBAPIError) -> Problem | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_problem(error.orig)
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:  # no server said it: none was reached, or the connection broke
        broken = isinstance(error, OperationalError | InterfaceError)
        return DatabaseUnavailable() if broken or error.connection_invalidated else None
    fitting = [begins for begins in POSTGRESQL_PROBLEMS if state.startswith(begins)]
    return POSTGRESQL_PROBLEMS[max(fitting, key=len)]() if fitting else None


def _sqlite_problem(error: sqlite3.Error) -> Problem | None:
    code = _code_of(error)
    problem = SQLITE_PROBLEMS.get(code) or SQLITE_PROBLEMS.get(code & 0xFF)
    return problem() if problem else None


def _code_of(error: sqlite3.Error) -> int:
    """Return SQLite's extended code; 0 for what the driver itself complains about."""
    return getattr(error, "sqlite_errorcode", 0)
