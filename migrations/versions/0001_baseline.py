"""Make all tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_datasets()
    _make_model_names()
    _make_uploads()
    _make_workers()
    _make_blob_chunks()
    _make_blobs()
    _make_dataset_files()
    _make_jobs()
    _make_checkpoints()
    _make_events()
    _make_job_components()
    _make_job_labels()
    _make_metrics()
    _make_model_versions()


def downgrade() -> None:
    for table in (
        "model_versions",
        "metrics",
        "job_labels",
        "job_components",
        "events",
        "checkpoints",
        "jobs",
        "dataset_files",
        "blobs",
        "blob_chunks",
        "workers",
        "uploads",
        "model_names",
        "datasets",
    ):
        op.drop_table(table)


def _make_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("name", name="uq_datasets_name"),
    )


def _make_model_names() -> None:
    op.create_table(
        "model_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_model_names"),
    )
    op.create_index("ix_model_names_created_at", "model_names", ["created_at", "name"])


def _make_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])


def _make_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("devices", sa.JSON(), nullable=False),
        sa.Column("components", sa.JSON(), nullable=False),
        sa.Column("threads", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('running', 'draining')", name="ck_workers_status"),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def _make_blob_chunks() -> None:
    op.create_table(
        "blob_chunks",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_blob_chunks_upload_id"),
        sa.PrimaryKeyConstraint("upload_id", "position", name="pk_blob_chunks"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Weights do not compress; trying to costs time at every write and read.
        op.execute("ALTER TABLE blob_chunks ALTER COLUMN data SET STORAGE EXTERNAL")


def _make_blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=True),
        sa.Column("holds", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("holds >= 0", name="ck_blobs_holds_not_negative"),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_blobs_upload_id"),
        sa.PrimaryKeyConstraint("sha256", name="pk_blobs"),
        sa.UniqueConstraint("upload_id", name="uq_blobs_upload_id"),
    )


def _make_dataset_files() -> None:
    op.create_table(
        "dataset_files",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name="fk_dataset_files_dataset_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name="fk_dataset_files_sha256"),
        sa.PrimaryKeyConstraint("dataset_id", "role", name="pk_dataset_files"),
    )
    op.create_index("ix_dataset_files_sha256", "dataset_files", ["sha256"])


def _job_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.Column("dataset_name", sa.Text(), nullable=False),
        sa.Column("parent_job", sa.Text(), nullable=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("noted_order", sa.Text(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("deaths", sa.BigInteger(), nullable=False),
        sa.Column("reclaims", sa.BigInteger(), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("trained_seconds", sa.Double(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("run", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("preparation_sha256", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        *_job_columns(),
        sa.CheckConstraint(
            "(status = 'running') = (lease IS NOT NULL)", name="ck_jobs_running_has_lease"
        ),
        sa.CheckConstraint(
            "noted_order IS NULL OR (noted_order IN ('cancel', 'pause') AND status = 'running')",
            name="ck_jobs_noted_order",
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')",
            name="ck_jobs_status",
        ),
        sa.CheckConstraint(
            "(lease IS NULL) = (lease_expires_at IS NULL)", name="ck_jobs_lease_expires"
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_jobs_dataset_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["parent_job"], ["jobs.id"], name="fk_jobs_parent_job", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["preparation_sha256"], ["blobs.sha256"], name="fk_jobs_preparation_sha256"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("client_id", name="uq_jobs_client_id"),
        sa.UniqueConstraint("lease", name="uq_jobs_lease"),
    )
    op.create_index("ix_jobs_dataset_id", "jobs", ["dataset_id"])
    op.create_index("ix_jobs_dataset_name", "jobs", ["dataset_name"])
    op.create_index("ix_jobs_list", "jobs", ["kind", "id"])
    op.create_index("ix_jobs_model", "jobs", ["model"])
    op.create_index("ix_jobs_parent_job", "jobs", ["parent_job"])
    op.create_index("ix_jobs_preparation_sha256", "jobs", ["preparation_sha256"])
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        [sa.literal_column("priority DESC"), "id"],
        sqlite_where=sa.text("status IN ('queued', 'running')"),
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "kind", "id"])


def _make_checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("weights_sha256", sa.Text(), nullable=False),
        sa.Column("weights_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state_sha256", sa.Text(), nullable=False),
        sa.Column("state_blob_sha256", sa.Text(), nullable=False),
        sa.Column("preparation_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('best', 'latest', 'periodic', 'pause')", name="ck_checkpoints_kind"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_checkpoints_job_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["preparation_sha256"], ["blobs.sha256"], name="fk_checkpoints_preparation_sha256"
        ),
        sa.ForeignKeyConstraint(
            ["state_blob_sha256"], ["blobs.sha256"], name="fk_checkpoints_state_blob_sha256"
        ),
        sa.ForeignKeyConstraint(
            ["weights_sha256"], ["blobs.sha256"], name="fk_checkpoints_weights_sha256"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_checkpoints"),
    )
    op.create_index("ix_checkpoints_job_id", "checkpoints", ["job_id", "kind", "step", "id"])
    op.create_index("ix_checkpoints_preparation_sha256", "checkpoints", ["preparation_sha256"])
    op.create_index("ix_checkpoints_state_blob_sha256", "checkpoints", ["state_blob_sha256"])
    op.create_index("ix_checkpoints_weights_sha256", "checkpoints", ["weights_sha256"])


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_events_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_events"),
    )


def _make_job_components() -> None:
    op.create_table(
        "job_components",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_components_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "component", name="pk_job_components"),
    )


def _make_job_labels() -> None:
    op.create_table(
        "job_labels",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_job_labels_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "key", name="pk_job_labels"),
    )
    op.create_index("ix_job_labels_key_value", "job_labels", ["key", "value", "job_id"])


def _make_metrics() -> None:
    op.create_table(
        "metrics",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("nonfinite", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "nonfinite IS NULL OR nonfinite IN ('nan', 'inf', '-inf')",
            name="ck_metrics_nonfinite",
        ),
        sa.CheckConstraint(
            "(value IS NULL) = (nonfinite IS NOT NULL)", name="ck_metrics_value_or_nonfinite"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_metrics_job_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "name", "step", name="pk_metrics"),
        sqlite_with_rowid=False,
    )


def _make_model_versions() -> None:
    op.create_table(
        "model_versions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("checkpoint_id", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("architecture", sa.JSON(), nullable=False),
        sa.Column("dataset_name", sa.Text(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("weights_sha256", sa.Text(), nullable=False),
        sa.Column("weights_bytes", sa.BigInteger(), nullable=False),
        sa.Column("preparation_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(name IS NULL) = (version IS NULL)", name="ck_model_versions_name_has_version"
        ),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"],
            ["checkpoints.id"],
            name="fk_model_versions_checkpoint_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_model_versions_job_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["name"], ["model_names.name"], name="fk_model_versions_name"),
        sa.ForeignKeyConstraint(
            ["preparation_sha256"],
            ["blobs.sha256"],
            name="fk_model_versions_preparation_sha256",
        ),
        sa.ForeignKeyConstraint(
            ["weights_sha256"], ["blobs.sha256"], name="fk_model_versions_weights_sha256"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_model_versions"),
        sa.UniqueConstraint("name", "version", name="uq_model_versions_name_version"),
    )
    op.create_index("ix_model_versions_checkpoint_id", "model_versions", ["checkpoint_id"])
    op.create_index("ix_model_versions_job_id", "model_versions", ["job_id"])
    op.create_index(
        "ix_model_versions_preparation_sha256", "model_versions", ["preparation_sha256"]
    )
    op.create_index("ix_model_versions_weights_sha256", "model_versions", ["weights_sha256"])
