"""Files of a ticket, and the links by which departments fetch them and the register form."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables; nothing that is there changes."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "attachment",
        sa.Column("id", key, nullable=False),
        sa.Column("ticket_id", key, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("object_name", sa.String(length=32), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_attachment_ticket_id_ticket")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("object_name", name=op.f("uq_attachment_object_name")),
    )
    op.create_index(op.f("ix_attachment_ticket_id"), "attachment", ["ticket_id"])
    op.create_table(
        "attachment_link",
        sa.Column("id", key, nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("attachment_id", key),
        sa.Column("form", sa.String(length=16)),
        sa.Column("department", sa.String(length=32), nullable=False),
        sa.Column("work_order", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("fetched", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(attachment_id IS NULL) <> (form IS NULL)", name=op.f("ck_attachment_link_of_one")
        ),
        sa.CheckConstraint("form IN ('register')", name=op.f("ck_attachment_link_form_known")),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_attachment_link_attachment_id_attachment"),
        ),
        sa.ForeignKeyConstraint(
            ["department"],
            ["department.code"],
            name=op.f("fk_attachment_link_department_department"),
        ),
        sa.ForeignKeyConstraint(
            ["work_order"],
            ["work_order.number"],
            name=op.f("fk_attachment_link_work_order_work_order"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment_link")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_attachment_link_token_sha256")),
    )


def downgrade() -> None:
    """Back: links end, and files are no longer known; what lies in the store stays there."""
    op.drop_table("attachment_link")
    op.drop_table("attachment")
