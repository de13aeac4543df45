"""Checkpoints of the log, where they were brought, and alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; nothing that was there is touched."""
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", ID, nullable=False),
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
        sa.UniqueConstraint("origin", "size", name=op.f("uq_audit_checkpoint_origin_size")),
    )
    op.create_table(
        "checkpoint_delivery",
        sa.Column("checkpoint_id", ID, nullable=False),
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"],
            ["audit_checkpoint.id"],
            name=op.f("fk_checkpoint_delivery_checkpoint_id_audit_checkpoint"),
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", "place", name=op.f("pk_checkpoint_delivery")),
    )
    op.create_table(
        "alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(op.f("ix_alert_role"), "alert", ["role"])


def downgrade() -> None:
    """Take them away: where checkpoints were brought is then known only there."""
    op.drop_table("alert")
    op.drop_table("checkpoint_delivery")
    op.drop_table("audit_checkpoint")
