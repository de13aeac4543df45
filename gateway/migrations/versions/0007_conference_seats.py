"""Who is in a conference, kept over a restart"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing that was there is touched."""
    op.create_table(
        "conference_seat",
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("uniqueid", sa.String(length=150), nullable=False),
        sa.Column("bridge", sa.String(length=80), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("pbx", "uniqueid", name=op.f("pk_conference_seat")),
    )


def downgrade() -> None:
    """Take it away: who is in a conference is then learned from the next snapshot."""
    op.drop_table("conference_seat")
