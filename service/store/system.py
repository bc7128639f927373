"""What lies in the database: rows and bytes of each kind of thing."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.domain.system import DatabaseFacts, TableFacts
from service.store.engine import database_bytes
from service.store.tables import (
    BlobRow,
    CheckpointRow,
    DatasetFileRow,
    DatasetRow,
    EventRow,
    JobRow,
    MetricRow,
    ModelVersionRow,
)

NUMBER_BYTES = 8


def database_facts(session: Session) -> DatabaseFacts:
    """Count rows and bytes. Bytes of rows are those of their contents, without indexes."""
    checkpoint_blobs = _blob_bytes(
        session,
        CheckpointRow.weights_sha256,
        CheckpointRow.state_blob_sha256,
        CheckpointRow.preparation_sha256,
    )
    model_blobs = _blob_bytes(
        session, ModelVersionRow.weights_sha256, ModelVersionRow.preparation_sha256
    )
    return DatabaseFacts(
        kind=session.get_bind().dialect.name,
        bytes=database_bytes(session),
        tables={
            "jobs": _contents(session, JobRow.id, JobRow.spec, JobRow.progress, JobRow.result),
            "events": _contents(session, EventRow.job_id, EventRow.type, EventRow.data),
            "metrics": _contents(session, MetricRow.job_id, MetricRow.name, numbers=3),
            "checkpoints": _table(session, CheckpointRow, checkpoint_blobs),
            "models": _table(session, ModelVersionRow, model_blobs),
            "datasets": _table(session, DatasetRow, _blob_bytes(session, DatasetFileRow.sha256)),
            "blobs": _blobs(session),
        },
    )


def _contents(session: Session, *columns: Any, numbers: int = 0) -> TableFacts:
    sizes = [sa.func.coalesce(sa.func.length(sa.cast(column, sa.Text)), 0) for column in columns]
    per_row = sum(sizes, start=sa.literal(numbers * NUMBER_BYTES))
    row = session.execute(sa.select(sa.func.count(), sa.func.sum(per_row))).one()
    return TableFacts(rows=row[0], bytes=int(row[1] or 0))


def _table(session: Session, table: Any, size: int) -> TableFacts:
    count = session.scalars(sa.select(sa.func.count()).select_from(table)).one()
    return TableFacts(rows=count, bytes=size)


def _blobs(session: Session, *conditions: sa.ColumnElement[bool]) -> TableFacts:
    """Count the blobs whose bytes are there: others are only expected, or on their way."""
    stored = sa.select(sa.func.count(), sa.func.sum(BlobRow.size))
    row = session.execute(stored.where(BlobRow.upload_id.is_not(None), *conditions)).one()
    return TableFacts(rows=row[0], bytes=int(row[1] or 0))


def _blob_bytes(session: Session, *references: Any) -> int:
    """Sum up the blobs these columns refer to, each once."""
    referred = sa.union(*(sa.select(column) for column in references))
    return _blobs(session, BlobRow.sha256.in_(referred)).bytes
