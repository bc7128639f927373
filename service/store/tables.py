"""The tables. Alembic makes them (`migrations/`); a test compares both, constraint by constraint.

Everything has a name, so that a later migration can say what it changes.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.store.engine import UtcDateTime

Json = Any
BLOB = "blobs.sha256"


class Row(DeclarativeBase):
    """The base of all rows: how Python types are stored and constraints are named."""

    metadata = sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime,
        int: sa.BigInteger,
        float: sa.Double,
        str: sa.Text,
        # Not jsonb: it sorts the keys, and clients get their objects back as they sent them.
        Json: sa.JSON(none_as_null=True),
    }


def _job_key() -> Mapped[str]:
    return mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


class UploadRow(Row):
    """Chunks that were written together. One that no blob names is garbage once it expired."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class BlobRow(Row):
    """Bytes, known by their SHA-256; complete once `upload_id` is set.

    A hold keeps a blob for an uploader that has not yet stored its reference.
    """

    __tablename__ = "blobs"
    __table_args__ = (CheckConstraint("holds >= 0", name="holds_not_negative"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    upload_id: Mapped[str | None] = mapped_column(ForeignKey("uploads.id"), unique=True)
    holds: Mapped[int]
    held_until: Mapped[datetime]


class BlobChunkRow(Row):
    """A piece of an upload."""

    __tablename__ = "blob_chunks"

    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]


# Weights do not compress; trying to costs time at every write and read.
event.listen(
    BlobChunkRow.__table__,
    "after_create",
    sa.DDL("ALTER TABLE blob_chunks ALTER COLUMN data SET STORAGE EXTERNAL").execute_if(
        dialect="postgresql"
    ),
)


class DatasetRow(Row):
    """A dataset; its bytes are the blobs of its files."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    options: Mapped[Json]
    facts: Mapped[Json]
    findings: Mapped[Json] = mapped_column(server_default=sa.text("'[]'"))
    source: Mapped[str | None]
    licence: Mapped[str | None]
    built_in: Mapped[bool]
    created_at: Mapped[datetime]


class DatasetFileRow(Row):
    """One file of a dataset, in the order of `position`."""

    __tablename__ = "dataset_files"

    dataset_id: Mapped[str] = mapped_column(
        ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    bytes: Mapped[int]


class WorkerRow(Row):
    """A worker process that lives, or died without saying so."""

    __tablename__ = "workers"
    __table_args__ = (CheckConstraint("status IN ('running', 'draining')", name="status"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    devices: Mapped[Json]
    components: Mapped[Json]
    threads: Mapped[int]
    places: Mapped[int] = mapped_column(server_default="1")
    status: Mapped[str]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]


class JobRow(Row):
    """A job, its place in the queue, its lease and how far it came."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')",
            name="status",
        ),
        CheckConstraint("(status = 'running') = (lease IS NOT NULL)", name="running_has_lease"),
        CheckConstraint("(lease IS NULL) = (lease_expires_at IS NULL)", name="lease_expires"),
        CheckConstraint(
            "noted_order IS NULL OR (noted_order IN ('cancel', 'pause') AND status = 'running')",
            name="noted_order",
        ),
        Index("ix_jobs_list", "kind", "id"),
        Index("ix_jobs_status", "status", "kind", "id"),
        Index("ix_jobs_model", "model", "kind", "id"),
        Index("ix_jobs_dataset_name", "dataset_name", "kind", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    client_id: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str]
    status_reason: Mapped[str | None]
    priority: Mapped[int]
    device: Mapped[str]
    model: Mapped[str | None]
    dataset_id: Mapped[str | None] = mapped_column(
        ForeignKey("datasets.id", ondelete="SET NULL"), index=True
    )
    dataset_name: Mapped[str]
    parent_job: Mapped[str | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    spec: Mapped[Json]
    labels: Mapped[Json] = mapped_column("metadata")
    request_sha256: Mapped[str | None]

    noted_order: Mapped[str | None]
    lease: Mapped[str | None] = mapped_column(unique=True)
    lease_expires_at: Mapped[datetime | None]
    worker_id: Mapped[str | None]
    attempt: Mapped[int]
    deaths: Mapped[int]
    reclaims: Mapped[int]
    event_seq: Mapped[int]
    trained_seconds: Mapped[float]
    last_write: Mapped[str | None]

    progress: Mapped[Json]
    run: Mapped[Json | None]
    error: Mapped[Json | None]
    result: Mapped[Json | None]
    preparation_sha256: Mapped[str | None] = mapped_column(ForeignKey(BLOB), index=True)

    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


# The conditions are written out, not bound: SQLite uses a partial index only if it sees the words.
QUEUED = JobRow.status == sa.literal_column("'queued'")
RUNNING = JobRow.status == sa.literal_column("'running'")
CLAIMABLE = JobRow.status.in_([sa.literal_column("'queued'"), sa.literal_column("'running'")])
UNENDED = JobRow.status.in_(
    [sa.literal_column(f"'{status}'") for status in ("queued", "running", "paused")]
)

# The status comes first although the condition knows it: without it planners prefer an index that
# begins with a status, and sort the whole queue for each claim.
Index(
    "ix_jobs_queue",
    JobRow.status,
    JobRow.priority.desc(),
    JobRow.id,
    sqlite_where=CLAIMABLE,
    postgresql_where=CLAIMABLE,
)


class JobLabelRow(Row):
    """One entry of a job's metadata, to find jobs by: a key may hold any character."""

    __tablename__ = "job_labels"
    __table_args__ = (Index("ix_job_labels_key_value", "key", "value", "job_id"),)

    job_id: Mapped[str] = _job_key()
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class JobComponentRow(Row):
    """What a worker must have installed to run the job."""

    __tablename__ = "job_components"

    job_id: Mapped[str] = _job_key()
    component: Mapped[str] = mapped_column(primary_key=True)


class EventRow(Row):
    """Something that happened to a job. `seq` counts without gaps per job."""

    __tablename__ = "events"

    job_id: Mapped[str] = _job_key()
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    created_at: Mapped[datetime]
    data: Mapped[Json]


class MetricRow(Row):
    """One point of a series; `value` is null where it is not finite (SQLite knows no NaN)."""

    __tablename__ = "metrics"
    __table_args__ = (
        CheckConstraint(
            "nonfinite IS NULL OR nonfinite IN ('nan', 'inf', '-inf')", name="nonfinite"
        ),
        CheckConstraint("(value IS NULL) = (nonfinite IS NOT NULL)", name="value_or_nonfinite"),
        {"sqlite_with_rowid": False},  # the rows lie in the order of the key, once
    )

    job_id: Mapped[str] = _job_key()
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    value: Mapped[float | None]
    nonfinite: Mapped[str | None]


class CheckpointRow(Row):
    """A stored training state. Kinds written together share their bytes."""

    __tablename__ = "checkpoints"
    __table_args__ = (
        CheckConstraint("kind IN ('best', 'latest', 'periodic', 'pause')", name="kind"),
        Index("ix_checkpoints_job_id", "job_id", "kind", "step", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    kind: Mapped[str]
    step: Mapped[int]
    epoch: Mapped[int]
    metrics: Mapped[Json]
    bytes: Mapped[int]
    weights_sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    weights_bytes: Mapped[int]
    state_sha256: Mapped[str]
    state_blob_sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    preparation_sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    created_at: Mapped[datetime]


class IdempotencyKeyRow(Row):
    """The answer to a request that came with an Idempotency-Key.

    It has its status once the transaction commits that creates what is asked for, and the row.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[Json | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ModelNameRow(Row):
    """A name for models, and the number of its next version: no number is given twice.

    A name whose versions are all deleted is not shown, but goes on counting.
    """

    __tablename__ = "model_names"
    __table_args__ = (Index("ix_model_names_created_at", "created_at", "name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    next_version: Mapped[int]
    description: Mapped[str | None]
    created_at: Mapped[datetime]


class ModelVersionRow(Row):
    """An immutable model: weights and what is needed to use them. It outlives its job."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("(name IS NULL) = (version IS NULL)", name="name_has_version"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(ForeignKey("model_names.name"))
    version: Mapped[int | None]
    job_id: Mapped[str | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    checkpoint_id: Mapped[str | None] = mapped_column(
        ForeignKey("checkpoints.id", ondelete="SET NULL"), index=True
    )
    task: Mapped[str]
    architecture: Mapped[Json]
    dataset_name: Mapped[str]
    metrics: Mapped[Json]
    baseline: Mapped[Json]
    evaluation: Mapped[Json | None]
    parameters: Mapped[int]
    weights_sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    weights_bytes: Mapped[int]
    preparation_sha256: Mapped[str] = mapped_column(ForeignKey(BLOB), index=True)
    origin: Mapped[Json | None]
    created_at: Mapped[datetime]


class ModelTagRow(Row):
    """A word that a model can be found by."""

    __tablename__ = "model_tags"
    __table_args__ = (Index("ix_model_tags_tag", "tag", "name"),)

    name: Mapped[str] = mapped_column(ForeignKey("model_names.name"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class ModelAliasRow(Row):
    """A name for one version of a model, which can be given to another. It keeps the version."""

    __tablename__ = "model_aliases"

    name: Mapped[str] = mapped_column(ForeignKey("model_names.name"), primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("model_versions.id"), index=True)
    changed_at: Mapped[datetime]
