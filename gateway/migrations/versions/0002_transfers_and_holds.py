"""Where a call can be when it is held, sent on or parked, and each agent's part in that.

SQLite cannot change a CHECK, and the usual way round it, a copy of the table, is closed while other
tables point at `call`. Its two CHECKs only admit more words, so the table's text is changed where
SQLite keeps it, as its documentation of ALTER TABLE has it for changes that touch no row. Nothing
points at `call_leg`: that one is copied.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE: Mapping[str, str] = {
    "ck_call_state": "state IN ('arrived', 'queued', 'offered', 'talking', 'ended')",
    "ck_call_cause": "cause IN ('caller', 'agent', 'timeout', 'gap', 'hangup')",
}
AFTER: Mapping[str, str] = {
    "ck_call_state": "state IN ('arrived', 'queued', 'offered', 'talking', 'held', "
    "'transferring', 'parked', 'ended')",
    "ck_call_cause": "cause IN ('caller', 'agent', 'timeout', 'transfer', 'gap', 'hangup')",
}


def upgrade() -> None:
    """Admit the new words, add the new columns; what is there stays as it is."""
    _admit(BEFORE, AFTER)
    new = (
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.Column("held_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed_to", sa.String(length=80), nullable=True),
    )
    if op.get_bind().dialect.name != "sqlite":
        for column in new:
            op.add_column("call_leg", column)
        return
    op.rename_table("call_leg", "call_leg_0001")
    _legs(*new)
    kept = "id, call_id, leg, interface, member, offered_at, answered_at, ended_at, result"
    op.execute(f"INSERT INTO call_leg ({kept}) SELECT {kept} FROM call_leg_0001")  # noqa: S608
    op.drop_table("call_leg_0001")


def downgrade() -> None:
    """Back, as far as no row uses a new word."""
    with op.batch_alter_table("call_leg") as leg:
        for column in ("passed_to", "held_us", "held_at"):
            leg.drop_column(column)
    _admit(AFTER, BEFORE)


def _legs(*new: sa.Column[Any]) -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "call_leg",
        sa.Column("id", key, nullable=False),
        sa.Column("call_id", key, nullable=False),
        sa.Column("leg", sa.String(length=150), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.Column("member", sa.String(length=160), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        *new,
        sa.CheckConstraint(
            "result IN ('answered', 'no_answer', 'withdrawn')", name=op.f("ck_call_leg_result")
        ),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_call_leg_call_id_call")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_leg")),
        sa.UniqueConstraint("call_id", "leg", name=op.f("uq_call_leg_call_id_leg")),
    )


def _admit(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        for name, words in new.items():
            op.drop_constraint(op.f(name), "call", type_="check")
            op.create_check_constraint(op.f(name), "call", words)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for name, words in new.items():
        connection.execute(
            sa.text(
                "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
                "WHERE type = 'table' AND name = 'call'"
            ),
            {"old": old[name], "new": words},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
