"""Holds, plans to destroy a month's key, what becomes of each recording, and certificates.

SQLite puts a new column into the line before it; its text is set as the code's is, as 0005 does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NEW = ("destroyed_at", "destroyed_plan")
OPEN = sa.text("state NOT IN ('certified', 'void')")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; recordings that are there are not destroyed."""
    for column in (
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.Column("destroyed_plan", sa.BigInteger(), nullable=True),
    ):
        op.add_column("recording", column)
    _on_lines_of_their_own()
    _hold()
    _plan()
    _what_a_plan_does()


def _hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", ID, nullable=False),
        sa.Column("recording_id", ID, nullable=True),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(length=100), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=100), nullable=True),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(recording_id IS NULL) <> (ticket_id IS NULL)", name=op.f("ck_hold_of_one")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_hold_recording_id_recording")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_recording_id"), "hold", ["recording_id"])
    op.create_index(op.f("ix_hold_ticket_id"), "hold", ["ticket_id"])


def _plan() -> None:
    op.create_table(
        "retention_plan",
        sa.Column("id", ID, nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("stood_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("boot_us", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=100), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("shredded_at", sa.BigInteger(), nullable=True),
        sa.Column("voided", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'standing', 'confirmed', 'rewrapped', 'shredding', 'shredded', "
            "'removed', 'certified', 'void')",
            name=op.f("ck_retention_plan_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_plan")),
    )
    op.create_index("uq_retention_plan_open", "retention_plan", ["key_id"], unique=True,
                    sqlite_where=OPEN, postgresql_where=OPEN)  # fmt: skip


def _what_a_plan_does() -> None:
    op.create_table(
        "retention_item",
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("recording_id", ID, nullable=False),
        sa.Column("fate", sa.String(length=8), nullable=False),
        sa.Column("sealed_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("why", sa.String(length=120), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("fate IN ('destroy', 'keep')", name=op.f("ck_retention_item_fate")),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["retention_plan.id"],
            name=op.f("fk_retention_item_plan_id_retention_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recording.id"],
            name=op.f("fk_retention_item_recording_id_recording"),
        ),
        sa.PrimaryKeyConstraint("plan_id", "recording_id", name=op.f("pk_retention_item")),
    )
    op.create_index(op.f("ix_retention_item_recording_id"), "retention_item", ["recording_id"])
    op.create_table(
        "retention_certificate",
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["retention_plan.id"],
            name=op.f("fk_retention_certificate_plan_id_retention_plan"),
        ),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_retention_certificate")),
    )  # fmt: skip


def downgrade() -> None:
    """Back: certificates stand in the log as well, by their hash."""
    for table in ("retention_certificate", "retention_item", "retention_plan", "hold"):
        op.drop_table(table)
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
