"""Departments that fetch their messages over HTTPS, their programs' keys, deliveries given back.

A department's mode has one more word, changed on SQLite as in 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BEFORE = "mode IN ('desk', 'queue')"
AFTER = "mode IN ('desk', 'queue', 'pull')"


def upgrade() -> None:
    """Make room; what is there stays as it is."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    _modes(BEFORE, AFTER)
    op.create_table(
        "department_key",
        sa.Column("id", key, nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("department", sa.String(32), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["department"],
            ["department.code"],
            name=op.f("fk_department_key_department_department"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department_key")),
        sa.UniqueConstraint("key_sha256", name=op.f("uq_department_key_key_sha256")),
    )
    op.create_index(op.f("ix_department_key_department"), "department_key", ["department"])
    op.add_column(
        "embedded_message",
        sa.Column("given_back", sa.Integer(), server_default="0", nullable=False),
    )
    _on_a_line_of_its_own("embedded_message", "given_back")


def downgrade() -> None:
    """Back: a department that pulled works at our page, where its work orders then arrive."""
    op.drop_column("embedded_message", "given_back")
    op.drop_table("department_key")
    op.execute("UPDATE department SET mode = 'desk' WHERE mode = 'pull'")
    _modes(AFTER, BEFORE)


def _modes(old: str, new: str) -> None:
    name = op.f("ck_department_mode_known")
    if op.get_bind().dialect.name == "sqlite":
        _words("department", old, new)
        return
    op.drop_constraint(name, "department", type_="check")
    op.create_check_constraint(name, "department", new)


def _on_a_line_of_its_own(table: str, column: str) -> None:
    """SQLite keeps the words of a table as they were written; see 0011."""
    if op.get_bind().dialect.name == "sqlite":
        _words(table, f", {column} ", f", \n\t{column} ")


def _words(table: str, old: str, new: str) -> None:
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
            "WHERE type = 'table' AND name = :table"
        ),
        {"old": old, "new": new, "table": table},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
