"""What agents are doing, and how many wait in each queue"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATE = "state IN ('idle', 'ringing', 'talking', 'holding', 'after_call', 'break', 'offline')"


def upgrade() -> None:
    """Make the tables; nothing that was there is touched."""
    op.create_table(
        "agent_spell",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_STATE, name=op.f("ck_agent_spell_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_spell")),
    )
    op.create_index("ix_agent_spell_ended_at", "agent_spell", ["ended_at"])
    op.create_table(
        "agent_state",
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("interface", sa.String(length=80), nullable=False),
        sa.Column("member", sa.String(length=160), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_STATE, name=op.f("ck_agent_state_state")),
        sa.PrimaryKeyConstraint("pbx", "interface", name=op.f("pk_agent_state")),
    )
    op.create_table(
        "queue_state",
        sa.Column("pbx", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=80), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("oldest_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("pbx", "queue", name=op.f("pk_queue_state")),
    )


def downgrade() -> None:
    """Take them away: the present state is asked of the PBX, past pauses are lost."""
    op.drop_table("queue_state")
    op.drop_table("agent_state")
    op.drop_table("agent_spell")
