"""A message knows the trace of what caused it (W3C Trace Context); older ones know none."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column more."""
    op.add_column("outbox", sa.Column("trace", sa.String(55), server_default="", nullable=False))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    # SQLite keeps the words of a table as they were written; see 0011.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ', trace ', ', ' || char(10, 9) || 'trace ') "
        "WHERE type = 'table' AND name = 'outbox'"
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def downgrade() -> None:
    """Back; what is on its way loses its trace in the header, and keeps it in the message."""
    op.drop_column("outbox", "trace")
