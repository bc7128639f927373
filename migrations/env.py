"""How Alembic runs a migration: on the connection it is handed, in one transaction."""

import sqlalchemy as sa
from alembic import context


def migrate(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        # SQLite's DDL is transactional too, once the driver leaves BEGIN to us.
        transactional_ddl=True,
        render_as_batch=True,
    )
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # Waiting for a lock stops everybody who comes after; better to fail and try again.
            connection.execute(sa.text("SET LOCAL lock_timeout = '10s'"))
        with context.begin_transaction():
            context.run_migrations()


migrate(context.config.attributes["connection"])
