"""Where a work order is can be asked; what is parked can be discarded

Replies and parked messages are found by their work order; what was parked before this names none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BEFORE = sa.text("replayed_at IS NULL")
OPEN = sa.text("replayed_at IS NULL AND discarded_at IS NULL")
NEW = ("work_order", "discarded_at", "discarded_by", "discard_reason")


def upgrade() -> None:
    """Make room; what is there stays as it is."""
    op.create_index("ix_inbox_work_order", "inbox", ["work_order"])
    for column in (
        sa.Column("work_order", sa.String(120), server_default="", nullable=False),
        sa.Column("discarded_at", sa.BigInteger(), nullable=True),
        sa.Column("discarded_by", sa.String(64), server_default="", nullable=False),
        sa.Column("discard_reason", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("parked", column)
    for name in NEW:
        _on_a_line_of_its_own("parked", name)
    op.create_index("ix_parked_work_order", "parked", ["work_order"])
    _unique(OPEN)


def downgrade() -> None:
    """Back; what was discarded counts as replayed, so that it stays out of the way."""
    op.execute("UPDATE parked SET replayed_at = discarded_at WHERE discarded_at IS NOT NULL")
    _unique(BEFORE)
    op.drop_index("ix_parked_work_order", table_name="parked")
    for name in reversed(NEW):
        op.drop_column("parked", name)
    op.drop_index("ix_inbox_work_order", table_name="inbox")


def _unique(where: sa.TextClause) -> None:
    op.drop_index("uq_parked_open", table_name="parked")
    op.create_index("uq_parked_open", "parked", ["direction", "body_sha256"], unique=True,
                    sqlite_where=where, postgresql_where=where)  # fmt: skip


def _on_a_line_of_its_own(table: str, column: str) -> None:
    """SQLite keeps the words of a table as they were written; see 0011."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
            "WHERE type = 'table' AND name = :table"
        ),
        {"old": f", {column} ", "new": f", \n\t{column} ", "table": table},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
