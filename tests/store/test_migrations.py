"""Migrations: the schema comes from them alone, and any number of processes may run them."""

import re
from concurrent.futures import ProcessPoolExecutor

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from service.store import events, jobs, migrate
from service.store.engine import Database
from service.store.tables import EventRow, Row
from tests.builders import a_claim, a_draft, a_queued_job, a_recorder, a_trained_job, forkserver

PROCESSES = 8
SQLITE_SCHEMA = """
    SELECT type, name, tbl_name, sql FROM sqlite_master
    WHERE tbl_name != 'alembic_version' ORDER BY type, name
"""
POSTGRESQL_SCHEMA = (
    """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              a.attstorage::text, pg_get_expr(d.adbin, d.adrelid)
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
         AND c.relname NOT LIKE 'alembic%' ORDER BY 1, 2""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace
         AND conrelid::regclass::text NOT LIKE 'alembic%' ORDER BY 1, 2""",
    """SELECT tablename, indexname, indexdef FROM pg_indexes
       WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%' ORDER BY 1, 2""",
)


def test_migrations_and_tables_describe_the_same_schema(unmigrated_database: Database) -> None:
    migrate.upgrade(unmigrated_database)
    migrated = schema(unmigrated_database)
    migrate.downgrade(unmigrated_database, "base")
    assert not schema(unmigrated_database)

    Row.metadata.create_all(unmigrated_database.engine.execution_options(trainyard_writes=True))

    assert migrated == schema(unmigrated_database)
    assert any("CHECK" in line and "lease IS NOT NULL" in line for line in migrated)


def test_there_is_one_head(sqlite_database: Database) -> None:
    assert migrate.is_current(sqlite_database)
    names = sorted(f.stem for f in (migrate.migrations_folder() / "versions").glob("*.py"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_a_database_goes_down_and_up_with_rows_in_it(database: Database) -> None:
    a_trained_job(database, model="eating")
    a_queued_job(database, metadata={"course": "dl1"}, client_id="mine")
    a_recorder(database, a_claim(database)).checkpoint(a_draft(kinds=("periodic", "latest")))

    migrate.downgrade(database, "base")
    assert not migrate.is_current(database)
    migrate.upgrade(database)

    assert migrate.is_current(database)
    with database.read() as session:
        assert jobs.list_jobs(session, filters=jobs.JobFilters()).data == []


def test_events_of_the_first_release_are_read_by_their_names_of_now(database: Database) -> None:
    job = a_queued_job(database)
    a_claim(database)
    migrate.downgrade(database, "0005")
    with database.begin() as session:
        assert set(session.scalars(sa.select(EventRow.type))) == {"queued", "running"}

    migrate.upgrade(database)

    with database.read() as session:
        listed = events.page_of_events(session, job.id).data
    assert [event.type for event in listed] == ["queued", "claimed"]


def test_upgrading_again_changes_nothing(database: Database) -> None:
    job = a_queued_job(database)
    migrate.upgrade(database)

    with database.read() as session:
        assert jobs.get_job(session, job.id) == job


def test_a_new_database_is_not_current(unmigrated_database: Database) -> None:
    assert not migrate.is_current(unmigrated_database)


def test_the_newest_revision_is_the_only_head_that_alembic_knows() -> None:
    folder = ScriptDirectory(str(migrate.migrations_folder()))

    assert folder.get_heads() == [migrate.newest()]


def upgrade_and_look(url: str) -> bool:
    database = Database.open(url, pool_size=1)
    migrate.upgrade(database)
    current = migrate.is_current(database)
    database.dispose()
    return current


def test_eight_processes_migrate_a_new_database_at_once(unmigrated_database: Database) -> None:
    url = unmigrated_database.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(PROCESSES, mp_context=forkserver()) as pool:
        assert list(pool.map(upgrade_and_look, [url] * PROCESSES)) == [True] * PROCESSES


def schema(database: Database) -> list[str]:
    """Read the whole schema from the database's own catalogue, a line per thing."""
    with database.read() as session:
        if database.dialect == "postgresql":
            rows = [row for query in POSTGRESQL_SCHEMA for row in session.execute(sa.text(query))]
            return [" | ".join(map(str, row)) for row in rows]
        rows = session.execute(sa.text(SQLITE_SCHEMA)).all()
    return [" | ".join([*map(str, row[:3]), _in_any_order(row[3] or "")]) for row in rows]


def _in_any_order(statement: str) -> str:
    """Sort the parts of a CREATE TABLE: columns may come later, constraints in another order."""
    text = re.sub(r"\s+", " ", statement.replace('"', ""))
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 1:
            text = f"{text[:place]}\n{text[place + 1 :]}"
    head, _, rest = text.partition("(")
    parts, _, tail = rest.rpartition(")")
    return f"{head.strip()}: {sorted(part.strip() for part in parts.splitlines())} {tail.strip()}"
