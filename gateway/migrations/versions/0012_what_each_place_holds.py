"""How each recording was found in each place that keeps it"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing that was there is touched."""
    op.create_table(
        "store_check",
        sa.Column(
            "recording_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("place", sa.String(length=10), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("copied_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("place IN ('store', 'copy')", name=op.f("ck_store_check_place")),
        sa.CheckConstraint(
            "outcome IN ('ok', 'missing', 'altered', 'unreadable')",
            name=op.f("ck_store_check_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_store_check_recording_id_recording")
        ),
        sa.PrimaryKeyConstraint("recording_id", "place", name=op.f("pk_store_check")),
    )
    op.create_index(
        op.f("ix_store_check_place_store_check_checked_at"), "store_check", ["place", "checked_at"]
    )


def downgrade() -> None:
    """Take it away: every recording counts as never checked again."""
    op.drop_index(op.f("ix_store_check_place_store_check_checked_at"), table_name="store_check")
    op.drop_table("store_check")
