"""Which pairs of keys were made, what two custodians did, and copies that left the keyring"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; keys that are there already are entered by the next start."""
    op.create_table(
        "sealing_key",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("not_before_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_sealing_key")),
    )
    op.create_table(
        "key_act",
        sa.Column("id", KEY, nullable=False),
        sa.Column("act", sa.String(length=10), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=100), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("act IN ('export', 'destroy')", name=op.f("ck_key_act_act")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_act")),
    )
    op.create_index(op.f("ix_key_act_key_id"), "key_act", ["key_id"])
    op.create_table(
        "key_copy",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("act_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("gone_by", sa.String(length=100), nullable=True),
        sa.Column("gone_with", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["act_id"], ["key_act.id"], name=op.f("fk_key_copy_act_id_key_act")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_copy")),
        sa.UniqueConstraint("act_id", name=op.f("uq_key_copy_act_id")),
    )
    op.create_index(op.f("ix_key_copy_key_id"), "key_copy", ["key_id"])


def downgrade() -> None:
    """Take them away: the register is then made anew from the keyring."""
    op.drop_table("key_copy")
    op.drop_table("key_act")
    op.drop_table("sealing_key")
