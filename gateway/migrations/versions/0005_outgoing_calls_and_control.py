"""Calls placed from a ticket, silent parts of recordings, agents' pauses.

`call` gets a column and admits more words in two CHECKs. On SQLite its text is changed where SQLite
keeps it, as 0002 does and for the same reason: other tables point at `call`.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATE = "state IN ('arrived', 'queued', 'offered', 'talking', 'held', 'transferring', 'parked', "
BEFORE: Mapping[str, str] = {
    "ck_call_state": STATE + "'ended')",
    "ck_call_outcome": "outcome IN ('answered', 'abandoned', 'left')",
}
AFTER: Mapping[str, str] = {
    "ck_call_state": STATE + "'summoning', 'dialling', 'ended')",
    "ck_call_outcome": "outcome IN ('answered', 'abandoned', 'left', "
    "'no_answer', 'busy', 'failed', 'no_agent')",
}
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and the column, admit the words; no row that was there is touched."""
    op.add_column("call", sa.Column("far_channel", sa.String(length=150), nullable=True))
    _admit(BEFORE, AFTER)
    _placed_call()
    _recording_pause()
    _agent_pause()


def downgrade() -> None:
    """Back, as far as no row uses a new word."""
    for table in ("agent_pause", "recording_pause", "placed_call"):
        op.drop_table(table)
    _admit(AFTER, BEFORE)
    op.drop_column("call", "far_channel")


def _placed_call() -> None:
    op.create_table(
        "placed_call",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("uniqueid", sa.String(length=150), nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("call_id", KEY, nullable=True),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("failed", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('callback', 'followup', 'contact')",
            name=op.f("ck_placed_call_purpose_known"),
        ),
        sa.CheckConstraint(
            "failed IN ('', 'unreachable', 'refused', 'away', 'lost')",
            name=op.f("ck_placed_call_failed_known"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_placed_call_ticket_id_ticket")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_placed_call_call_id_call")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placed_call")),
        sa.UniqueConstraint("pbx", "uniqueid", name=op.f("uq_placed_call_pbx_uniqueid")),
    )
    op.create_index(op.f("ix_placed_call_ticket_id"), "placed_call", ["ticket_id"])
    _open("placed_call", ["pbx", "interface"], "settled_at")


def _recording_pause() -> None:
    op.create_table(
        "recording_pause",
        sa.Column("id", KEY, nullable=False),
        sa.Column("call_id", KEY, nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("paused_by", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "reason IN ('id_number', 'bank_card', 'password', 'privacy')",
            name=op.f("ck_recording_pause_reason_known"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["call.id"], name=op.f("fk_recording_pause_call_id_call")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_pause")),
    )
    op.create_index(op.f("ix_recording_pause_call_id"), "recording_pause", ["call_id"])
    _open("recording_pause", ["call_id"], "ended_at")


def _agent_pause() -> None:
    op.create_table(
        "agent_pause",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "reason IN ('wrapup', 'break', 'meal', 'meeting', 'training', 'other')",
            name=op.f("ck_agent_pause_reason_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_pause")),
    )
    op.create_index(op.f("ix_agent_pause_login"), "agent_pause", ["login"])
    _open("agent_pause", ["pbx", "interface"], "ended_at")


def _open(table: str, columns: list[str], until: str) -> None:
    """At most one that has not ended."""
    still = sa.text(f"{until} IS NULL")
    name = op.f(f"uq_{table}_open")
    op.create_index(name, table, columns, unique=True, sqlite_where=still, postgresql_where=still)


def _admit(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        for name, admitted in new.items():
            op.drop_constraint(op.f(name), "call", type_="check")
            op.create_check_constraint(op.f(name), "call", admitted)
        return
    replaced = [(old[name], admitted) for name, admitted in new.items()]
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    # SQLite puts a new column into the line before it; the code's own text has a line for each.
    for before, after in (*replaced, (", far_channel VARCHAR", ", \n\tfar_channel VARCHAR")):
        connection.execute(
            sa.text(
                "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
                "WHERE type = 'table' AND name = 'call'"
            ),
            {"old": before, "new": after},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
