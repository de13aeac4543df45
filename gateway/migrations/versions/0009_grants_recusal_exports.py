"""Grants with a kind, plays and an end; plays, exports; recusals and joined tickets.

On SQLite a CHECK comes only with its table: requests and grants are made anew while the keys that
point at them are looked at when all is done (as 0004 does). What was granted before goes on: for
hearing, its plays not counted.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REQUEST = (
    "id, requester, purpose, ticket_no, reason, asked_at, decided_at, authoriser, granted, note"
)
GRANT = "id, request_id, person, authoriser, granted_at, expires_at"
KIND = "kind IN ('playback', 'export')"


def _kind() -> sa.Column[Any]:
    return sa.Column("kind", sa.String(length=10), server_default="playback", nullable=False)


def _of_request() -> Sequence[sa.Column[Any]]:
    return (
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        _kind(),
        sa.Column("recipient", sa.String(length=100), server_default="", nullable=False),
        sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def _of_grant() -> Sequence[sa.Column[Any]]:
    return (
        _kind(),
        sa.Column("plays_max", sa.Integer(), nullable=True),
        sa.Column("glass", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=100), nullable=True),
    )


def upgrade() -> None:
    """Make room; no request and no grant that was there changes."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
        _request_anew(
            _of_request(), [sa.CheckConstraint(KIND, name=op.f("ck_recording_request_kind"))]
        )
        _grant_anew(_of_grant(), [sa.CheckConstraint(KIND, name=op.f("ck_recording_grant_kind"))])
    else:
        for table, columns in (
            ("recording_request", _of_request()),
            ("recording_grant", _of_grant()),
        ):
            for column in columns:
                op.add_column(table, column)
            op.create_check_constraint(op.f(f"ck_{table}_kind"), table, KIND)
    _plays_and_exports()
    _recusals_and_joins()


def downgrade() -> None:
    """Back to grants that only time ends: grants to export, and those ended, would open playback,
    so they are taken away with the requests they were for."""
    for table in ("recusal", "ticket_join", "recording_export", "recording_play"):
        op.drop_table(table)
    gone = (
        "SELECT id FROM recording_request WHERE kind = 'export' OR urgent OR id IN "
        "(SELECT request_id FROM recording_grant WHERE ended_at IS NOT NULL)"
    )
    op.execute(f"DELETE FROM recording_grant WHERE request_id IN ({gone})")  # noqa: S608
    op.execute(
        "DELETE FROM recording_requested WHERE request_id IN "
        "(SELECT id FROM recording_request WHERE kind = 'export' OR urgent)"
    )
    op.execute("DELETE FROM recording_request WHERE kind = 'export' OR urgent")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
        _request_anew((), ())
        _grant_anew((), ())
        return
    for table, columns in (("recording_request", _of_request()), ("recording_grant", _of_grant())):
        op.drop_constraint(op.f(f"ck_{table}_kind"), table, type_="check")
        for column in columns:
            op.drop_column(table, column.name)


def _request_anew(columns: Sequence[sa.Column[Any]], checks: Sequence[sa.CheckConstraint]) -> None:
    op.execute(f"CREATE TEMPORARY TABLE request_before AS SELECT {REQUEST} FROM recording_request")  # noqa: S608
    op.drop_table("recording_request")
    op.create_table(
        "recording_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("requester", sa.String(length=100), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("ticket_no", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("authoriser", sa.String(length=100), nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        *columns,
        sa.CheckConstraint(
            "purpose IN ('verify', 'complaint', 'supervision')",
            name=op.f("ck_recording_request_purpose"),
        ),
        *checks,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_request")),
    )
    op.create_index(op.f("ix_recording_request_asked_at"), "recording_request", ["asked_at"])
    op.create_index(op.f("ix_recording_request_requester"), "recording_request", ["requester"])
    op.execute(f"INSERT INTO recording_request ({REQUEST}) SELECT {REQUEST} FROM request_before")  # noqa: S608
    op.execute("DROP TABLE request_before")


def _grant_anew(columns: Sequence[sa.Column[Any]], checks: Sequence[sa.CheckConstraint]) -> None:
    op.execute(f"CREATE TEMPORARY TABLE grant_before AS SELECT {GRANT} FROM recording_grant")  # noqa: S608
    op.drop_table("recording_grant")
    op.create_table(
        "recording_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("authoriser", sa.String(length=100), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        *columns,
        *checks,
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["recording_request.id"],
            name=op.f("fk_recording_grant_request_id_recording_request"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_grant")),
        sa.UniqueConstraint("request_id", name=op.f("uq_recording_grant_request_id")),
    )
    op.create_index(op.f("ix_recording_grant_person"), "recording_grant", ["person"])
    op.execute(f"INSERT INTO recording_grant ({GRANT}) SELECT {GRANT} FROM grant_before")  # noqa: S608
    op.execute("DROP TABLE grant_before")


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name)


def _plays_and_exports() -> None:
    op.create_table(
        "recording_play",
        sa.Column("id", KEY, nullable=False),
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        _to("recording_play", "grant_id", "recording_grant"),
        _to("recording_play", "recording_id", "recording"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_play")),
    )
    op.create_index(op.f("ix_recording_play_grant_id"), "recording_play", ["grant_id"])
    op.create_index(op.f("ix_recording_play_recording_id"), "recording_play", ["recording_id"])
    op.create_table(
        "recording_export",
        sa.Column("id", KEY, nullable=False),
        sa.Column("grant_id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("plain_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("object_key", sa.String(length=100), nullable=False),
        sa.Column("sheet", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("fetches", sa.Integer(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        _to("recording_export", "grant_id", "recording_grant"),
        _to("recording_export", "recording_id", "recording"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_export")),
        sa.UniqueConstraint(
            "grant_id", "recording_id", name=op.f("uq_recording_export_grant_id_recording_id")
        ),
        sa.UniqueConstraint("object_key", name=op.f("uq_recording_export_object_key")),
    )
    for column in ("recording_id", "person", "made_at"):
        op.create_index(op.f(f"ix_recording_export_{column}"), "recording_export", [column])


def _recusals_and_joins() -> None:
    op.create_table(
        "ticket_join",
        sa.Column("ticket_id", KEY, autoincrement=False, nullable=False),
        sa.Column("into_id", KEY, nullable=False),
        sa.Column("joined_by", sa.String(length=64), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        _to("ticket_join", "ticket_id", "ticket"),
        _to("ticket_join", "into_id", "ticket"),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_ticket_join")),
    )
    op.create_index(op.f("ix_ticket_join_into_id"), "ticket_join", ["into_id"])
    op.create_table(
        "recusal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("ticket_id", KEY, nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("because", sa.String(length=8), nullable=False),
        sa.Column("named_by", sa.String(length=64), nullable=False),
        sa.Column("named_at", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "because IN ('named', 'call', 'found')", name=op.f("ck_recusal_because_known")
        ),
        _to("recusal", "ticket_id", "ticket"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recusal")),
    )
    op.create_index(op.f("ix_recusal_ticket_id"), "recusal", ["ticket_id"])
    still = sa.text("lifted_at IS NULL")
    op.create_index(
        op.f("uq_recusal_open"),
        "recusal",
        ["ticket_id", "login"],
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )
