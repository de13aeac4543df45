"""What relays tell of themselves, how often what came to be, and what lies in the broker's queues."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty: from now on it is counted."""
    op.create_table(
        "tally",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name=op.f("pk_tally")),
    )
    op.create_table(
        "carrier",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("flying", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_carrier")),
    )
    op.create_table(
        "queue_depth",
        sa.Column("queue", sa.String(length=80), nullable=False),
        sa.Column("ready", sa.Integer(), nullable=False),
        sa.Column("consumers", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_queue_depth")),
    )


def downgrade() -> None:
    """Nothing but figures is lost."""
    for table in ("queue_depth", "carrier", "tally"):
        op.drop_table(table)
