"""Give the events of earlier jobs the names that readers know now."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAMES = {"running": "claimed", "death": "died"}
EVENTS = sa.table("events", sa.column("type", sa.Text()))


def upgrade() -> None:
    for old, new in NAMES.items():
        op.execute(sa.update(EVENTS).where(EVENTS.c.type == old).values(type=new))


def downgrade() -> None:
    for old, new in NAMES.items():
        op.execute(sa.update(EVENTS).where(EVENTS.c.type == new).values(type=old))
