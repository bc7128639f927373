"""SQLite files that tests copy."""

import sqlite3
from contextlib import closing
from pathlib import Path


def flush(file: Path) -> None:
    """Bring everything into the one file that is copied."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
