"""Walk the queue and every filter of a list in order; let workers say how many places they have.

Until it is upgraded, an older worker counts as one place.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CLAIMABLE = sa.text("status IN ('queued', 'running')")
FILTERS = ("model", "dataset_name")


def upgrade() -> None:
    op.add_column(
        "workers", sa.Column("places", sa.BigInteger(), server_default="1", nullable=False)
    )
    _replace_queue_index("status", sa.text("priority DESC"), "id")
    for column in FILTERS:
        _replace_filter_index(column, column, "kind", "id")


def downgrade() -> None:
    for column in FILTERS:
        _replace_filter_index(column, column)
    _replace_queue_index(sa.text("priority DESC"), "id")
    op.drop_column("workers", "places")


def _replace_queue_index(*columns: sa.TextClause | str) -> None:
    op.drop_index("ix_jobs_queue", table_name="jobs")
    op.create_index(
        "ix_jobs_queue",
        "jobs",
        [*columns],
        sqlite_where=CLAIMABLE,
        postgresql_where=CLAIMABLE,
    )


def _replace_filter_index(filtered: str, *columns: str) -> None:
    op.drop_index(f"ix_jobs_{filtered}", table_name="jobs")
    op.create_index(f"ix_jobs_{filtered}", "jobs", [*columns])
