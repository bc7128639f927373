"""Let a job remember of which request it was made, so that the same one finds it again.

Jobs from before do not know: a PUT under their `client_id` is told that it is taken.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("request_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "request_sha256")
