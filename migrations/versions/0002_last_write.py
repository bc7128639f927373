"""Let a job remember the newest write of its recorder, so that none is done twice.

A column that may be null is added in place: SQLite's batch mode would rebuild the table, and
dropping the old one would delete all that refers to jobs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("last_write", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "last_write")
