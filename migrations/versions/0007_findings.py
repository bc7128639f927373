"""Keep what was noticed when a dataset came in, and how well a model did."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.add_column(
        "datasets", sa.Column("findings", JSON, nullable=False, server_default=sa.text("'[]'"))
    )
    op.add_column("model_versions", sa.Column("evaluation", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("model_versions", "evaluation")
    op.drop_column("datasets", "findings")
