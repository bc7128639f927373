"""Where everything lies: the rows of the database, counted by the service and by looking ourselves.

The file is opened a second time, read-only, past the service: nothing is hidden behind its answers.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pydantic import JsonValue

from service.cli import output
from service.cli.demo.proof import Proof, StepFailedError
from service.client import Client

TABLES = ("jobs", "metrics", "checkpoints", "events", "model_versions", "datasets", "blobs")
EXPECTED_JOBS = 3


def show_rows(client: Client, database: Path, proof: Proof) -> None:
    """Show which rows hold the jobs, metrics and checkpoints, with counts and bytes."""
    uri = f"{database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        counts = {table: _count(connection, table) for table in TABLES}
        rows = _rows_per_job(connection)
        (blob_bytes,) = connection.execute("select sum(length(data)) from blob_chunks").fetchone()
    output.results.print(f"  {database.name}, opened read-only beside the service:", markup=False)
    output.print_table(
        ["  table", "rows", "bytes of values"],
        [
            [f"  {table}", f"{count:,}", output.size(size)]
            for table, (count, size) in counts.items()
        ],
    )
    output.print_table(
        ["\n  job", "\nmetrics", "\ncheckpoints", "\nof bytes"],
        [
            [f"  {job}", f"{metrics:,}", str(checkpoints), output.size(size)]
            for job, metrics, checkpoints, size in rows
        ],
    )
    proof.expect(len(rows) == EXPECTED_JOBS, f"{len(rows)} jobs in the database")
    proof.expect(
        all(metrics and checkpoints for _, metrics, checkpoints, _ in rows),
        "each with rows of metrics and checkpoints",
    )
    proof.expect(blob_bytes > 0, f"{output.size(blob_bytes)} of weights and data in blob_chunks")
    _compare(client, counts, proof)


def _compare(client: Client, counts: Mapping[str, tuple[int, int]], proof: Proof) -> None:
    """Expect that `/v1/system` says what we counted."""
    facts = _object(client.system(), "database")
    tables = _object(facts, "tables")
    told = {table: _object(tables, table)["rows"] for table in ("jobs", "metrics", "checkpoints")}
    words = ", ".join(f"{rows} {table}" for table, rows in told.items())
    proof.expect(
        all(rows == counts[table][0] for table, rows in told.items()),
        f"GET /v1/system tells the same: {words}",
    )


def _object(answer: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    part = answer.get(name)
    if not isinstance(part, dict):
        message = f"/v1/system does not tell about {name}"
        raise StepFailedError(message)
    return part


def _count(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    """Count the rows of a table and the bytes of all their values."""
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    sizes = " + ".join(f'coalesce(length(cast("{column}" as blob)), 0)' for column in columns)
    # Tables and columns are our own names, not anybody's input.
    query = f"select count(*), coalesce(sum({sizes}), 0) from {table}"  # noqa: S608
    count, size = connection.execute(query).fetchone()
    return count, size


def _rows_per_job(connection: sqlite3.Connection) -> list[tuple[str, int, int, int]]:
    return connection.execute(
        "select id, (select count(*) from metrics where job_id = jobs.id),"
        " (select count(*) from checkpoints where job_id = jobs.id),"
        " (select coalesce(sum(bytes), 0) from checkpoints where job_id = jobs.id)"
        " from jobs order by id"
    ).fetchall()
