"""Names that move from version to version, and what a person says about a model."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_names", sa.Column("description", sa.Text(), nullable=True))
    op.create_table(
        "model_tags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "tag", name="pk_model_tags"),
        sa.ForeignKeyConstraint(["name"], ["model_names.name"], name="fk_model_tags_name"),
    )
    op.create_index("ix_model_tags_tag", "model_tags", ["tag", "name"])
    op.create_table(
        "model_aliases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "alias", name="pk_model_aliases"),
        sa.ForeignKeyConstraint(["name"], ["model_names.name"], name="fk_model_aliases_name"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_model_aliases_version_id"
        ),
    )
    op.create_index("ix_model_aliases_version_id", "model_aliases", ["version_id"])


def downgrade() -> None:
    op.drop_table("model_aliases")
    op.drop_table("model_tags")
    op.drop_column("model_names", "description")
