"""A reply is known by its department first; what was parked has its code and its size; accounts

Who applied a reply before this is kept without a hash: a repetition of it is taken to be the same.
On SQLite a constraint goes only with its table: `inbox` is made anew; nothing points at it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEPT = "id, source, event_id, message_type, department, work_order, sent_at, applied_at"
OLD, NEW = ("source", "event_id"), ("department", "source", "event_id")


def upgrade() -> None:
    """Make room; what is there stays as it is."""
    _inbox(NEW, hashed=True)
    op.add_column("parked", sa.Column("code", sa.String(40), server_default="", nullable=False))
    op.add_column("parked", sa.Column("size", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE parked SET size = length(body)")
    op.add_column("parked", sa.Column("alerted_at", sa.BigInteger(), nullable=True))
    op.add_column("department", sa.Column("amqp_user", sa.String(80), nullable=True))
    for column in ("code", "size", "alerted_at"):
        _on_a_line_of_its_own("parked", column)
    _on_a_line_of_its_own("department", "amqp_user")


def downgrade() -> None:
    """Back, as far as no two departments used one source and id."""
    op.drop_column("department", "amqp_user")
    op.drop_column("parked", "alerted_at")
    op.drop_column("parked", "size")
    op.drop_column("parked", "code")
    _inbox(OLD, hashed=False)


def _inbox(unique: tuple[str, ...], *, hashed: bool) -> None:
    content = sa.Column("content_sha256", sa.String(64), server_default="", nullable=False)
    name = op.f(f"uq_inbox_{'_'.join(unique)}")
    if op.get_bind().dialect.name == "sqlite":
        _inbox_anew(sa.UniqueConstraint(*unique, name=name), [content] if hashed else [])
        return
    before = OLD if unique == NEW else NEW
    op.drop_constraint(op.f(f"uq_inbox_{'_'.join(before)}"), "inbox", type_="unique")
    op.create_unique_constraint(name, "inbox", list(unique))
    if hashed:
        op.add_column("inbox", content)
    else:
        op.drop_column("inbox", "content_sha256")


def _inbox_anew(unique: sa.UniqueConstraint, more: list[sa.Column[str]]) -> None:
    op.execute(f"CREATE TEMPORARY TABLE inbox_before AS SELECT {KEPT} FROM inbox")  # noqa: S608
    op.drop_table("inbox")
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(120), nullable=False),
        sa.Column("event_id", sa.String(120), nullable=False),
        sa.Column("message_type", sa.String(80), nullable=False),
        sa.Column("department", sa.String(40), nullable=False),
        sa.Column("work_order", sa.String(120), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        unique,
    )
    op.execute(f"INSERT INTO inbox ({KEPT}) SELECT {KEPT} FROM inbox_before")  # noqa: S608
    op.execute("DROP TABLE inbox_before")


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
