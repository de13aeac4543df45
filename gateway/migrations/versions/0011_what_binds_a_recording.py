"""Which line of the log says the same as a recording's row; versions of its header; its outline.

Recordings that are there get the number of their line of sealing, so that they are held to the log
from now on.  SQLite puts a new column into the line before it; its text is set as the code's is, as
0005 does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0007"
branch_labels = None
depends_on = None

NEW = ("seal_line", "header_version", "peaks_sha256", "peaks_size")
LINES = sa.text(
    "UPDATE recording SET seal_line = (SELECT min(id) FROM audit_line "
    "WHERE action = 'recordings:recording:seal' "
    "AND obj = 'recording:' || CAST(recording.id AS VARCHAR))"
)


def upgrade() -> None:
    """Add the columns, and write down each recording's line."""
    for column in (
        sa.Column("seal_line", sa.BigInteger(), nullable=True),
        sa.Column("header_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("peaks_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("peaks_size", sa.Integer(), server_default="0", nullable=False),
    ):
        op.add_column("recording", column)
    _on_lines_of_their_own()
    op.execute(LINES)


def downgrade() -> None:
    """Back: nothing of the old version reads them."""
    for column in reversed(NEW):
        op.drop_column("recording", column)


def _on_lines_of_their_own() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for column in NEW:
        connection.execute(
            sa.text(
                "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
                "WHERE type = 'table' AND name = 'recording'"
            ),
            {"old": f", {column} ", "new": f", \n\t{column} "},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
