"""An agent's phone is of one PBX; batches that cannot be worked are set aside; an index goes.

Who has a phone already has it at the PBX that was heard last, or at the one that nobody named. On
SQLite a constraint goes only with its table: `account` is made anew while the keys that point at it
are looked at when all is done. The words of `link_gap` are changed as in 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "reason IN ('stopped', 'killed', 'closed', 'silent', 'overflow', 'broken', 'refused')"
AFTER = BEFORE.replace("'refused'", "'refused', 'poison'")
KEPT = (
    "id, login, name, role, department, extension, password_hash, active, failures, "
    "locked_until_at, created_at"
)


def upgrade() -> None:
    """Make room; what is there stays as it is."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "poison",
        sa.Column("journal_id", key, autoincrement=False, nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journal.id"], name=op.f("fk_poison_journal_id_journal")
        ),
        sa.PrimaryKeyConstraint("journal_id", name=op.f("pk_poison")),
    )
    op.drop_index("ix_ticket_caller_phone_opened_at", table_name="ticket")
    _reasons(BEFORE, AFTER)
    pbx = sa.Column("pbx", sa.String(length=64), server_default=sa.text("'pbx1'"), nullable=False)
    unique = op.f("uq_account_pbx_extension")
    if op.get_bind().dialect.name == "sqlite":
        _accounts_anew(pbx, sa.UniqueConstraint("pbx", "extension", name=unique))
    else:
        op.add_column("account", pbx)
        op.drop_constraint(op.f("uq_account_extension"), "account", type_="unique")
        op.create_unique_constraint(unique, "account", ["pbx", "extension"])
    op.execute(
        "UPDATE account SET pbx = (SELECT pbx FROM link_state ORDER BY last_packet_at DESC LIMIT 1)"
        " WHERE EXISTS (SELECT 1 FROM link_state)"
    )


def downgrade() -> None:
    """Back, as far as no extension is there twice and no interval bears the new word."""
    op.drop_table("poison")
    op.create_index("ix_ticket_caller_phone_opened_at", "ticket", ["caller_phone", "opened_at"])
    _reasons(AFTER, BEFORE)
    unique = op.f("uq_account_extension")
    if op.get_bind().dialect.name == "sqlite":
        _accounts_anew(None, sa.UniqueConstraint("extension", name=unique))
    else:
        op.drop_constraint(op.f("uq_account_pbx_extension"), "account", type_="unique")
        op.drop_column("account", "pbx")
        op.create_unique_constraint(unique, "account", ["extension"])


def _accounts_anew(pbx: sa.Column[str] | None, unique: sa.UniqueConstraint) -> None:
    """SQLite: the table with that column (None: without) and that constraint, with all its rows."""
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute(f"CREATE TEMPORARY TABLE account_before AS SELECT {KEPT} FROM account")  # noqa: S608
    op.drop_table("account")
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("department", sa.String(length=32), nullable=True),
        *([] if pbx is None else [pbx]),
        sa.Column("extension", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('agent', 'supervisor', 'authoriser', 'officer', 'leader', 'auditor', 'administrator')",
            name=op.f("ck_account_role_known"),
        ),
        sa.ForeignKeyConstraint(
            ["department"], ["department.code"], name=op.f("fk_account_department_department")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
        unique,
    )
    op.execute(f"INSERT INTO account ({KEPT}) SELECT {KEPT} FROM account_before")  # noqa: S608
    op.execute("DROP TABLE account_before")


def _reasons(old: str, new: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_link_gap_reason"), "link_gap", type_="check")
        op.create_check_constraint(op.f("ck_link_gap_reason"), "link_gap", new)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text(
            "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) "
            "WHERE type = 'table' AND name = 'link_gap'"
        ),
        {"old": old, "new": new},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
